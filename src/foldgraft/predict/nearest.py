"""The protein that heads learnt from which a new sequence is most like."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from foldgraft import mmseqs
from foldgraft.predict.sequences import Candidate
from foldgraft.records import labels
from foldgraft.records.files import sequence_sha256
from foldgraft.records.labels import table_of
from foldgraft.records.split import SPLIT
from foldgraft.records.tables import read_frame, read_frames
from foldgraft.tasks.trained import Trained

SENSITIVITY, EVALUE = 5.7, 1e-3
"""Of the search: mmseqs' default sensitivity."""


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


def learnt_from(heads: Sequence[Trained], shards: Sequence[Path], split: Path) -> dict[str, str]:
    """Labelled proteins that any member of the heads learnt from or chose its epoch by: their names by sequence.

    Parameters
    ----------
    heads : sequence of Trained
    shards : sequence of Path
        fetch/labels/<shard>.parquet of their tables.
    split : Path
        cluster/split.parquet.
    """
    folds = read_frame(split, SPLIT, ["id", "set", "fold"])
    several = len({table_of(path) for path in shards}) > 1
    found: dict[str, str] = {}
    for head in heads:
        own = [path for path in shards if table_of(path) in {task.name for task in head.info.tasks}]
        table = read_frames(own, labels.SCHEMA, ["id", "sequence"]).drop_duplicates("id") if own else None
        if table is None:
            continue
        name = table_of(own[0])
        tested = {member.test_fold for member in head.info.members}
        placed = table.merge(folds[folds["set"] == name], on="id").sort_values("id", ascending=False)
        unseen = tested if len(tested) == 1 else set()  # of several each is learnt from by the others' members
        placed = placed[~placed["fold"].isin(unseen)]
        found |= {row.sequence: f"{name}:{row.id}" if several else row.id for row in placed.itertuples()}
    return found


def nearest(
    records: Iterable[Candidate], proteins: Mapping[str, str], folder: Path, threads: int = 1
) -> dict[str, Nearest]:
    """The nearest training protein of each sequence that has one, by sequence; one search for all.

    Parameters
    ----------
    records : iterable of Candidate
        rejected ones are passed over.
    proteins : mapping of str to str
        training proteins, as `learnt_from` gives them.
    folder : Path
        scratch folder.
    threads : int
    """
    queries = {sequence_sha256(record.sequence): record.sequence for record in records if not record.reason}
    targets = {str(number): sequence for number, sequence in enumerate(sorted(proteins))}  # ids may hold anything
    hits = mmseqs.search(queries, targets, folder, sensitivity=SENSITIVITY, evalue=EVALUE, threads=threads)
    best = hits.drop_duplicates("query")
    found = {
        queries[row.query]: Nearest(proteins[targets[row.target]], row.identity, row.coverage_query)
        for row in best.itertuples(index=False)
    }
    return found | {one: Nearest(proteins[one], 1.0, 1.0) for one in queries.values() if one in proteins}
