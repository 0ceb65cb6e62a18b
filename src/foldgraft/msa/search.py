"""Alignments for the chains of a shard: those the user brings along, and for the others a search with MMseqs2."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from foldgraft import mmseqs
from foldgraft.errors import FoldgraftError
from foldgraft.msa.a3m import Row, build, encode, format_a3m
from foldgraft.msa.inputs import Precomputed, fit, tell_unused
from foldgraft.msa.settings import MsaSettings
from foldgraft.msa.weights import weights
from foldgraft.progress import progress
from foldgraft.records.fasta import open_text

SOURCE = "search"


def align(
    sequences: Mapping[str, str],
    alignments: list[Precomputed],
    database: Path,
    settings: MsaSettings,
    folder: Path,
    memory: int,
    threads: int,
) -> Iterator[dict[str, Any]]:
    """Align every sequence (sha256 to sequence) with its homologs.

    Parameters
    ----------
    database
        mmseqs database that is searched.
    folder
        scratch folder.
    memory
        MB that mmseqs may take.

    Yields
    ------
    `sequence_sha256, length, a3m, depth, neff, source`, sorted by sha256.
    """
    given = {name: fitted for name, text in sorted(sequences.items()) if (fitted := fit(text, alignments))}
    tell_unused(alignments, {item.path for item, _ in given.values()})
    wanted = {name: text for name, text in sequences.items() if name not in given}
    found = Found(wanted, database, settings, folder, memory, threads)
    for name in progress(sorted(sequences), "alignments"):
        sequence, source = sequences[name], SOURCE
        start, query, rows = 0, sequence, found.rows(name)
        if name in given:
            item, start = given[name]
            query, rows, source = item.query, item.rows(), item.name
        alignment = build(sequence, start, query, rows, settings.min_coverage, settings.max_sequences)
        yield {
            "sequence_sha256": name,
            "length": len(sequence),
            "a3m": format_a3m(alignment),
            "depth": len(alignment),
            "neff": float(weights(encode(alignment), settings.coevolution.identity).sum()),
            "source": source,
        }


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
            lines = handle.read(size).decode("ascii").rstrip("\0\n").splitlines()
        for header, text in zip(lines[::2], lines[1::2], strict=True):
            yield Row(header[1:], text)


def make_database(sequences: Path | None, database: Path) -> None:
    """Make the database that is searched; an empty file stands for no sequences, which mmseqs would not take."""
    database.parent.mkdir(parents=True, exist_ok=True)
    if sequences is None or _holds_nothing(sequences):
        print("no sequences to search; only precomputed alignments will be used", file=sys.stderr)
        database.write_bytes(b"")
    else:
        mmseqs.run("createdb", sequences, database, "--dbtype", 1, "--shuffle", 0)


def _holds_nothing(path: Path) -> bool:
    with open_text(path) as handle:
        return not handle.read(1)


def is_empty(database: Path) -> bool:
    """Whether the database holds no sequences.

    Raises
    ------
    FoldgraftError
        if there is none.
    """
    if not database.exists():
        raise FoldgraftError(f"{database}: no mmseqs database; make it with `foldgraft msa database`")
    return database.stat().st_size == 0
