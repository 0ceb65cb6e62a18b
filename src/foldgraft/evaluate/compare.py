"""Metrics of every predictor with intervals, and every experiment beside every baseline on the same proteins."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldgraft.evaluate.predictor import SPLITS, Predictor
from foldgraft.evaluate.resampling import holm, interval, p_values, resample, verdict
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.evaluate.summary import Metrics, Summary
from foldgraft.progress import progress
from foldgraft.records.metrics import COLUMNS

COMPARISON = [
    "task", "experiment", "baseline", "split", "metric", "value", "baseline_value", "difference", "ci_low", "ci_high",
    "n", "clusters", "p", "p_corrected", "verdict",
]  # fmt: skip
"""An experiment beside a baseline on the same n proteins; difference is experiment minus baseline, with its interval.
p is that of a permutation test, p_corrected the same corrected over the experiments by Holm's method, on test alone."""

NOTES = ["task", "experiment", "note"]


@dataclass
class Comparer:
    """Measures the predictors of one task.

    Parameters
    ----------
    task : str
    predictors : sequence of Predictor
    cluster : mapping of str to int
        The cluster of each protein; clusters are resampled whole.
    settings : EvaluateSettings
    """

    task: str
    predictors: Sequence[Predictor]
    cluster: Mapping[str, int]
    settings: EvaluateSettings

    def __post_init__(self) -> None:
        self._measured: dict[tuple, tuple[Metrics, Metrics]] = {}

    @property
    def experiments(self) -> list[Predictor]:
        return [one for one in self.predictors if not one.is_baseline]

    def clusters(self, summary: Summary) -> np.ndarray:
        """The cluster of each protein; one that no table knows is a cluster by itself."""
        return np.array([self.cluster.get(one, -1 - n) for n, one in enumerate(summary.ids)], dtype=np.int64)

    def measure(self, name: str, summary: Summary, split: str) -> tuple[Metrics, Metrics]:
        """Values and resamples; the same proteins of two predictors meet the same resamples, as pairing needs."""
        key = (name, split, tuple(summary.ids))
        if key not in self._measured:
            what = f"{name}, {split}"
            groups, seed = self.clusters(summary), self.settings.seed
            self._measured[key] = resample(summary, groups, self.settings.resamples, seed, what)
        return self._measured[key]

    def metrics(self) -> pd.DataFrame:
        """The columns of `foldgraft.records.metrics`."""
        rows = [row for split in SPLITS for one in self.predictors for row in self._metrics(one, split)]
        return pd.DataFrame(rows, columns=COLUMNS)

    def _metrics(self, one: Predictor, split: str) -> Iterator[tuple]:
        summary = one.summary[split]
        if not len(summary):
            one.notes.append(f"no {split} protein: no metrics")
            return
        value, resampled = self.measure(one.name, summary, split)
        if len(np.unique(self.clusters(summary))) == 1:
            one.notes.append(f"{split}: all proteins are of one cluster: no intervals")
        undefined = [name for name, estimate in value.items() if not np.isfinite(estimate[0])]
        if undefined and not one.is_constant:
            one.notes.append(f"{split}: {', '.join(undefined)} undefined: a single class or value, or no such pairs")
        for name, estimate in value.items():
            known = np.isfinite(estimate[0])
            row = (float(estimate[0]), *interval(resampled[name])) if known else (np.nan,) * 3
            yield (self.task, one.name, split, name, *row, summary.count(name))

    def comparison(self) -> pd.DataFrame:
        """Every experiment beside every baseline; the columns are `COMPARISON`."""
        pairs = [
            (one, other, split)
            for split in SPLITS
            for one in self.experiments
            for other in self.predictors
            if other.is_baseline
        ]
        rows = [row for pair in progress(pairs, f"{self.task}: comparisons") for row in self._compare(*pair)]
        table = pd.DataFrame(rows, columns=COMPARISON[:-2])
        families = table.groupby(["split", "metric", "baseline"])["p"]
        table["p_corrected"] = families.transform(lambda p: pd.Series(holm(p), index=p.index)) if len(table) else []
        said = [verdict(r.metric, r.ci_low, r.ci_high, r.p_corrected, r.clusters) for r in table.itertuples()]
        return table.assign(verdict=said)[COMPARISON]

    def _compare(self, one: Predictor, other: Predictor, split: str) -> Iterator[tuple]:
        _, first, second = np.intersect1d(one.summary[split].ids, other.summary[split].ids, return_indices=True)
        if not len(first):
            return
        ours, theirs = one.summary[split].select(first), other.summary[split].select(second)
        groups = self.clusters(ours)
        value, resampled = self.measure(one.name, ours, split)
        other_value, other_resampled = self.measure(other.name, theirs, split)
        p = {}
        if split == "test":
            p = p_values(ours, theirs, groups, self.settings.resamples, self.settings.seed)
        clusters = len(np.unique(groups))
        for name, estimate in value.items():
            low, high = interval(resampled[name] - other_resampled[name])
            pair = (float(estimate[0]), float(other_value[name][0]))
            yield (
                self.task, one.name, other.name, split, name, *pair, pair[0] - pair[1], low, high, ours.count(name),
                clusters, p.get(name, np.nan),
            )  # fmt: skip

    def notes(self) -> pd.DataFrame:
        """Why numbers are missing or other than expected; the columns are `NOTES`."""
        rows = [(self.task, one.name, note) for one in self.predictors for note in dict.fromkeys(one.notes)]
        return pd.DataFrame(rows, columns=NOTES)
