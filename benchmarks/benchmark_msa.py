"""Proteins aligned a minute, against the number of queries and the size of the database.

    python benchmarks/benchmark_msa.py --data DATA [--queries 50 200] [--database 5000 50000] [--threads 1]

DATA holds `sequences/*.fasta.gz`. Queries are real sequences of 50 to 600 residues, every so-many-th. The alternative
is the bare search of the same settings by MMseqs2, without alignments, filters, weights and files of ours. Times are
wall-clock; the database is made once and its time stated.
"""

import argparse
import tempfile
import time
from contextlib import redirect_stderr
from io import StringIO
from itertools import islice
from pathlib import Path

from foldgraft import mmseqs
from foldgraft.errors import FoldgraftError
from foldgraft.msa.search import Found, align, make_database
from foldgraft.msa.settings import MsaSettings
from foldgraft.records.fasta import read_fasta, write_fasta
from foldgraft.records.files import sequence_sha256


def sequences(folder: Path) -> dict[str, str]:
    """All readable sequences of the folder, once each, by sha256."""
    found = {}
    for path in sorted(folder.glob("*.fasta.gz")):
        try:
            for record in read_fasta(path):
                text = record.sequence.upper().rstrip("*")
                if text.isalpha():
                    found[sequence_sha256(text)] = text
        except FoldgraftError as error:
            print(f"left out from there on: {error}")
    return found


def bare(queries: dict[str, str], database: Path, folder: Path, settings: MsaSettings, threads: int) -> float:
    """Seconds of MMseqs2's search alone."""
    source = mmseqs.database(queries, folder / "bare")
    start = time.monotonic()
    rounds = ("--num-iterations", settings.iterations, "-s", settings.sensitivity, "-e", settings.evalue)
    limits = ("--max-seqs", settings.max_sequences, "--threads", threads)
    mmseqs.run("search", source, database, folder / "bare-found", folder / "bare-search", *rounds, *limits, "-a")
    return time.monotonic() - start


def measure(known: dict[str, str], count: int, size: int, threads: int) -> str:
    settings = MsaSettings()
    suitable = [name for name, text in known.items() if 50 <= len(text) <= 600]
    queries = {name: known[name] for name in suitable[:: max(1, len(suitable) // count)][:count]}
    with tempfile.TemporaryDirectory() as name, redirect_stderr(StringIO()):
        folder = Path(name)
        write_fasta(folder / "all.fasta", islice(known.items(), size))
        start = time.monotonic()
        make_database(folder / "all.fasta", folder / "db" / "all")
        made = time.monotonic() - start
        (folder / "scratch").mkdir()
        start = time.monotonic()
        found = Found(queries, folder / "db" / "all", settings, folder / "scratch", 4000, threads)
        rows = list(align(queries, [found], settings))
        spent = time.monotonic() - start
        alone = bare(queries, folder / "db" / "all", folder, settings, threads)
    depth = sorted(row["depth"] for row in rows)[len(rows) // 2]
    return (
        f"{len(rows):5} queries, {size:6} sequences: {60 * len(rows) / spent:6.0f} proteins a minute, "
        f"{spent / alone:.2f} times the bare search; database {made:.1f} s; median depth {depth}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--queries", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--database", type=int, nargs="+", default=[5000, 50_000])
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    known = sequences(options.data / "sequences")
    for size in options.database:
        for count in options.queries:
            print(measure(known, count, size, options.threads), flush=True)


if __name__ == "__main__":
    main()
