"""The whole measurement of a run: predictions and truth in, tables out."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate import contacts, curves
from foldgraft.evaluate.results import Results
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.evaluate.solubility import Solubility, scored_rows
from foldgraft.records.predictions import PROTEIN
from foldgraft.records.tables import read_frame

THRESHOLDS = ["experiment", "fold", "threshold", "n"]
"""The threshold chosen on the n proteins of validation fold `fold`."""


SCORES = {"score": "score", "score_low": "low", "score_high": "high"}
"""Columns of scores, and their names in the table of predictions."""


@dataclass(frozen=True)
class Curves:
    """Tables behind the report's solubility figures; their columns are those of `foldgraft.evaluate.curves`."""

    roc: pd.DataFrame
    pr: pd.DataFrame
    reliability: pd.DataFrame
    thresholds: pd.DataFrame


def named(paths: Iterable[Path], task: str = "") -> dict[str, Path]:
    """Files by the name of their folder; of a folder of predictions, that of the task.

    Raises
    ------
    FoldgraftError
        if two have the same name.
    """
    found: dict[str, Path] = {}
    for path in paths:
        name = Path(path).parent.name
        if name in found:
            raise FoldgraftError(f"{path}: {found[name]} has the same name, {name}; names must differ")
        found[name] = path_of(path, task)
    return found


def measure_solubility(
    paths: Iterable[Path], split: pd.DataFrame, settings: EvaluateSettings, results: Results
) -> Curves:
    """Metrics and comparisons of solubility go to `results`; the curves of the test proteins are returned."""
    predictions = {name: _one_score(read_frame(path, PROTEIN)) for name, path in named(paths, "solubility").items()}
    measured = Solubility(predictions, split, settings, results)
    measured.run()
    roc, pr, reliability = [], [], []
    for name in predictions:
        rows = measured.shared(name, "test")
        if len(rows):
            scored = scored_rows(rows, settings.bins)
            for table, part in zip((roc, pr), curves.roc_and_pr(name, scored), strict=True):
                table.append(part)
            reliability.append(curves.reliability(name, scored))
    return Curves(
        _stack(roc, curves.ROC),
        _stack(pr, curves.PR),
        _stack(reliability, curves.RELIABILITY),
        pd.DataFrame(measured.thresholds, columns=THRESHOLDS),
    )


def measure_contacts(
    paths: Iterable[Path], targets: Iterable[Path], settings: EvaluateSettings, results: Results
) -> pd.DataFrame:
    """Metrics and comparisons of contacts go to `results`; the precision of each protein is returned."""
    predictions = named(paths, "contact")
    truth = contacts.Truth(targets, contacts.predicted_ids(predictions.values()))
    table = contacts.precision_table(predictions, truth, results)
    contacts.summarise(table, settings, results)
    return table


def path_of(path: Path, task: str) -> Path:
    """The file itself, or that of the task in a folder of predictions."""
    return Path(path) / f"{task}.parquet" if Path(path).is_dir() else Path(path)


def _one_score(table: pd.DataFrame) -> pd.DataFrame:
    """Predictions of a binary target with its one score as a number."""
    scores = {name: table[column].str[0].astype(float) for name, column in SCORES.items()}
    return table.drop(columns=list(SCORES.values())).rename(columns={"truth": "label"}).assign(**scores)


def _stack(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
