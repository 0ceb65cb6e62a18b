"""Planning a million chains: how many jobs, how long, how much memory.

    python benchmarks/benchmark_plan.py [--entries 400000] [--labels 1000000] [--shard-size N]

The plan is a dry run of Snakemake, in a process of its own, for PDB entries given by id (400,000 hold about a million
protein chains) and, with --labels, for a table of labelled sequences; every stage takes part, coevolution too, as do
the embeddings of structures with --embedding. Nothing is fetched and no file exists but the table. The alternative is
a job per entry and stage, of which a sample is planned and scaled.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
JOBS, SECONDS, MEGABYTES = 5000, 60, 500
SAMPLE = 500
LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


def pdb_ids(count: int) -> list[str]:
    """So many different ids of four characters: 419,904 there are."""
    found = []
    for number in range(count):
        number, last = divmod(number, 36)
        number, third = divmod(number, 36)
        first, second = divmod(number, 36)
        found.append(f"{1 + first}{LETTERS[second]}{LETTERS[third]}{LETTERS[last]}")
    return found


def configuration(folder: Path, options: argparse.Namespace, entries: int, shard_size: int | None) -> Path:
    """Write a configuration that uses every stage; return its path."""
    features = ["attention", "coevolution", "separation", *(["embedding"] if options.embedding else [])]
    (folder / "sequences.fasta").write_text(">a\nMKV\n")
    values = {
        "run": "million",
        "structures": {"rcsb": {"ids": pdb_ids(entries)}},
        "sequences": {"files": ["sequences.fasta"]},
        "trunk": {"model": "esm2_t6_8M_UR50D"},
        "experiments": {"contacts": {"task": "contact", "head": "residual", "features": features}},
    }
    if shard_size:
        values["fetch"] = {"shard_size": shard_size}
    if options.labels:
        with (folder / "labels.csv").open("w") as handle:
            handle.write("id,sequence,label\n")
            handle.writelines(
                f"p{number},MKVLAAGIVGLLLAGCSSMKVLAAGIVG,{number % 2}\n" for number in range(options.labels)
            )
        values["solubility"] = {"table": "labels.csv"}
        values["experiments"]["solubility"] = {"task": "solubility"}
    path = folder / "config.json"
    path.write_text(json.dumps(values))
    return path


def plan(folder: Path, config: Path) -> tuple[int, float, float, float]:
    """Jobs, seconds, seconds of CPU and peak megabytes of a dry run."""
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--dry-run",
        "--quiet",
        "rules",
    ]
    command += ["--configfile", str(config)]
    start = time.perf_counter()
    with (folder / "plan.txt").open("w+") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        output.seek(0)
        text = output.read()
    jobs = re.search(r"^total +(\d+)$", text, re.M)
    if status or not jobs:
        raise SystemExit(text[-2000:])
    return int(jobs[1]), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Print the figures, with the bars beside them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=400_000, help="PDB entries")
    parser.add_argument("--labels", type=int, default=0, help="labelled sequences beside them")
    parser.add_argument("--shard-size", type=int, help="fetch.shard_size; its default otherwise")
    parser.add_argument("--embedding", action="store_true", help="plan embeddings of the structures, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jobs, seconds, cpu, megabytes = plan(
            folder, configuration(folder, options, options.entries, options.shard_size)
        )
        some, _, sample_seconds, _ = plan(folder, configuration(folder, options, SAMPLE, 1))
        few, _, empty_seconds, _ = plan(folder, configuration(folder, options, 1, 1))
    for what, value, bar in (("jobs", jobs, JOBS), ("seconds", seconds, SECONDS), ("MB, peak", megabytes, MEGABYTES)):
        print(f"{what:10} {value:8.0f}   (bar {bar}: {'met' if value <= bar else 'MISSED'})")
    print(f"{'CPU s':10} {cpu:8.0f}   (what a machine with nothing else to do takes)")
    each = (sample_seconds - empty_seconds) / (some - few)
    per_entry = (some - few) / (SAMPLE - 1)
    total = per_entry * options.entries
    print(f"a job per entry and stage would be {total:,.0f} jobs, and {total * each / 60:.0f} minutes of planning")


if __name__ == "__main__":
    main()
