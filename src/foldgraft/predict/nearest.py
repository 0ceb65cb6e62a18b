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
    """A training protein, and the fraction of identical residues in its best alignment with a new sequence."""

    id: str
    identity: float


def learnt_from(heads: Sequence[Trained], shards: Sequence[Path], split: Path) -> dict[str, str]:
    """Sequences by id of the labelled proteins that any member of the heads learnt from or chose its epoch by.

    Parameters
    ----------
    heads : sequence of Trained
    shards : sequence of Path
        fetch/labels/<shard>.parquet of their tables.
    split : Path
        cluster/split.parquet.
    """
    folds = read_frame(split, SPLIT, ["id", "set", "fold"])
    found: dict[str, str] = {}
    for head in heads:
        own = [path for path in shards if table_of(path) in {task.name for task in head.info.tasks}]
        table = read_frames(own, labels.SCHEMA, ["id", "sequence"]).drop_duplicates("id") if own else None
        if table is None:
            continue
        tested = {member.test_fold for member in head.info.members}
        placed = table.merge(folds[folds["set"] == table_of(own[0])], on="id")
        unseen = tested if len(tested) == 1 else set()  # of several each is learnt from by the others' members
        placed = placed[~placed["fold"].isin(unseen)]
        found |= dict(zip(placed["id"], placed["sequence"], strict=True))
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
        training sequences by id.
    folder : Path
        scratch folder.
    threads : int
    """
    queries = {sequence_sha256(record.sequence): record.sequence for record in records if not record.reason}
    same = {sequence: name for name, sequence in sorted(proteins.items(), reverse=True)}
    numbers = {str(number): name for number, name in enumerate(sorted(proteins))}  # ids of users may hold anything
    targets = {number: proteins[name] for number, name in numbers.items()}
    hits = mmseqs.search(queries, targets, folder, sensitivity=SENSITIVITY, evalue=EVALUE, threads=threads)
    best = hits.drop_duplicates("query")
    found = {queries[row.query]: Nearest(numbers[row.target], row.identity) for row in best.itertuples(index=False)}
    return found | {sequence: Nearest(same[sequence], 1.0) for sequence in queries.values() if sequence in same}
