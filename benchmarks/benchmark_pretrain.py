"""A pretraining step of `foldgraft.trunk` beside the same step with fair-esm's ESM2 class, on the same batches.

    python benchmarks/benchmark_pretrain.py [--data shared/data] [--layers 4] [--width 160] [--heads 5] [--rounds 3]

fair-esm's way: its model as published, the language head on all positions, AdamW. Ours: the leaner forward, the head on
the selected positions alone, fused AdamW. Sequences are those of corpus/corpus-valid.txt.xz if --data is given, else
random ones of like lengths. The two take turns on the default device.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import esm
import numpy as np
import torch
import torch.nn.functional as F

from foldgraft.models.device import pick
from foldgraft.residues import AMINO_ACIDS
from foldgraft.trunk.pretraining.batches import Batch, Cursor, endless_batches
from foldgraft.trunk.pretraining.checkpoint import BETAS
from foldgraft.trunk.pretraining.corpus import Corpus
from foldgraft.trunk.pretraining.prefetch import tensors
from foldgraft.trunk.pretraining.settings import PretrainSettings
from foldgraft.trunk.pretraining.texts import read_lines
from foldgraft.trunk.pretraining.training import new_network
from foldgraft.trunk.pretraining.validation import masked_loss


def text(data: Path | None) -> Corpus:
    """Real sequences, or random ones."""
    if data:
        return Corpus.of(list(read_lines(data / "corpus/corpus-valid.txt.xz")))
    generator = np.random.default_rng(0)
    lengths = np.clip(generator.lognormal(5.55, 0.6, 2000), 50, 1022).astype(int)
    return Corpus.of(["".join(generator.choice(list(AMINO_ACIDS), length)) for length in lengths])


def ours(settings: PretrainSettings, corpus: Corpus, device: torch.device) -> tuple[torch.nn.Module, Callable]:
    """Our network, and its loss on a batch."""
    network = new_network(settings, corpus.frequencies()).to(device)
    pinned = device.type == "cuda"
    return network, lambda batch: masked_loss(network, *tensors(batch, pinned)) / len(batch.targets)


def theirs(settings: PretrainSettings, device: torch.device) -> tuple[torch.nn.Module, Callable]:
    """fair-esm's network, and its loss on a batch."""
    model = esm.ESM2(settings.layers, settings.width, settings.heads).to(device)

    def loss(batch: Batch) -> torch.Tensor:
        inputs, positions, letters = (part.to(device) for part in tensors(batch, False))
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = model(inputs.long())["logits"].flatten(0, 1)
        return F.cross_entropy(logits[positions].float(), letters)

    return model, loss


def timed(network: torch.nn.Module, loss: Callable, fused: bool, batches: list[Batch], device: torch.device) -> float:
    """Seconds of a step on each batch."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, betas=BETAS, fused=fused)
    start = time.perf_counter()
    for batch in batches:
        optimizer.zero_grad(set_to_none=True)
        loss(batch).backward()
        optimizer.step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Print a line per round, then the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of shared data")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=160)
    parser.add_argument("--heads", type=int, default=5)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--crop-length", type=int, default=128)
    parser.add_argument("--batches", type=int, default=10, help="steps of a round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    keys = ("layers", "width", "heads", "batch_tokens", "crop_length")
    settings = PretrainSettings.model_validate({key: getattr(options, key) for key in keys})
    corpus, device = text(options.data), pick()
    batches = [batch for _, batch in islice(endless_batches(corpus, settings, Cursor()), options.batches)]
    tokens = sum(batch.tokens for batch in batches)
    padding = 1 - tokens / sum(batch.inputs.size for batch in batches)
    print(f"{tokens} tokens in {len(batches)} batches, {padding:.1%} padding, {torch.get_num_threads()} threads")
    foldgraft_side, esm_side = ours(settings, corpus, device), theirs(settings, device)
    rates: dict[str, list[float]] = {"fair-esm": [], "foldgraft": []}
    for number in range(options.rounds + 1):
        for name, side, fused in (("fair-esm", esm_side, False), ("foldgraft", foldgraft_side, True)):
            seconds = timed(*side, fused, batches, device)
            if number:  # the first round warms up
                rates[name].append(tokens / seconds)
        if number:
            print(f"round {number}: " + ", ".join(f"{name} {found[-1]:.0f} tokens/s" for name, found in rates.items()))
    median = {name: statistics.median(found) for name, found in rates.items()}
    print(f"foldgraft is {median['foldgraft'] / median['fair-esm']:.2f} x fair-esm")


if __name__ == "__main__":
    main()
