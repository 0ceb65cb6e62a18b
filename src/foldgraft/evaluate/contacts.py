"""Contacts: precision per protein, means with intervals over proteins, paired comparison with baselines."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.bootstrap import Metrics, evaluate
from foldgraft.evaluate.results import Results, is_baseline
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.metrics.contacts import METRICS, contact_precision
from foldgraft.metrics.sums import mean_rows, means
from foldgraft.progress import progress
from foldgraft.records.predictions import PAIR
from foldgraft.records.tables import read_arrays, read_frame
from foldgraft.records.targets import SCHEMA as TARGETS

TASK = "contact"
COLUMNS = ["experiment", "split", "fold", "id", "length", *METRICS]


class Truth:
    """Contacts and masks of the proteins asked for, kept as bits: a chain of 300 residues takes 11 kB.

    Of a chain that several shards hold the first counts, as it does in training.
    """

    def __init__(self, targets: Iterable[Path], ids: set[str]):
        self._bits: dict[str, tuple[int, str, bytes, bytes]] = {}
        columns = ["id", "sequence", "sequence_sha256", "contacts", "pair_mask"]
        for path in progress(list(targets), "shards of targets"):
            for row in read_arrays(path, TARGETS, columns):
                if row["id"] in ids:
                    kept = (len(row["sequence"]), row["sequence_sha256"], row["contacts"], row["pair_mask"])
                    self._bits.setdefault(row["id"], kept)

    def get(self, name: str, sha256: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Contacts and mask, bool, each of shape (L * (L - 1) / 2,); None where there is no target for the protein.

        Raises
        ------
        FoldgraftError
            if the target is of another sequence.
        """
        if name not in self._bits:
            return None
        length, known, contacts, mask = self._bits[name]
        if known != sha256:
            raise FoldgraftError(f"{name}: its prediction and its target are of different sequences; rerun train")
        count = length * (length - 1) // 2
        return _bits(contacts, count), _bits(mask, count)


def predicted_ids(paths: Iterable[Path]) -> set[str]:
    """Ids that any of these contact predictions covers."""
    return set().union(*(read_frame(path, PAIR, ["id"])["id"] for path in paths))


def precision_table(predictions: Mapping[str, Path], truth: Truth, results: Results) -> pd.DataFrame:
    """Precisions of each protein in each set of predictions; the columns are `COLUMNS`."""
    rows = [row for name, path in predictions.items() for row in _protein_rows(name, path, truth, results)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    if table.duplicated(["experiment", "split", "id"]).any():
        name, one = table.loc[table.duplicated(["experiment", "split", "id"]), ["experiment", "id"]].iloc[0]
        raise FoldgraftError(f"{name}: {one!r} has two predictions in one split; rerun the train stage")
    return table.sort_values(["experiment", "split", "id"], kind="stable", ignore_index=True)


def _protein_rows(name: str, path: Path, truth: Truth, results: Results) -> Iterator[tuple]:
    missing = undefined = 0
    for row in progress(read_arrays(path, PAIR), f"{name}, proteins"):
        found = truth.get(row["id"], row["sequence_sha256"])
        if found is None:
            missing += 1
            continue
        if row["score"].shape != found[0].shape:
            raise FoldgraftError(f"{path}: {row['id']!r} has {len(row['scores'])} scores, not one per residue pair")
        undefined += not np.isfinite(row["score"]).all()
        precision = contact_precision(row["score"], *found, row["length"])
        yield (name, row["split"], row["fold"], row["id"], row["length"], *(precision[metric] for metric in METRICS))
    if undefined:
        results.note(TASK, name, f"{undefined} proteins have scores that are no numbers, which rank last")
    if missing:
        results.note(TASK, name, f"{missing} predicted proteins have no structure target and are left out")


def summarise(table: pd.DataFrame, settings: EvaluateSettings, results: Results) -> None:
    """Mean precisions of every experiment and baseline, and every experiment beside every baseline."""
    names = list(dict.fromkeys(table["experiment"]))
    experiments = [name for name in names if not is_baseline(name)]
    for split in ("test", "valid"):
        part = {name: table[(table["experiment"] == name) & (table["split"] == split)] for name in names}
        for name in [*experiments, *filter(is_baseline, names)]:
            _record(name, split, part[name], settings, results)
        for name in experiments:
            for baseline in filter(is_baseline, names):
                ours, theirs = part[name], part[baseline]
                ours, theirs = ours[ours["id"].isin(theirs["id"])], theirs[theirs["id"].isin(ours["id"])]
                if len(ours):
                    pair = (_measure(ours, settings, name), _measure(theirs, settings, baseline))
                    results.compared(TASK, (name, baseline), split, *pair, _counts(ours))


def _record(name: str, split: str, rows: pd.DataFrame, settings: EvaluateSettings, results: Results) -> None:
    if rows.empty:
        results.note(TASK, name, f"no {split} protein: no metrics")
        return
    value, resampled = _measure(rows, settings, f"{name}, {split}")
    undefined = [metric for metric, found in value.items() if not np.isfinite(found[0])]
    if undefined:
        results.note(TASK, name, f"{split}: {', '.join(undefined)} undefined, no protein has such pairs")
    results.measured(TASK, name, split, value, resampled, _counts(rows))


def _counts(rows: pd.DataFrame) -> dict[str, int]:
    """How many proteins define each metric."""
    return {metric: int(rows[metric].notna().sum()) for metric in METRICS}


def _measure(rows: pd.DataFrame, settings: EvaluateSettings, what: str) -> tuple[Metrics, Metrics]:
    table = mean_rows(rows[METRICS].to_numpy(dtype=np.float64))

    def of_proteins(weights: np.ndarray) -> Metrics:
        return dict(zip(METRICS, means(weights @ table).T, strict=True))

    return evaluate(of_proteins, rows["id"].to_numpy(), settings.resamples, settings.seed, what)


def _bits(packed: bytes, count: int) -> np.ndarray:
    return np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=count).astype(bool)
