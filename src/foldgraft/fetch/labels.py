"""A labelled table as `foldgraft.records.labels`: replicates averaged, cut into shards."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foldgraft.fetch.inputs import shown_path
from foldgraft.fetch.label_settings import LabelsSettings
from foldgraft.fetch.label_table import Labelled, TableReader, read_classes, read_files
from foldgraft.fetch.label_values import Label
from foldgraft.fetch.origin import Origin
from foldgraft.fetch.replay import stored_files
from foldgraft.fetch.structures import shard_number
from foldgraft.fetch.tables import subsample
from foldgraft.records import labels as label_records
from foldgraft.records.files import sequence_sha256
from foldgraft.records.rejects import write_rejects
from foldgraft.records.tables import row_writer


def rows_of(settings: LabelsSettings, labelled: Labelled) -> Iterator[dict[str, object]]:
    """Rows of `records.labels.SCHEMA`, replicates averaged."""
    classes = {name: number for number, name in enumerate(read_classes(settings, labelled.proteins))}
    for protein in labelled.proteins.values():
        label, spread = _average(protein.labels, classes)
        yield {
            "id": protein.id,
            "sequence": protein.sequence,
            "sequence_sha256": sequence_sha256(protein.sequence),
            "label": label if settings.level == "protein" else None,
            "residues": label if settings.level == "residue" else None,
            "fold": protein.fold,
            "split": protein.split,
            "group": protein.group or None,
            "covariates": list(protein.covariates),
            "replicates": len(protein.labels),
            "spread": spread,
        }


def _average(labels: tuple[Label, ...], classes: dict[str, int]) -> tuple[float | np.ndarray, float | None]:
    """The mean of replicates, the commonest of classes (the first of those equally common), and their deviation."""
    if classes:
        numbers = np.array([[classes.get(one, np.nan) for one in _listed(label)] for label in labels])
        common = np.array([_commonest(column) for column in numbers.T], dtype=np.float32)
        return (common if isinstance(labels[0], list) else float(common[0])), None
    values = np.array([_listed(label) for label in labels], dtype=np.float64)
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        mean = np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
    spread = float(values.std()) if len(labels) > 1 and known.all() else None
    return (mean.astype(np.float32) if isinstance(labels[0], list) else float(mean[0])), spread


def _listed(label: Label) -> list:
    return label if isinstance(label, list) else [label]


def _commonest(numbers: np.ndarray) -> float:
    counts = Counter(number for number in numbers.tolist() if number == number)
    return counts.most_common(1)[0][0] if counts else np.nan


@dataclass(frozen=True)
class Table:
    """A labelled table and where its files lie."""

    name: str
    settings: LabelsSettings
    origin: Origin

    def read(self) -> Labelled:
        """The table, from its own files or from those that a replayed lock names in the store."""
        data = self.origin.data
        if not self.origin.earlier:
            return read_files(self.name, self.settings, data)
        stored = stored_files(self.origin.earlier, self.name)
        return TableReader(self.name, self.settings, lambda file: stored[shown_path(data / file, data)]).read()


def fetch_labels(shard: str, table: Table, out: Path, rejects: Path) -> None:
    """Write the proteins of a shard, in the table's order; the first shard's rejects are those of the whole table."""
    number, size = shard_number(shard), table.origin.settings.label_shard_size
    labelled = table.read()
    rows = list(subsample(labelled.proteins.items(), table.settings.limit, table.settings.seed))
    kept = Labelled(dict(rows))
    description = label_records.Description(
        task=table.name,
        level=table.settings.level,
        kind=table.settings.kind,
        unit=table.settings.unit,
        classes=tuple(read_classes(table.settings, labelled.proteins)),
        covariates=tuple(table.settings.columns.covariates),
    )
    wanted = Labelled(dict(list(kept.proteins.items())[number * size : (number + 1) * size]))
    settings = table.settings.model_copy(update={"classes": list(description.classes) or None})
    with row_writer(out, label_records.described(description), group=4096) as writer:
        for row in rows_of(settings, wanted):
            writer.write(row)
    write_rejects(rejects, labelled.rejects if number == 0 else [])
    if labelled.rejects:
        print(
            f"{table.name}: {len(labelled.rejects)} rows without a usable label or sequence; see {rejects}",
            file=sys.stderr,
        )
