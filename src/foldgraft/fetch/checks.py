"""Everything about the inputs that must stop a run before any job does."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

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
from foldgraft.fetch.label_table import read_classes, read_files
from foldgraft.fetch.settings import SequencesSettings, StructuresSettings
from foldgraft.fetch.tables import Sequence, merged, read_sequences
from foldgraft.records.files import checked_id


def check(
    structures: StructuresSettings | None,
    sequences: SequencesSettings | None,
    labels: Mapping[str, LabelsSettings],
    data: Path,
) -> None:
    """Read the local inputs through and check the names of the others.

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
    parts += [partial(check_labels, name, table, data) for name, table in labels.items()]
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
        checked_id(item.id, f"structures: {item.place}")
        earlier = seen.setdefault(item.id.lower(), item)
        if earlier is not item:
            raise FoldgraftError(f"structures: {earlier.place} and {item.place} are both entry {item.id}; name it once")


def check_sequences(sequences: SequencesSettings, data: Path) -> None:
    """The FASTA files can be read whole, and an id stands for one sequence."""
    _unique(accessions(sequences.uniprot.accessions, "sequences.uniprot.accessions"), "sequences.uniprot.accessions")
    reading = Path()

    def records() -> Iterator[Sequence]:
        nonlocal reading
        for reading in sequence_paths(sequences, data):
            yield from read_sequences([reading])

    for _ in merged(records(), lambda: reading):
        pass


def check_labels(name: str, table: LabelsSettings, data: Path) -> None:
    """The table has its columns, and each row an id, a sequence and a label."""
    found = read_files(name, table, data)
    try:
        read_classes(table, found.proteins)
    except FoldgraftError as error:
        raise FoldgraftError(f"labels.{name}: {error}") from None
    if table.level != "protein" or table.kind not in ("binary", "classes"):
        return
    values = {label for protein in found.proteins.values() for label in protein.labels}
    if len(values) == 1:
        key = name if name == "solubility" else f"labels.{name}"
        raise FoldgraftError(
            f"{key}.table: every label of {data / table.table} is {_shown(values.pop())}, so there is nothing to tell "
            "apart; add proteins with another label, or name the column that holds the labels (columns.label)"
        )


def _shown(label: object) -> str:
    return f"{label:g}" if isinstance(label, float) else str(label)


def _unique(names: Iterable[str], key: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise FoldgraftError(f"{key}: {name} comes twice; name it once")
        seen.add(name)
