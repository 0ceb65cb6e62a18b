"""Grouping and audit beside bare MMseqs2 at the same sensitivity, in CPU seconds of all processes.

    python benchmarks/benchmark_cluster.py --fasta a.fasta.gz [b.fasta.gz ...] --sequences 20000

Bare MMseqs2 is `easy-search` of all sequences against all, which finds what the two need, and `easy-cluster`, which
finds neither components nor fragments.
"""

import argparse
import os
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from foldgraft import mmseqs
from foldgraft.cluster.audit import audit
from foldgraft.cluster.group import group
from foldgraft.cluster.proteins import COLUMNS
from foldgraft.cluster.settings import ClusterSettings
from foldgraft.records.fasta import read_fasta, write_fasta
from foldgraft.records.files import sequence_sha256


def sequences(paths: list[Path], count: int) -> dict[str, str]:
    """A sample of the sequences of 20 to 2,000 residues, by sha256."""
    found = {}
    for path in paths:
        for record in read_fasta(path):
            sequence = record.sequence.upper().rstrip("*")
            if 20 <= len(sequence) <= 2000:
                found[sequence_sha256(sequence)] = sequence
    names = sorted(found)
    return {name: found[name] for name in sorted(random.Random(0).sample(names, min(count, len(names))))}


def timed(name: str, job: Callable[[Path], object]) -> float:
    """CPU seconds of a job and its processes; prints them with wall time and the largest process."""
    folder = Path(tempfile.mkdtemp(dir="."))
    before, start = os.times(), time.monotonic()
    try:
        job(folder)
    finally:
        shutil.rmtree(folder)
    spent = sum(os.times()[:4]) - sum(before[:4])
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"{name}: {spent:.0f} s CPU, {time.monotonic() - start:.0f} s wall, peak so far {peak / 1024:.0f} MB")
    return spent


def bare(command: str, kept: dict[str, str], sensitivity: float, *more: str | float) -> Callable[[Path], None]:
    def job(folder: Path) -> None:
        write_fasta(folder / "all.fasta", kept.items())
        inputs = [folder / "all.fasta"] * (2 if command == "easy-search" else 1)
        mmseqs.run(command, *inputs, folder / "out", folder / "tmp", "-s", sensitivity, "-e", 1e-3, *more)

    return job


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fasta", nargs="+", type=Path, required=True)
    parser.add_argument("--sequences", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--sensitivity", type=float, default=7.5)
    options = parser.parse_args()
    kept, settings = sequences(options.fasta, options.sequences), ClusterSettings(sensitivity=options.sensitivity)
    table = pd.DataFrame({"id": list(kept), "sequence_sha256": list(kept), "sequence": list(kept.values())})
    table = table.assign(set="labels").reindex(columns=list(COLUMNS)).astype(COLUMNS)
    table["fold"] = table.index % 5
    more = ("--threads", 1, "-v", 1)
    print(f"{len(kept)} sequences, sensitivity {options.sensitivity:g}, mmseqs {mmseqs.version()}")
    for _ in range(options.rounds):
        ours = timed("group", lambda folder: group(kept, settings, folder))
        search = timed("easy-search", bare("easy-search", kept, options.sensitivity, "--max-seqs", 1000, *more))
        every = timed("audit of five folds", lambda folder: audit(table, settings, folder, 1, ["labels"]))
        limits = ("--min-seq-id", 0.3, "-c", 0.8)
        cascade = timed("easy-cluster", bare("easy-cluster", kept, options.sensitivity, *limits, *more))
        print(f"group / easy-search {ours / search:.2f}, group / easy-cluster {ours / cascade:.2f}")
        print(f"audit / easy-search {every / search:.2f}")


if __name__ == "__main__":
    main()
