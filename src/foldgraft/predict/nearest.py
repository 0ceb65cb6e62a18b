"""The protein that heads learnt from which a new sequence is most like."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from foldgraft import mmseqs
from foldgraft.predict.sequences import Candidate, chunks
from foldgraft.records.files import sequence_sha256

SENSITIVITY, EVALUE = 5.7, 1e-3
"""Of the search: mmseqs' default sensitivity."""

SEARCHED = 20_000
"""Sequences that are searched for together."""


class Nearest(NamedTuple):
    """A training protein and its best alignment with a new sequence.

    Attributes
    ----------
    id
        with the table before it, and a colon, where the heads are of several.
    identity
        fraction of identical residues, of those aligned.
    coverage
        fraction of the new sequence from the first to the last residue aligned.
    """

    id: str
    identity: float
    coverage: float


def nearest(
    records: Iterable[Candidate], proteins: Mapping[str, str], folder: Path, threads: int = 1
) -> Iterator[Nearest | None]:
    """Yield the nearest training protein of each record, in their order; None where there is none, or a rejected one.

    Memory does not grow with the number of records.

    Parameters
    ----------
    records : iterable of Candidate
    proteins : mapping of str to str
        names of training proteins by sequence, see `foldgraft.predict.training`.
    folder : Path
        scratch folder.
    threads : int
    """
    targets = {str(number): sequence for number, sequence in enumerate(sorted(proteins))}  # ids may hold anything
    for chunk in chunks(records, SEARCHED):
        queries = {sequence_sha256(record.sequence): record.sequence for record in chunk if not record.reason}
        with TemporaryDirectory(dir=folder) as own:
            limits = {"sensitivity": SENSITIVITY, "evalue": EVALUE, "threads": threads}
            best = mmseqs.search(queries, targets, Path(own), **limits).drop_duplicates("query")
        found = {
            queries[row.query]: Nearest(proteins[targets[row.target]], row.identity, row.coverage_query)
            for row in best.itertuples(index=False)
        }
        found |= {one: Nearest(proteins[one], 1.0, 1.0) for one in queries.values() if one in proteins}
        yield from (None if record.reason else found.get(record.sequence) for record in chunk)
