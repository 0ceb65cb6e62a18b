"""Alignments for the chains of a shard: those the user brings along, and for the others a search with MMseqs2."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from foldgraft import mmseqs
from foldgraft.errors import FoldgraftError
from foldgraft.evolution.a3m import GAP, encode, format_a3m
from foldgraft.evolution.filters import REASONS, build
from foldgraft.evolution.formats import Row
from foldgraft.evolution.weights import weights
from foldgraft.msa.given import Services
from foldgraft.msa.settings import MsaSettings
from foldgraft.progress import progress
from foldgraft.records.fasta import open_text
from foldgraft.records.files import REMAKE, intact, seal, seal_of

SOURCE = "search"

ENDS = ("", ".dbtype", ".index", ".lookup", ".source", "_h", "_h.dbtype", "_h.index")
"""Of the names of the files of an mmseqs database."""


def align(
    sequences: Mapping[str, str],
    given: Services | None,
    database: Path,
    settings: MsaSettings,
    folder: Path,
    memory: int,
    threads: int,
) -> Iterator[dict[str, Any]]:
    """Align every sequence (sha256 to sequence) with its homologs.

    Parameters
    ----------
    given
        the alignments that the user brought along; None if there are none.
    database
        mmseqs database that is searched.
    folder
        scratch folder.
    memory
        MB that mmseqs may take.

    Yields
    ------
    The columns of `records.alignments.ALIGNMENTS` but for the id, sorted by sha256.
    """
    wanted = {name: text for name, text in sequences.items() if given is None or name not in given}
    found = Found(wanted, database, settings, folder, memory, threads)
    for name in progress(sorted(sequences), "alignments"):
        sequence = sequences[name]
        if given is not None and name in given:
            serving = given.read(name, sequence)
            rows, covered, unusable, source = serving.rows, serving.covered, serving.unusable, serving.source
        else:
            rows, covered, unusable, source = found.rows(name), np.ones(len(sequence), bool), 0, SOURCE
        alignment, counts = build(sequence, rows, covered, settings)
        codes = encode(alignment)
        yield {
            "sequence_sha256": name,
            "length": len(sequence),
            "a3m": format_a3m(alignment),
            "depth": len(alignment),
            "neff": float(weights(codes, settings.coevolution.identity).sum()),
            "source": source,
            "found": counts["found"],
            "unusable": unusable,
            **{reason: counts[reason] for reason in REASONS},
            "gaps": gaps(codes),
        }


def gaps(codes: np.ndarray) -> np.ndarray:
    """Fraction of the homologs without an amino acid at each residue; (L,) float32, 1 without homologs."""
    homologs = codes[1:]
    return (homologs == GAP).mean(axis=0, dtype=np.float32) if len(homologs) else np.ones(codes.shape[1], np.float32)


class Found:
    """The alignments that a search found, read from mmseqs's own files one at a time."""

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
        source, found = mmseqs.database(queries, folder / "queries"), folder / "found"
        rounds = ("--num-iterations", settings.iterations, "-s", settings.sensitivity, "-e", settings.evalue)
        limits = ("--max-seqs", settings.max_sequences, "--split-memory-limit", f"{memory}M", "--threads", threads)
        mmseqs.run("search", source, database, found, folder / "search", *rounds, *limits, "-a")
        mmseqs.run("result2msa", source, database, found, self._data, "--msa-format-mode", 5, "--threads", threads)
        keys = dict(line.split("\t")[:2] for line in source.with_name("queries.lookup").read_text().splitlines())
        for line in self._data.with_name("alignments.index").read_text().splitlines():
            key, offset, size = line.split("\t")
            self._entries[keys[key]] = int(offset), int(size)

    def rows(self, name: str) -> Iterator[Row]:
        """The A3M rows found for a sequence, the best first; none if nothing was found."""
        if name not in self._entries:
            return
        offset, size = self._entries[name]
        with self._data.open("rb") as handle:
            handle.seek(offset)
            lines = handle.read(size).decode("utf-8", errors="replace").rstrip("\0\n").split("\n")
        for header, text in zip(lines[::2], lines[1::2], strict=True):
            yield Row(header[1:], text)


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
