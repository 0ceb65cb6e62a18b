"""`foldgraft predict` beside the embed stage: what a prediction costs beyond the trunk, and whether memory stays flat.

    python benchmarks/benchmark_predict.py --data DATA --trunk ESM2_8M [--proteins 200] [--rounds 3]
        [--heads solubility secondary_structure]

The proteins are drawn from DATA/solubility/netsolp_psi_biology_train.csv.gz. Of each head the sides take turns on one
thread, and a figure is the median of the CPU seconds of the rounds: `embed` writes the embeddings that the head reads,
as the rule of a run does; `predict` reads a FASTA file and writes the table, the trunk and the head being open.

Memory is that of whole commands, `foldgraft predict FILE --output TABLE`, for the same proteins once, and four times.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import torch

from foldgraft.alone import head_file, heads_on, open_trunk
from foldgraft.embed.settings import EmbedSettings
from foldgraft.embed.shard import write_embedded
from foldgraft.models.trunk import Trunk
from foldgraft.predict.sequences import Candidates
from foldgraft.predict.settings import PredictSettings
from foldgraft.predict.tables import predicted_table
from foldgraft.records.fasta import write_fasta
from foldgraft.records.files import sequence_sha256
from foldgraft.tasks.trained import Trained

LONGEST = 1022


def drawn(data: Path, count: int) -> list[str]:
    """Sequences at random, each once."""
    texts = pd.read_csv(data / "solubility/netsolp_psi_biology_train.csv.gz")["fasta"].drop_duplicates()
    return texts[texts.str.len() <= LONGEST].sample(count, random_state=0).tolist()


def sides(sequences: list[str], trunk: Trunk, head: Trained, folder: Path) -> dict[str, Callable[[], object]]:
    """The embedding and the prediction of the same sequences."""
    fasta = folder / "proteins.fasta"
    write_fasta(fasta, ((f"p{number}", text) for number, text in enumerate(sequences)))
    layers = [] if head.info.level == "protein" else head.info.layers
    wanted = {sequence_sha256(text): text for text in sequences}

    def embed() -> None:
        (folder / "e.safetensors").unlink(missing_ok=True)
        write_embedded(wanted, trunk, layers, folder / "e.safetensors", EmbedSettings())

    def predict() -> None:
        predicted_table(folder / "table.csv", Candidates(fasta, PredictSettings()), [head], trunk)

    return {"embed": embed, "predict": predict}


def cpu_seconds(work: Callable[[], object]) -> float:
    """Of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def peak(sequences: list[str], copies: int, trunk: Path, head: str, folder: Path) -> float:
    """Most memory that a whole command takes, MB."""
    fasta = folder / "many.fasta"
    texts = sequences * copies
    write_fasta(fasta, ((f"p{number}", text) for number, text in enumerate(texts)))
    words = ["predict", fasta, "--trunk", trunk, "--head", head, "--output", folder / "many.csv"]
    command = [sys.executable, "-m", "foldgraft", *map(str, words)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return usage.ru_maxrss / 1000


def main() -> None:
    """Print both sides' residues per CPU second, and the memory, head by head."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the real data")
    parser.add_argument("--trunk", type=Path, required=True, help="ESM-2 8M, in any layout")
    parser.add_argument("--heads", nargs="+", default=["solubility", "secondary_structure"])
    parser.add_argument("--proteins", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    sequences = drawn(options.data, options.proteins)
    residues = sum(map(len, sequences))
    trunk = open_trunk(options.trunk)
    for name in options.heads:
        head = heads_on(trunk, [head_file(name)])[0]
        with TemporaryDirectory() as folder:
            found: dict[str, list[float]] = {}
            for _ in range(options.rounds):
                for side, work in sides(sequences, trunk, head, Path(folder)).items():
                    found.setdefault(side, []).append(cpu_seconds(work))
            seconds = {side: statistics.median(values) for side, values in found.items()}
            print(f"{name}: {len(sequences)} proteins, {residues} residues")
            for side, value in seconds.items():
                print(f"  {side:8} {residues / value:8.0f} residues/CPU s   {seconds['embed'] / value:5.2f} of embed's")
            memory = [peak(sequences, copies, options.trunk, name, Path(folder)) for copies in (1, 4)]
        print(f"  memory {memory[0]:.0f} MB, of four times as many {memory[1]:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
