"""Everything about the inputs that must stop a run before any job does."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.inputs import (
    Item,
    accessions,
    alphafold_items,
    file_items,
    rcsb_items,
    sequence_paths,
    sifts_path,
)
from foldgraft.fetch.label_settings import LabelsSettings
from foldgraft.fetch.label_table import Labelled, read_classes, read_files
from foldgraft.fetch.settings import SequencesSettings, StructuresSettings
from foldgraft.fetch.tables import SHOWN, Sequence, Unlike, clean_sequence, merged
from foldgraft.records.fasta import checked_record, raw_records
from foldgraft.records.files import checked_id


class Dealt(NamedTuple):
    """How a labelled table will be split: to how many folds, or to those that it brings along where `published`.

    No head learns from one that is not `learnt`, so that it may be of one class.
    """

    folds: int = 0
    published: bool = True
    learnt: bool = True


def check(
    structures: StructuresSettings | None,
    sequences: SequencesSettings | None,
    labels: Mapping[str, LabelsSettings],
    data: Path,
    dealt: Mapping[str, Dealt] | None = None,
) -> None:
    """Read the local inputs through and check the names of the others; `dealt` says how each table will be split.

    Raises
    ------
    FoldgraftError
        with one line for each problem: the first of each kind of input.
    """
    problems = []
    parts: list[Callable[[], None]] = []
    if structures is not None:
        parts.append(lambda: check_structures(structures, data))
    if sequences is not None:
        parts.append(lambda: check_sequences(sequences, data))
    parts += [
        partial(check_labels, name, table, data, (dealt or {}).get(name, Dealt())) for name, table in labels.items()
    ]
    for part in parts:
        try:
            part()
        except FoldgraftError as error:
            problems.append(str(error))
    if problems:
        raise FoldgraftError("\n".join(problems))


def check_structures(structures: StructuresSettings, data: Path) -> None:
    """Ids are legal and none comes twice, within a source or in two; a local table of SIFTS is there."""
    sifts_path(structures.sifts, data)
    readers: tuple[Callable[[], list[Item]], ...] = (
        lambda: file_items(structures, data),
        lambda: rcsb_items(structures),
        lambda: alphafold_items(structures),
    )
    seen: dict[str, Item] = {}
    for item in (item for reader in readers for item in reader()):
        checked_id(item.id, f"structures: {item.location}")
        earlier = seen.setdefault(item.id.lower(), item)
        if earlier is not item:
            raise FoldgraftError(
                f"structures: {earlier.location} and {item.location} are both entry {item.id}; name it once"
            )


def check_sequences(sequences: SequencesSettings, data: Path) -> None:
    """The FASTA files can be read whole, and an id stands for one sequence."""
    _unique(accessions(sequences.uniprot.accessions, "sequences.uniprot.accessions"), "sequences.uniprot.accessions")
    reading, problems = Path(), []

    def records() -> Iterator[Sequence]:
        nonlocal reading
        for reading in sequence_paths(sequences, data):
            unlike = Unlike()
            for raw in raw_records(reading):
                try:
                    record = checked_record(reading, *raw)
                    where = f"{reading} ({record.id})"
                    sequence = clean_sequence(record.sequence, where)
                except FoldgraftError as error:
                    problems.append(str(error))
                    continue
                if not unlike.reason(sequence, where):
                    yield record.id, sequence
            try:
                unlike.check("records")
            except FoldgraftError as error:
                problems.append(str(error))

    for _ in merged(records(), lambda: reading):
        pass
    if problems:
        more = f"\n... and {len(problems) - SHOWN} more records" if len(problems) > SHOWN else ""
        raise FoldgraftError("\n".join(problems[:SHOWN]) + more)


def check_labels(name: str, table: LabelsSettings, data: Path, dealt: Dealt = Dealt()) -> None:
    """The table has its columns, each row an id, a sequence and a label, and all are enough for what it is for."""
    labelled = read_files(name, table, data)
    key = name if name == "solubility" else f"labels.{name}"
    if all(set(protein.sequence) == {"X"} for protein in labelled.proteins.values()):
        raise FoldgraftError(
            f"{key}.table: every sequence of {(data / table.table).absolute()} is of X alone, so nothing is known of "
            "any protein; name the column that holds the sequences (columns.sequence)"
        )
    _check_enough(key, labelled, dealt)
    try:
        read_classes(table, labelled.proteins)
    except FoldgraftError as error:
        raise FoldgraftError(f"{key}: {error}") from None
    labels = [label for protein in labelled.proteins.values() for label in protein.labels]
    values = {one for label in labels for one in (label if isinstance(label, list) else [label]) if one == one}
    if dealt.learnt and len(values - {None}) == 1:
        values.discard(None)
        raise FoldgraftError(
            f"{key}.table: every label of {(data / table.table).absolute()} is {_shown(values.pop())}, so there is "
            "nothing to tell apart; add proteins with another label, or name the column that holds the labels "
            "(columns.label)"
        )


def _check_enough(key: str, table: Labelled, dealt: Dealt) -> None:
    """Stop if a table cannot be split: for want of sequences, or of folds or roles that it brings along."""
    proteins = table.proteins.values()
    brought = {one.fold for one in proteins if one.fold is not None} if dealt.published else set()
    roles = {one.split for one in proteins if one.split} if dealt.published else set()
    different = len({one.sequence for one in proteins})
    if brought and len(brought) < 3:
        raise FoldgraftError(
            f"{key}.columns.fold: the published folds are {len(brought)} only, but testing, validating and training "
            "take 3; leave the column out, or set cluster.use_published_folds to false"
        )
    if roles and not {"train", "test"} <= roles:
        raise FoldgraftError(
            f"{key}.columns.split: no protein is for {' or '.join(sorted({'train', 'test'} - roles))}; leave the "
            "column out, or set cluster.use_published_folds to false"
        )
    if not (brought or roles) and different < dealt.folds:
        raise FoldgraftError(
            f"{key}.table: {different} different sequences cannot be dealt to {dealt.folds} folds; add labelled "
            "proteins, or lower cluster.folds (3 at least: testing, validating, training)"
        )


def _shown(label: object) -> str:
    return f"{label:g}" if isinstance(label, float) else str(label)


def _unique(names: Iterable[str], key: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise FoldgraftError(f"{key}: {name} comes twice; name it once")
        seen.add(name)
