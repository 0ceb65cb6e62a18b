"""Alignments for the sequences of a shard: those the user brings along, and for the others a search."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from foldgraft import mmseqs
from foldgraft.errors import FoldgraftError
from foldgraft.evolution.a3m import GAP, encode, format_a3m
from foldgraft.evolution.filters import REASONS, build
from foldgraft.evolution.formats import Row
from foldgraft.evolution.weights import weights
from foldgraft.msa.given import Serving
from foldgraft.msa.settings import MsaSettings
from foldgraft.progress import progress
from foldgraft.records.fasta import open_text
from foldgraft.records.files import REMAKE, intact, seal, seal_of

ENDS = ("", ".dbtype", ".index", ".lookup", ".source", "_h", "_h.dbtype", "_h.index")
"""Of the names of the files of an mmseqs database."""


class Source(Protocol):
    """Has the homologs of some sequences, which it knows by their sha256."""

    def __contains__(self, sequence_sha256: str) -> bool: ...

    def read(self, sequence_sha256: str, sequence: str) -> Serving:
        """The homologs of a sequence."""


def align(sequences: Mapping[str, str], sources: Sequence[Source], settings: MsaSettings) -> Iterator[dict[str, Any]]:
    """Align every sequence (sha256 to sequence) with its homologs, of the first source that has them.

    Yields
    ------
    The columns of `records.alignments.ALIGNMENTS` but for the id, sorted by sha256.
    """
    for name in progress(sorted(sequences), "alignments"):
        sequence = sequences[name]
        serving = next(source for source in sources if name in source).read(name, sequence)
        alignment, counts = build(sequence, serving.rows, serving.covered, settings)
        codes = encode(alignment)
        yield {
            "sequence_sha256": name,
            "length": len(sequence),
            "a3m": format_a3m(alignment),
            "depth": len(alignment),
            "neff": float(weights(codes, settings.coevolution.identity).sum()),
            "source": serving.source,
            "found": counts["found"],
            "unusable": serving.unusable,
            **{reason: counts[reason] for reason in REASONS},
            "gaps": gaps(codes),
        }


def gaps(codes: np.ndarray) -> np.ndarray:
    """Fraction of the homologs without an amino acid at each residue; (L,) float32, 1 without homologs."""
    homologs = codes[1:]
    return (homologs == GAP).mean(axis=0, dtype=np.float32) if len(homologs) else np.ones(codes.shape[1], np.float32)


class Found:
    """The alignments that a search found, read from mmseqs's own files one at a time.

    Parameters
    ----------
    sequences : mapping of str to str
        those to search for, by sha256.
    database : Path
        mmseqs database that is searched.
    folder : Path
        scratch folder.
    memory : int
        MB that mmseqs may take.
    """

    def __init__(
        self,
        sequences: Mapping[str, str],
        database: Path,
        settings: MsaSettings,
        folder: Path,
        memory: int,
        threads: int,
    ):
        self._entries: dict[str, tuple[int, int]] = {}
        self._data = folder / "alignments"
        queries = mmseqs.searchable(sequences)
        if is_empty(database) or not queries:
            return
        check_database(database)
        source, result = mmseqs.database(queries, folder / "queries"), folder / "found"
        rounds = ("--num-iterations", settings.iterations, "-s", settings.sensitivity, "-e", settings.evalue)
        limits = ("--max-seqs", settings.max_sequences, "--split-memory-limit", f"{memory}M", "--threads", threads)
        mmseqs.run("search", source, database, result, folder / "search", *rounds, *limits, "-a")
        targets = database
        if of_clusters(database):
            result, targets = _members(source, database, result, settings.evalue, threads), _beside(database, "_seq")
        mmseqs.run("result2msa", source, targets, result, self._data, "--msa-format-mode", 5, "--threads", threads)
        keys = dict(line.split("\t")[:2] for line in source.with_name("queries.lookup").read_text().splitlines())
        for line in self._data.with_name("alignments.index").read_text().splitlines():
            key, offset, size = line.split("\t")
            self._entries[keys[key]] = int(offset), int(size)

    def __contains__(self, sequence_sha256: str) -> bool:
        return True

    def read(self, sequence_sha256: str, sequence: str) -> Serving:
        """What was found, the best first; no row if nothing was."""
        return Serving("search", self._rows(sequence_sha256), np.ones(len(sequence), bool), 0)

    def _rows(self, name: str) -> Iterator[Row]:
        if name not in self._entries:
            return
        offset, size = self._entries[name]
        with self._data.open("rb") as handle:
            handle.seek(offset)
            lines = handle.read(size).decode("utf-8", errors="replace").rstrip("\0\n").split("\n")
        for header, text in zip(lines[::2], lines[1::2], strict=True):
            yield Row(header[1:], text)


def of_clusters(database: Path) -> bool:
    """Whether a database is one of clusters, as ColabFold's are: what is searched stands for the members beside it."""
    return all(_beside(database, f"{end}.dbtype").is_file() for end in ("_seq", "_aln"))


def _beside(database: Path, end: str) -> Path:
    return database.with_name(database.name + end)


def _members(source: Path, database: Path, result: Path, evalue: float, threads: int) -> Path:
    """The members of the clusters found, aligned with the queries.

    They are taken whatever their E-value by way of the representative, and judged by their own alignment, as ColabFold
    does (Mirdita et al. 2022, doi 10.1038/s41592-022-01488-1).
    """
    members, clusters = _beside(database, "_seq"), _beside(database, "_aln")
    expanded, aligned = result.with_name("expanded"), result.with_name("aligned")
    diverse = ("--expansion-mode", 0, "-e", "inf", "--expand-filter-clusters", 1, "--max-seq-id", 0.95)
    mmseqs.run("expandaln", source, members, result, clusters, expanded, *diverse, "--threads", threads)
    kept = ("-e", evalue, "--max-accept", 1_000_000, "-a")
    mmseqs.run("align", source, members, expanded, aligned, *kept, "--threads", threads)
    return aligned


def make_database(sequences: Path | None, database: Path) -> None:
    """Make the database that is searched; an empty file stands for no sequences, which mmseqs would not take."""
    database.parent.mkdir(parents=True, exist_ok=True)
    for path in _files(database):  # of an earlier one
        path.unlink()
        seal_of(path).unlink(missing_ok=True)
    if sequences is None or _holds_nothing(sequences):
        print("no sequences to search; only precomputed alignments will be used", file=sys.stderr)
        database.write_bytes(b"")
    else:
        intact(sequences)  # mmseqs takes a truncated file for a shorter one
        mmseqs.run("createdb", sequences, database, "--dbtype", 1, "--shuffle", 0)
    for path in _files(database):
        seal(path)


def _files(database: Path) -> list[Path]:
    """Those of an mmseqs database of sequences that are there."""
    paths = [database.with_name(f"{database.name}{end}") for end in ENDS]
    return [path for path in paths if path.is_file()]


def check_database(database: Path) -> None:
    """Stop if a file of a database that `make_database` made is not what it was; of others nothing is known.

    Raises
    ------
    FoldgraftError
        naming the file.
    """
    for end in ENDS:
        path = database.with_name(f"{database.name}{end}")
        try:
            intact(path)
        except FoldgraftError:
            raise FoldgraftError(f"{database}: its file {path.name} was damaged or is missing; {REMAKE}") from None


def _holds_nothing(path: Path) -> bool:
    with open_text(path) as handle:
        return not handle.read(1)


def is_empty(database: Path) -> bool:
    """Whether the database is the empty file that stands for no sequences.

    Raises
    ------
    FoldgraftError
        if there is none.
    """
    if database.with_name(f"{database.name}.dbtype").exists():
        return False
    if not database.exists():
        raise FoldgraftError(f"{database}: no mmseqs database; make it with `foldgraft msa database`")
    return True
