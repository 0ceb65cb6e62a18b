"""Embedding with `foldgraft.models.trunk` beside fair-esm's own way, on the same random weights of the 8M size.

    python benchmarks/benchmark_embed.py [--table esol.csv.gz --column sequence] [--residues 60000] [--rounds 3]

fair-esm's way is that of its extraction script: batches of at most 4,096 tokens, sorted by length, the whole model
run on them, and the representations of the last layer kept. Lengths are those of a table of proteins if one is given,
else log-normal like those of bacterial proteomes. The two take turns; the figure is the median of the rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import esm
import numpy as np
import pandas as pd
import torch

from foldgraft.models.trunk import Trunk, fill_network
from foldgraft.models.trunk_network import Architecture
from foldgraft.residues import AMINO_ACIDS

SIZES = {"8M": (6, 320, 20), "35M": (12, 480, 20), "150M": (30, 640, 20)}
DERIVED = ("rot_emb.inv_freq", "lm_head.weight")
TOKENS = 4096
LONGEST = 1022


def sequences_like(table: str | None, column: str, residues: int) -> list[str]:
    """Proteins of a table, or random ones, up to this many residues together."""
    generator = np.random.default_rng(0)
    if table:
        found = [text for text in pd.read_csv(table)[column].sample(frac=1, random_state=0) if len(text) <= LONGEST]
    else:
        lengths = np.clip(generator.lognormal(5.55, 0.6, residues // 50), 30, LONGEST).astype(int)
        found = ["".join(generator.choice(list(AMINO_ACIDS), length)) for length in lengths]
    total = np.cumsum([len(text) for text in found])
    return found[: max(1, int(np.searchsorted(total, residues)))]


@torch.no_grad()
def extract(model: esm.ESM2, layers: int, sequences: list[str]) -> list[np.ndarray]:
    """What fair-esm's extraction script computes, kept in memory."""
    data = esm.FastaBatchedDataset([str(number) for number in range(len(sequences))], sequences)
    batches = data.get_batch_indices(TOKENS, extra_toks_per_seq=1)
    loader = torch.utils.data.DataLoader(data, collate_fn=model.alphabet.get_batch_converter(), batch_sampler=batches)
    found = [np.empty(0)] * len(sequences)
    for labels, texts, tokens in loader:
        values = model(tokens, repr_layers=[layers])["representations"][layers]
        for row, label, text in zip(values, labels, texts, strict=True):
            found[int(label)] = row[1 : 1 + len(text)].clone().numpy()
    return found


def timed(call: Callable[[], list[np.ndarray]]) -> tuple[float, list[np.ndarray]]:
    """Seconds of a call, and its result."""
    start = time.perf_counter()
    found = call()
    return time.perf_counter() - start, found


def main() -> None:
    """Print a line per round, then the ratio and the largest difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", help="CSV of proteins")
    parser.add_argument("--column", default="sequence", help="its column of sequences")
    parser.add_argument("--residues", type=int, default=60_000, help="residues to embed in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", choices=SIZES, default="8M")
    options = parser.parse_args()

    sequences = sequences_like(options.table, options.column, options.residues)
    residues = sum(map(len, sequences))
    print(
        f"{len(sequences)} sequences, {residues} residues, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    layers, width, heads = SIZES[options.size]
    torch.manual_seed(0)
    fair = esm.ESM2(layers, width, heads).eval()
    state = {name: tensor for name, tensor in fair.state_dict().items() if not name.endswith(DERIVED)}
    network = fill_network(state, Architecture(layers, width, heads), "fair-esm")
    trunk = Trunk(network, options.size, "", torch.device("cpu"), batch_tokens=TOKENS)

    theirs, ours, difference = [], [], 0.0
    for number in range(options.rounds):
        seconds, expected = timed(lambda: extract(fair, layers, sequences))
        theirs.append(seconds)
        seconds, found = timed(lambda: list(trunk.embed(sequences)))
        ours.append(seconds)
        difference = max(float(np.abs(a - b).max()) for a, b in zip(expected, found, strict=True))
        rates = residues / theirs[-1], residues / ours[-1]
        print(f"round {number + 1}: fair-esm {rates[0]:.0f} residues/s, foldgraft {rates[1]:.0f} residues/s")
    ratio = statistics.median(theirs) / statistics.median(ours)
    print(f"{options.size}: foldgraft is {ratio:.2f} x fair-esm; largest difference {difference:.1e}")


if __name__ == "__main__":
    main()
