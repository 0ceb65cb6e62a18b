"""Embedding with `foldgraft.models.trunk` beside the public ways, on the same weights and real lengths.

    python benchmarks/benchmark_embed.py --data DATA [--sizes 8M 35M 150M] [--rounds 3] [--threads 1]
        [--genuine FOLDER] [--esm-cpp PYTHON]
    python benchmarks/benchmark_embed.py --data DATA --cuda [--sizes 650M] [--peak TFLOPS]

Weights are random, but those of `--genuine`, the Hugging Face folder of an ESM-2, in place of the size that it has.

fair-esm's way is that of its extraction script: batches of at most 4,096 tokens, sorted by length, the whole model
run on them, and the representations of the last layer kept. The way of `transformers` is its model with fused
attention (`attn_implementation="sdpa"`), given sorted batches of as many tokens, without a pooler, its mask left out
where nothing is padded; and once more with eight sequences a batch in the order given, as a loop over a file has them.
It is left out if the package is missing. That of esm-cpp is its scheduler, in float32 and in
int8, by the interpreter of an environment of its own (`pip install esm-cpp "numpy<2"`); it computes logits as well.
The sides take turns; a figure is the median of the rounds, of CPU time since machines are busy. Among them is a product
of two matrices of 2,048 x 2,048, whose rate is what the core can do at best; the share of it that a side reaches counts
the operations of its products. With a GPU the figure is of wall time, Foldgraft computes in bfloat16, and the share is
of the chip's peak.

Sequences are of DATA/solubility/esol_graphsol_train.csv.gz, those of at most 1,022 residues: of 1,000 drawn at random
some evenly spaced batches, sorted by length and padded to 4,096 tokens as a shard's are, so that who pads pads little.
"""

import argparse
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import esm
import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file

from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import fill_network
from foldgraft.models.trunk.windows import Window, batches
from foldgraft.trunk.checkpoint import open_checkpoint
from foldgraft.trunk.proof import fair_network

SIZES = {"8M": (6, 320, 20), "35M": (12, 480, 20), "150M": (30, 640, 20), "650M": (33, 1280, 20)}
SAMPLE = {"8M": 8, "35M": 4, "150M": 2, "650M": 1}
"""Batches of a size."""
POOL = 1000
IN_ORDER = 8
ON_CUDA = 2048
DERIVED = ("rot_emb.inv_freq", "lm_head.weight")
TOKENS = 4096
CUDA_TOKENS = 32_768
LONGEST = 1022
PEAKS = {"H100": 989.0, "H200": 989.0, "A100": 312.0, "L40": 181.0, "V100": 125.0}
"""Dense bfloat16 (V100: float16) TFLOP/s by the makers' data sheets."""

MATRIX, PRODUCTS = 2048, 4
"""Size of the matrices whose product says what a core can do, and how many products are timed together."""

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


def as_transformers(model: esm.ESM2) -> torch.nn.Module | None:
    """The model of `transformers` with the same weights, or none if it is not installed."""
    try:
        from transformers import EsmConfig, EsmForMaskedLM
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
    other = EsmForMaskedLM(config).eval()
    names = {
        "embed_tokens.": "esm.embeddings.word_embeddings.",
        "emb_layer_norm_after.": "esm.encoder.emb_layer_norm_after.",
        "layers.": "esm.encoder.layer.",
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
        if not name.startswith("contact_head") and not name.endswith(DERIVED):
            for ours, theirs in () if name.startswith("lm_head") else names.items():
                name = name.replace(ours, theirs)
            state[name] = tensor
    state["lm_head.decoder.weight"] = model.embed_tokens.weight
    state["esm.rotary_embeddings.inv_freq"] = model.layers[0].self_attn.rot_emb.inv_freq
    missing, unexpected = other.load_state_dict(state, strict=False)
    if unexpected or any(not name.startswith("esm.contact_head") for name in missing):
        raise SystemExit(f"transformers has other tensors: {missing}, {unexpected}")
    return other


def by_transformers(other: torch.nn.Module, in_order: bool = False) -> Embed:
    """The way of `transformers`, with sorted batches, or with the next `IN_ORDER` sequences in each."""

    @torch.inference_mode()
    def embed(sequences: list[str]) -> list[np.ndarray]:
        found = [np.empty(0)] * len(sequences)
        pieces = [Window(number, 0, len(text)) for number, text in enumerate(sequences)]
        some = (pieces[start : start + IN_ORDER] for start in range(0, len(pieces), IN_ORDER))
        for batch in some if in_order else batches(pieces, TOKENS):
            tokens = torch.full((len(batch), 2 + max(piece.length for piece in batch)), alphabet.PAD)
            for row, piece in zip(tokens, batch, strict=True):
                text = torch.from_numpy(alphabet.encode(sequences[piece.sequence]).astype(np.int64))
                row[0], row[1 : 1 + len(text)], row[1 + len(text)] = alphabet.CLS, text, alphabet.EOS
            mask = (tokens != alphabet.PAD).long()
            values = other.esm(tokens, attention_mask=None if mask.all() else mask).last_hidden_state
            for row, piece in zip(values, batch, strict=True):
                found[piece.sequence] = row[1 : 1 + piece.length].numpy().copy()
        return found

    return embed


def write_for_esm_cpp(other: torch.nn.Module, folder: Path) -> None:
    """The checkpoint in Hugging Face layout, with the rotary frequencies once a layer, as published files have them."""
    state = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    rotary = state.pop("esm.rotary_embeddings.inv_freq")
    for number in range(other.config.num_hidden_layers):
        state[f"esm.encoder.layer.{number}.attention.self.rotary_embeddings.inv_freq"] = rotary.clone()
    other.config.save_pretrained(folder)
    save_file(state, folder / "model.safetensors")


def by_esm_cpp(python: str, weights: Path, kind: str, threads: int, texts: Path) -> Callable[[], float]:
    """CPU seconds of esm-cpp, in a process of its own."""
    script = Path(__file__).with_name("embed_by_esm_cpp.py")

    def seconds() -> float:
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        command = [python, script, weights, texts, kind]
        return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)

    return seconds


def timed(embed: Embed, sequences: list[str], clock: Callable[[], float], found: dict, name: str) -> float:
    """Seconds that a side takes; what it finds is kept."""
    start = clock()
    found[name] = embed(sequences)
    return clock() - start


def product_seconds(clock: Callable[[], float]) -> float:
    """Seconds of the products that say what the core can do."""
    a, b = torch.rand(MATRIX, MATRIX), torch.rand(MATRIX, MATRIX)
    start = clock()
    for _ in range(PRODUCTS):
        a @ b
    return clock() - start


def median_seconds(sides: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The median of the seconds of each side; they take turns, and a first round warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            value = side()
            if number:
                seconds[name].append(value)
    return {name: statistics.median(values) for name, values in seconds.items()}


def differences(found: dict[str, list[np.ndarray]]) -> dict[str, float]:
    """The largest difference of each side from fair-esm, over all representations."""
    return {
        name: max(float(np.abs(a - b).max()) for a, b in zip(found["fair-esm"], values, strict=True))
        for name, values in found.items()
    }


def operations(layers: int, width: int, lengths: list[int]) -> float:
    """Floating-point operations of the trunk's products for sequences of these lengths, two tokens each included."""
    tokens = np.array(lengths, dtype=float) + 2
    return float(layers * (24 * width**2 * tokens + 4 * width * tokens**2).sum())


def networks(size: str, genuine: Path | None) -> tuple[esm.ESM2, Trunk]:
    """fair-esm's network and ours of the same weights, random ones or those of a checkpoint of this size."""
    layers, width, heads = SIZES[size]
    if genuine:
        network = open_checkpoint(genuine).network
        shape = network.architecture
        if (shape.layers, shape.width, shape.heads) == SIZES[size]:
            print(f"{size}: weights of {genuine.name}")
            return fair_network(network).eval(), Trunk(network, size, "", torch.device("cpu"))
    print(f"{size}: random weights")
    torch.manual_seed(0)
    fair = esm.ESM2(layers, width, heads).eval()
    state = {name: tensor.clone() for name, tensor in fair.state_dict().items() if not name.endswith(DERIVED)}
    state["inv_freq"] = fair.layers[0].self_attn.rot_emb.inv_freq
    return fair, Trunk(fill_network(state, Architecture(layers, width, heads), "fair-esm"), size, "")


def on_cpu(size: str, sequences: list[str], options: argparse.Namespace, folder: Path) -> None:
    """Print a line for each side."""
    fair, trunk = networks(size, options.genuine)
    clock, found = time.process_time, {}
    ways: dict[str, Embed] = {"fair-esm": by_fair_esm(fair)}
    other = as_transformers(fair)
    if other:
        ways["transformers"] = by_transformers(other)
        ways["  in order"] = by_transformers(other, in_order=True)
    else:
        print("transformers is not installed: pip install transformers")
    ways["foldgraft"] = lambda sequences: list(trunk.embed(sequences))
    sides = {name: lambda name=name: timed(ways[name], sequences, clock, found, name) for name in ways}
    sides["product"] = lambda: product_seconds(clock)
    if options.esm_cpp and other:
        write_for_esm_cpp(other, folder / size)
        (folder / "texts").write_text("\n".join(sequences))
        for kind in ("float32", "int8"):
            given = (options.esm_cpp, folder / size, kind, options.threads, folder / "texts")
            sides[f"esm-cpp {kind}"] = by_esm_cpp(*given)
    seconds = median_seconds(sides, options.rounds)
    peak = PRODUCTS * 2 * MATRIX**3 / seconds.pop("product")
    layers, width, _ = SIZES[size]
    lengths = list(map(len, sequences))
    print(f"  {len(sequences)} sequences, {sum(lengths)} residues; the core's products: {peak / 1e9:.0f} GFLOP/s")
    apart = differences(found)
    for name, value in seconds.items():
        share = operations(layers, width, lengths) / value / peak
        difference = f"   largest difference from fair-esm {apart[name]:.1e}" if name in apart else ""
        print(
            f"  {name:16}{sum(lengths) / value:8.0f} residues/CPU s   {share:4.0%} of the products' rate"
            f"   foldgraft is {value / seconds['foldgraft']:5.2f} x{difference}",
            flush=True,
        )


def on_cuda(size: str, sequences: list[str], options: argparse.Namespace) -> None:
    """Print a line for each side."""
    fair, trunk = networks(size, None)
    device, found = torch.device("cuda"), {}
    trunk = Trunk(trunk.network, size, "", device, batch_tokens=CUDA_TOKENS, precision=torch.bfloat16)
    ways = {"fair-esm": by_fair_esm(fair.to(device)), "foldgraft": lambda sequences: list(trunk.embed(sequences))}
    sides = {name: lambda name=name: timed(ways[name], sequences, time.perf_counter, found, name) for name in ways}
    seconds = median_seconds(sides, options.rounds)
    chip = torch.cuda.get_device_name()
    peak = options.peak or next((value for name, value in PEAKS.items() if name in chip), None)
    layers, width, _ = SIZES[size]
    lengths = list(map(len, sequences))
    print(f"  {chip}: {len(sequences)} sequences, {sum(lengths)} residues")
    apart = differences(found)
    for name, value in seconds.items():
        rate = operations(layers, width, lengths) / value / 1e12
        share = f", {rate / peak:.0%} of the peak" if peak else ""
        print(
            f"  {name:12}{sum(lengths) / value:10.0f} residues/s, {rate:.0f} TFLOP/s{share}; foldgraft is "
            f"{value / seconds['foldgraft']:.2f} x; largest difference {apart[name]:.1e}"
        )


def sample(texts: list[str], count: int) -> list[str]:
    """The sequences of evenly spaced batches."""
    made = list(batches([Window(number, 0, len(text)) for number, text in enumerate(texts)], TOKENS))
    chosen = np.linspace(0, len(made) - 1, count + 2).round().astype(int)[1:-1]
    found = [texts[piece.sequence] for number in chosen for piece in made[number]]
    return [found[number] for number in np.random.default_rng(0).permutation(len(found))]


def main() -> None:
    """Print what each side does, size by size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the real data")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["8M", "35M", "150M"])
    parser.add_argument("--batches", type=int, help="how many, instead of fewer the larger the trunk")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--genuine", type=Path, help="Hugging Face folder of an ESM-2, in place of random weights")
    parser.add_argument("--esm-cpp", help="Python of an environment that has esm-cpp")
    parser.add_argument("--cuda", action="store_true", help="bfloat16 on the GPU against fair-esm in float32 there")
    parser.add_argument("--peak", type=float, help="dense bfloat16 TFLOP/s of the GPU, if its name does not tell")
    options = parser.parse_args()
    if options.cuda and not torch.cuda.is_available():
        parser.error("there is no GPU for --cuda")
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} CPU threads")
    texts = pd.read_csv(options.data / "solubility" / "esol_graphsol_train.csv.gz")["sequence"]
    texts = texts[texts.str.len() <= LONGEST].sample(frac=1, random_state=0)
    for size in options.sizes:
        if options.cuda:
            on_cuda(size, texts.iloc[:ON_CUDA].tolist(), options)
        else:
            sequences = sample(texts.iloc[:POOL].tolist(), options.batches or SAMPLE[size])
            with TemporaryDirectory() as folder:
                on_cpu(size, sequences, options, Path(folder))


if __name__ == "__main__":
    main()
