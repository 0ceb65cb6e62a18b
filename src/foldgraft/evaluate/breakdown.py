"""Where a predictor does well and where not: its metrics by length, nearness to training, alignment depth and group."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from foldgraft.evaluate.compare import Comparer
from foldgraft.evaluate.predictor import Predictor
from foldgraft.evaluate.resampling import interval, resample

BREAKDOWN = ["task", "experiment", "by", "part", "position", "metric", "value", "ci_low", "ci_high", "n"]
"""Metrics of the n test proteins of a part. `position` is the mean of what parts are made by, or their number. The part
`area` of `identity` is the mean of the metric over identities from 0 to the greatest, each weighing alike."""

IDENTITY_EDGES = (0.3, 0.5, 0.7, 0.9)
LEAST = 5  # proteins of a part
MOST_GROUPS = 12
QUARTERS = (0.25, 0.5, 0.75)


def breakdown(comparer: Comparer, proteins: Callable[[Predictor], pd.DataFrame], metric: str) -> pd.DataFrame:
    """The headline metric of each predictor in parts of the test proteins; the columns are `BREAKDOWN`.

    Parameters
    ----------
    comparer : Comparer
    proteins : callable
        Gives of a predictor, by the id of each protein: `length`, `identity` to the nearest training protein (NaN
        where none was found), `neff` and `group`; any may be absent.
    metric : str
    """
    rows = [row for one in comparer.predictors for row in _predictor(comparer, one, proteins(one), metric)]
    return pd.DataFrame(rows, columns=BREAKDOWN)


def _predictor(comparer: Comparer, one: Predictor, proteins: pd.DataFrame, metric: str) -> Iterator[tuple]:
    summary = one.summary["test"]
    table = proteins.reindex(summary.ids)
    groups, settings = comparer.clusters(summary), comparer.settings
    for by, parts in (
        ("length", _quarters(table, "length")),
        ("identity", _identities(table)),
        ("neff", _quarters(table, "neff")),
        ("group", _groups(table)),
    ):
        line = []
        for title, position, rows in parts:
            if len(rows) < LEAST:
                continue
            part = summary.select(rows)
            what = f"{one.name}, {by} {title}"
            value, drawn = resample(part, groups[rows], settings.resamples, settings.seed, what)
            if metric not in value:
                return
            estimate = float(value[metric][0])
            line.append((position, estimate))
            ends = interval(drawn[metric]) if np.isfinite(estimate) else (np.nan, np.nan)
            yield (comparer.task, one.name, by, title, position, metric, estimate, *ends, part.count(metric))
        if by == "identity" and len(line) > 1:
            yield (comparer.task, one.name, by, "area", np.nan, metric, _area(line), np.nan, np.nan, len(summary))


def _quarters(table: pd.DataFrame, column: str) -> Iterator[tuple[str, float, np.ndarray]]:
    """Four parts of about as many proteins each, by a number."""
    if column not in table or table[column].notna().sum() < LEAST:
        return
    values = table[column].to_numpy(dtype=np.float64)
    known = np.isfinite(values)
    edges = np.unique(np.quantile(values[known], QUARTERS))
    part = np.where(known, np.searchsorted(edges, values, side="left"), -1)
    for number in range(len(edges) + 1):
        rows = np.flatnonzero(part == number)
        if len(rows):
            low, high = values[rows].min(), values[rows].max()
            yield f"{low:.0f} to {high:.0f}", float(values[rows].mean()), rows


def _identities(table: pd.DataFrame) -> Iterator[tuple[str, float, np.ndarray]]:
    """Parts by identity to the nearest training protein."""
    if "identity" not in table or not table["identity"].notna().any():
        return
    identity = table["identity"].to_numpy(dtype=np.float64)
    yield "none found", 0.0, np.flatnonzero(np.isnan(identity))
    part = np.searchsorted(IDENTITY_EDGES, identity, side="right")
    ends = (0.0, *IDENTITY_EDGES, 1.0)
    for number, (low, high) in enumerate(itertools.pairwise(ends)):
        rows = np.flatnonzero((part == number) & np.isfinite(identity))
        title = f"below {100 * high:.0f} %" if number == 0 else f"{100 * low:.0f} to {100 * high:.0f} %"
        yield title, float(identity[rows].mean()) if len(rows) else low, rows


def _groups(table: pd.DataFrame) -> Iterator[tuple[str, float, np.ndarray]]:
    """The commonest groups of the labelled table."""
    if "group" not in table:
        return
    for number, name in enumerate(table["group"].value_counts().index[:MOST_GROUPS]):
        yield str(name), float(number), np.flatnonzero((table["group"] == name).to_numpy())


def _area(line: list[tuple[float, float]]) -> float:
    """Mean of a piecewise linear line over its positions, by trapezoids; NaN where a value is missing."""
    positions, values = np.array(sorted(line)).T
    return float(np.trapezoid(values, positions) / (positions[-1] - positions[0]))
