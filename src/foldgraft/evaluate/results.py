"""The tables that evaluation writes, filled row by row."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from foldgraft.evaluate.bootstrap import Metrics, interval, verdict
from foldgraft.metrics.catalogue import describe
from foldgraft.records.files import atomic
from foldgraft.records.metrics import COLUMNS

BASELINE = "baseline_"
CONSTANT = "baseline_constant"
"""One score for all proteins of a fold: that it has no threshold and no ranking goes without saying."""

COMPARISON = [
    "task", "experiment", "baseline", "split", "metric", "value", "baseline_value", "difference", "ci_low", "ci_high",
    "n", "verdict",
]  # fmt: skip
"""An experiment beside a baseline on the same proteins; difference is experiment minus baseline, with its interval."""

NOTES = ["task", "experiment", "note"]


@dataclass
class Results:
    """Rows of `metrics.csv`, `comparison.csv` and `notes.csv`."""

    metrics: list[tuple] = field(default_factory=list)
    comparison: list[tuple] = field(default_factory=list)
    notes: list[tuple[str, str, str]] = field(default_factory=list)

    def measured(
        self, task: str, experiment: str, split: str, value: Metrics, resampled: Metrics, n: int | dict[str, int]
    ) -> None:
        """Add the metrics of one experiment or baseline on one split."""
        for name, found in value.items():
            count = n[name] if isinstance(n, dict) else n
            row = (float(found[0]), *interval(resampled[name])) if np.isfinite(found[0]) else (np.nan,) * 3
            self.metrics.append((task, experiment, split, name, *row, count))

    def compared(
        self,
        task: str,
        names: tuple[str, str],
        split: str,
        ours: tuple[Metrics, Metrics],
        theirs: tuple[Metrics, Metrics],
        n: int | dict[str, int],
    ) -> None:
        """Add the paired differences of an experiment from a baseline: values and resamples of both."""
        for metric in ours[0]:
            value, other = float(ours[0][metric][0]), float(theirs[0][metric][0])
            low, high = interval(ours[1][metric] - theirs[1][metric])
            count = n[metric] if isinstance(n, dict) else n
            said = verdict(low, high, count, describe(metric).lower_is_better)
            self.comparison.append((task, *names, split, metric, value, other, value - other, low, high, count, said))

    def note(self, task: str, experiment: str, text: str) -> None:
        """Say why a number is missing or other than expected."""
        if (task, experiment, text) not in self.notes:
            self.notes.append((task, experiment, text))

    def write(self, metrics: Path, comparison: Path, notes: Path) -> None:
        """Write the three tables."""
        write_csv(metrics, pd.DataFrame(self.metrics, columns=COLUMNS))
        write_csv(comparison, pd.DataFrame(self.comparison, columns=COMPARISON))
        write_csv(notes, pd.DataFrame(self.notes, columns=NOTES))


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a table with six significant digits; an undefined value is an empty cell."""
    with atomic(path) as temporary:
        frame.to_csv(temporary, index=False, float_format="%.6g")


def is_baseline(name: str) -> bool:
    """Whether predictions of this name are a baseline's."""
    return name.startswith(BASELINE)
