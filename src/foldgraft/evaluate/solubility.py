"""Solubility: thresholds from validation, metrics on test and validation proteins, paired comparison with baselines."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.bootstrap import Metrics, evaluate
from foldgraft.evaluate.classification import Scored, solubility_metrics
from foldgraft.evaluate.results import CONSTANT, Results, is_baseline
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.metrics.calibration import score_bins
from foldgraft.metrics.decisions import MIDDLE, best_threshold
from foldgraft.records.split import validation_folds

TASK = "solubility"
SPLITS = ("test", "valid")


class Solubility:
    """Predictions of all experiments and baselines for one table of labels.

    Parameters
    ----------
    predictions : mapping of name to frame
        columns of `foldgraft.records.predictions.PROTEIN`, but label for truth, and each score a number
    split : frame
        the labelled proteins' rows of `cluster/split.parquet`; whole clusters are resampled
    settings : EvaluateSettings
    results : Results
        takes up metrics, comparisons and notes
    """

    def __init__(
        self,
        predictions: Mapping[str, pd.DataFrame],
        split: pd.DataFrame,
        settings: EvaluateSettings,
        results: Results,
    ):
        self._settings, self._results = settings, results
        self._cluster = dict(zip(split["id"], split["cluster"], strict=True))
        self._validates = validation_folds(split["fold"].tolist())
        self._measured: dict[tuple, tuple[Metrics, Metrics]] = {}
        self.thresholds: list[tuple[str, int, float, int]] = []
        self.frames = {name: self._prepare(name, frame) for name, frame in predictions.items()}

    def run(self) -> None:
        """Measure every experiment and baseline, and every experiment beside every baseline."""
        experiments = [name for name in self.frames if not is_baseline(name)]
        baselines = [name for name in self.frames if is_baseline(name)]
        for split in SPLITS:
            for name in [*experiments, *baselines]:
                self._record(name, split, self.shared(name, split))
            for name in experiments:
                for baseline in baselines:
                    self._compare(name, baseline, split)

    def shared(self, name: str, split: str) -> pd.DataFrame:
        """Rows of an experiment, or those of a baseline that some experiment was measured on too."""
        rows = self._rows(name, split)
        experiments = [other for other in self.frames if not is_baseline(other)]
        if not is_baseline(name) or not experiments:
            return rows
        ids = set().union(*(self._rows(other, split)["id"] for other in experiments))
        return rows[rows["id"].isin(ids)]

    def _rows(self, name: str, split: str) -> pd.DataFrame:
        frame = self.frames[name]
        return frame[frame["split"] == split]

    def _prepare(self, name: str, frame: pd.DataFrame) -> pd.DataFrame:
        """Sort, check, and call each protein soluble or not by the threshold of its own test fold."""
        frame = frame.sort_values(["split", "id"], kind="stable", ignore_index=True)
        if frame.duplicated(["split", "id"]).any():
            twice = frame.loc[frame.duplicated(["split", "id"]), "id"].iloc[0]
            raise FoldgraftError(f"{name}: {twice!r} has two predictions in one split; rerun the train stage")
        if not np.isfinite(frame[["label", "score"]].to_numpy()).all():
            raise FoldgraftError(f"{name}: a label or a score is not a number; rerun the train stage")
        cuts = self._cuts(name, frame[frame["split"] == "valid"])
        # the members that test a fold were stopped on the next one
        served = [
            self._validates.get(fold, fold) if split == "test" else fold
            for split, fold in zip(frame["split"], frame["fold"], strict=True)
        ]
        missing = sorted(set(served) - set(cuts))
        if missing and name != CONSTANT:
            where = ", ".join(map(str, missing))
            self._results.note(
                TASK, name, f"threshold {MIDDLE}, for want of two classes and scores in validation fold {where}"
            )
        cut = np.array([cuts.get(fold, MIDDLE) for fold in served])
        return frame.assign(called=frame["score"].to_numpy() >= cut)

    def _cuts(self, name: str, valid: pd.DataFrame) -> dict[int, float]:
        """Thresholds by validation fold; a fold from which none follows is absent."""
        found = {}
        for fold, rows in valid.groupby("fold"):
            cut = best_threshold(rows["label"].to_numpy() >= MIDDLE, rows["score"].to_numpy())
            if np.isfinite(cut):
                found[int(fold)] = cut
                self.thresholds.append((name, int(fold), cut, len(rows)))
        return found

    def _record(self, name: str, split: str, rows: pd.DataFrame) -> None:
        if rows.empty:
            self._results.note(TASK, name, f"no {split} protein: no metrics")
            return
        value, resampled = self._measure(name, split, rows)
        undefined = [metric for metric, found in value.items() if not np.isfinite(found[0])]
        if name == CONSTANT:
            undefined = [metric for metric in undefined if metric != "spearman"]
        if undefined:
            self._results.note(TASK, name, f"{split}: {', '.join(undefined)} undefined: a single class or value")
        self._results.measured(TASK, name, split, value, resampled, len(rows))

    def _compare(self, name: str, baseline: str, split: str) -> None:
        ours, theirs = self._rows(name, split), self._rows(baseline, split)
        ours, theirs = ours[ours["id"].isin(theirs["id"])], theirs[theirs["id"].isin(ours["id"])]
        if ours.empty:
            return
        pair = (self._measure(name, split, ours), self._measure(baseline, split, theirs))
        self._results.compared(TASK, (name, baseline), split, *pair, len(ours))

    def _measure(self, name: str, split: str, rows: pd.DataFrame) -> tuple[Metrics, Metrics]:
        """Metrics on these rows; equal rows of two names meet the same resamples, as pairing needs."""
        key = (name, split, tuple(rows["id"]))
        if key not in self._measured:
            scored = scored_rows(rows, self._settings.bins)
            groups = np.array([self._cluster.get(one, -1 - n) for n, one in enumerate(rows["id"])])
            self._measured[key] = evaluate(
                lambda weights: solubility_metrics(scored, weights),
                groups,
                self._settings.resamples,
                self._settings.seed,
                f"{name}, {split}",
            )
        return self._measured[key]


def scored_rows(rows: pd.DataFrame, bins: int) -> Scored:
    """Predictions with their calls as arrays."""
    score = rows["score"].to_numpy(dtype=np.float64)
    return Scored(
        label=rows["label"].to_numpy(dtype=np.float64),
        score=score,
        called=rows["called"].to_numpy(dtype=bool),
        bin=score_bins(score, bins),
    )
