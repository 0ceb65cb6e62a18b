"""Embedding with `foldgraft.models.trunk` beside the public ways, on the same random weights and real lengths.

    python benchmarks/benchmark_embed.py --data DATA [--sizes 8M 35M 150M] [--rounds 3] [--threads 1]
    python benchmarks/benchmark_embed.py --data DATA --cuda [--sizes 650M] [--peak TFLOPS]

fair-esm's way is that of its extraction script: batches of at most 4,096 tokens, sorted by length, the whole model
run on them, and the representations of the last layer kept. The way of `transformers` is its model with fused
attention (`attn_implementation="sdpa"`), given the sorted batches of Foldgraft, without a pooler, its mask left out
where nothing is padded; it is left out if the package is missing (`pip install transformers`; nothing else needs it).
The sides take turns; a figure is the median of the rounds, of CPU time since machines are busy. With a GPU it is of
wall time, Foldgraft computes in bfloat16, and how much of the chip's peak it reaches is told beside the ratio.

Sequences are a random sample of DATA/solubility/esol_graphsol_train.csv.gz, those of at most 1,022 residues.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import esm
import numpy as np
import pandas as pd
import torch

from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import fill_network
from foldgraft.models.trunk.windows import Window, batches

SIZES = {"8M": (6, 320, 20), "35M": (12, 480, 20), "150M": (30, 640, 20), "650M": (33, 1280, 20)}
SAMPLE = {"8M": 128, "35M": 48, "150M": 16, "650M": 4}
ON_CUDA = 2048
DERIVED = ("rot_emb.inv_freq", "lm_head.weight")
TOKENS = 4096
CUDA_TOKENS = 32_768
LONGEST = 1022
PEAKS = {"H100": 989.0, "H200": 989.0, "A100": 312.0, "L40": 181.0, "V100": 125.0}
"""Dense bfloat16 (V100: float16) TFLOP/s by the makers' data sheets."""

Embed = Callable[[list[str]], list[np.ndarray]]


def by_fair_esm(model: esm.ESM2) -> Embed:
    """What fair-esm's extraction script computes, kept in memory."""
    layers, device = model.num_layers, model.embed_tokens.weight.device

    @torch.no_grad()
    def embed(sequences: list[str]) -> list[np.ndarray]:
        data = esm.FastaBatchedDataset([str(number) for number in range(len(sequences))], sequences)
        found = [np.empty(0)] * len(sequences)
        loader = torch.utils.data.DataLoader(
            data,
            collate_fn=model.alphabet.get_batch_converter(),
            batch_sampler=data.get_batch_indices(TOKENS, extra_toks_per_seq=1),
        )
        for labels, texts, tokens in loader:
            values = model(tokens.to(device), repr_layers=[layers])["representations"][layers].cpu()
            for row, label, text in zip(values, labels, texts, strict=True):
                found[int(label)] = row[1 : 1 + len(text)].clone().numpy()
        return found

    return embed


def by_transformers(model: esm.ESM2) -> Embed | None:
    """The model of `transformers` with the same weights, or none if it is not installed."""
    try:
        from transformers import EsmConfig, EsmModel
    except ImportError:
        return None
    config = EsmConfig(
        vocab_size=len(alphabet.TOKENS),
        mask_token_id=alphabet.MASK,
        pad_token_id=alphabet.PAD,
        hidden_size=model.embed_dim,
        num_hidden_layers=model.num_layers,
        num_attention_heads=model.attention_heads,
        intermediate_size=4 * model.embed_dim,
        position_embedding_type="rotary",
        token_dropout=True,
        emb_layer_norm_before=False,
        layer_norm_eps=1e-5,
        attn_implementation="sdpa",
    )
    other = EsmModel(config, add_pooling_layer=False).eval()
    names = {
        "embed_tokens.": "embeddings.word_embeddings.",
        "emb_layer_norm_after.": "encoder.emb_layer_norm_after.",
        "layers.": "encoder.layer.",
        ".self_attn.q_proj.": ".attention.self.query.",
        ".self_attn.k_proj.": ".attention.self.key.",
        ".self_attn.v_proj.": ".attention.self.value.",
        ".self_attn.out_proj.": ".attention.output.dense.",
        ".self_attn_layer_norm.": ".attention.LayerNorm.",
        ".fc1.": ".intermediate.dense.",
        ".fc2.": ".output.dense.",
        ".final_layer_norm.": ".LayerNorm.",
    }
    state = {}
    for name, tensor in model.state_dict().items():
        if not name.startswith(("lm_head", "contact_head")) and not name.endswith(DERIVED):
            for ours, theirs in names.items():
                name = name.replace(ours, theirs)
            state[name] = tensor
    missing, unexpected = other.load_state_dict(state, strict=False)
    if unexpected or any(not name.startswith(("rotary", "contact_head")) for name in missing):
        raise SystemExit(f"transformers has other tensors: {missing}, {unexpected}")

    @torch.inference_mode()
    def embed(sequences: list[str]) -> list[np.ndarray]:
        found = [np.empty(0)] * len(sequences)
        for batch in batches([Window(n, 0, len(text)) for n, text in enumerate(sequences)], TOKENS):
            tokens = torch.full((len(batch), 2 + batch[0].length), alphabet.PAD)
            for row, piece in zip(tokens, batch, strict=True):
                text = torch.from_numpy(alphabet.encode(sequences[piece.sequence]).astype(np.int64))
                row[0], row[1 : 1 + len(text)], row[1 + len(text)] = alphabet.CLS, text, alphabet.EOS
            mask = (tokens != alphabet.PAD).long()
            values = other(tokens, attention_mask=None if mask.all() else mask).last_hidden_state
            for row, piece in zip(values, batch, strict=True):
                found[piece.sequence] = row[1 : 1 + piece.length].numpy().copy()
        return found

    return embed


def compare(
    sides: dict[str, Embed], sequences: list[str], rounds: int, clock: Callable[[], float]
) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds of each side, and its largest difference from the first, over all representations."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    found: dict[str, list[np.ndarray]] = {}
    for embed in sides.values():
        embed(sequences[:2])
    for _ in range(rounds):
        for name, embed in sides.items():
            start = clock()
            found[name] = embed(sequences)
            seconds[name].append(clock() - start)
    first = next(iter(found.values()))
    apart = {
        name: max(float(np.abs(a - b).max()) for a, b in zip(first, values, strict=True))
        for name, values in found.items()
    }
    return {name: statistics.median(values) for name, values in seconds.items()}, apart


def operations(layers: int, width: int, lengths: list[int]) -> float:
    """Floating-point operations of the trunk's products for sequences of these lengths, two tokens each included."""
    tokens = np.array(lengths, dtype=float) + 2
    return float(layers * (24 * width**2 * tokens + 4 * width * tokens**2).sum())


def main() -> None:
    """Print a line for each size and side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the real data")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["8M", "35M", "150M"])
    parser.add_argument("--sequences", type=int, help="how many, instead of fewer the larger the trunk")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cuda", action="store_true", help="bfloat16 on the GPU against fair-esm in float32 there")
    parser.add_argument("--peak", type=float, help="dense bfloat16 TFLOP/s of the GPU, if its name does not tell")
    options = parser.parse_args()
    if options.cuda and not torch.cuda.is_available():
        parser.error("there is no GPU for --cuda")
    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if options.cuda else "cpu")
    clock, unit = (time.perf_counter, "s") if options.cuda else (time.process_time, "CPU s")
    chip = torch.cuda.get_device_name() if options.cuda else f"{options.threads} CPU threads"
    peak = options.peak or next((value for name, value in PEAKS.items() if name in chip), None)
    print(f"torch {torch.__version__}, {chip}")

    texts = pd.read_csv(options.data / "solubility" / "esol_graphsol_train.csv.gz")["sequence"]
    texts = texts[texts.str.len() <= LONGEST].sample(frac=1, random_state=0)
    for size in options.sizes:
        layers, width, heads = SIZES[size]
        count = options.sequences or (ON_CUDA if options.cuda else SAMPLE[size])
        sequences = texts.iloc[:count].tolist()
        torch.manual_seed(0)
        fair = esm.ESM2(layers, width, heads).eval()
        state = {name: tensor.clone() for name, tensor in fair.state_dict().items() if not name.endswith(DERIVED)}
        state["inv_freq"] = fair.layers[0].self_attn.rot_emb.inv_freq
        network = fill_network(state, Architecture(layers, width, heads), "fair-esm")
        precision = torch.bfloat16 if options.cuda else torch.float32
        tokens = CUDA_TOKENS if options.cuda else TOKENS
        trunk = Trunk(network, size, "", device, batch_tokens=tokens, precision=precision)
        other = None if options.cuda else by_transformers(fair)
        sides: dict[str, Embed] = {"fair-esm": by_fair_esm(fair.to(device))}
        if other:
            sides["transformers"] = other
        elif not options.cuda:
            print("transformers is not installed: pip install transformers")
        sides["foldgraft"] = lambda sequences, trunk=trunk: list(trunk.embed(sequences))
        seconds, apart = compare(sides, sequences, options.rounds, clock)
        residues = sum(map(len, sequences))
        print(f"{size}: {len(sequences)} sequences, {residues} residues")
        for name, value in seconds.items():
            ratio = value / seconds["foldgraft"]
            print(
                f"  {name:14}{residues / value:10.0f} residues/{unit}   foldgraft is {ratio:5.2f} x"
                f"   largest difference from fair-esm {apart[name]:.1e}"
            )
        if options.cuda and peak:
            rate = operations(layers, width, list(map(len, sequences))) / seconds["foldgraft"] / 1e12
            print(f"  foldgraft: {rate:.0f} TFLOP/s, {rate / peak:.0%} of the peak of {peak:.0f}")


if __name__ == "__main__":
    main()
