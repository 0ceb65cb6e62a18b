"""The FASTA files of `curate.sequences`: found, read and checked, before any job as well."""

from collections.abc import Iterable
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.records.fasta import read_fasta
from foldgraft.records.files import matches
from foldgraft.residues import NUCLEIC, is_nucleic


def supplied_paths(patterns: list[str], data: Path) -> list[Path]:
    """The files that the patterns of `curate.sequences` match, sorted; `FoldgraftError` where one matches none."""
    return [data / path for path in matches(patterns, data, "curate.sequences")]


def read_supplied(paths: Iterable[Path], entries: Iterable[str] | None = None) -> dict[str, str]:
    """The sequences by id; with `entries`, only those of these entries and their chains.

    Raises
    ------
    FoldgraftError
        for a file that is not FASTA, an id that stands twice, or a sequence with gaps.
    """
    wanted = None if entries is None else set(entries)
    sequences: dict[str, str] = {}
    for path in paths:
        for record in read_fasta(path):
            if wanted is not None and not {record.id, record.id.rpartition("_")[0]} & wanted:
                continue
            if record.id in sequences:
                raise FoldgraftError(f"curate.sequences: {path} has a second sequence called {record.id}; keep one")
            sequences[record.id] = record.sequence.upper().rstrip("*")
            if not sequences[record.id].isalpha():
                raise FoldgraftError(f"curate.sequences: {path} ({record.id}): letters alone, without gaps and stops")
    return sequences


def check_supplied(patterns: list[str], data: Path) -> None:
    """Check before any job runs that the files of `curate.sequences` exist and can be read, each id once, and that not
    all hold DNA or RNA alone; among proteins such a record may be of a nucleic chain."""
    paths = supplied_paths(patterns, data)
    sequences = read_supplied(paths)
    if sequences and all(map(is_nucleic, sequences.values())):
        more = f" and {len(sequences) - 1} more" if len(sequences) > 1 else ""
        raise FoldgraftError(f"curate.sequences: {paths[0]} ({next(iter(sequences))}){more}: {NUCLEIC}")
