"""The summary of predictions of each kind of target."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foldgraft.evaluate.summary import Metrics, Ranked, Summary, as_ranks
from foldgraft.metrics.angles import angle_errors
from foldgraft.metrics.calibration import calibration, calibration_rows, score_bins
from foldgraft.metrics.catalogue import THREE_STATES
from foldgraft.metrics.classes import agreement, confusion_rows, cross_entropy
from foldgraft.metrics.decisions import MIDDLE, decision_rows, decisions
from foldgraft.metrics.regression import regression, regression_rows
from foldgraft.metrics.sums import by_group, mean_rows, means

Array = np.ndarray


@dataclass(frozen=True)
class Examples:
    """Examples of one predictor whose truth is known: proteins, or residues of proteins.

    Attributes
    ----------
    ids : array of str, shape (n,)
        The proteins.
    protein : int array, shape (N,)
        The protein of each example.
    truth : float array, shape (N, T)
    score : float array, shape (N, K)
        Both as `foldgraft.records.predictions` has them.
    called : bool array, shape (N,), optional
        Of a binary target, whether the score reaches the threshold that validation chose.
    states : array of str, shape (N,), optional
        Secondary structure of each residue, where it is known.
    """

    ids: Array
    protein: Array
    truth: Array
    score: Array
    called: Array | None = None
    states: Array | None = None


def is_fractional(truth: Array) -> bool:
    """Whether a binary target has labels that are neither 0 nor 1."""
    return bool(np.any((truth != 0) & (truth != 1)))


def binary(one: Examples, bins: int, fractional: bool) -> Summary:
    """Of a binary target; of fractions, metrics of a value are added."""
    truth, score = one.truth[:, 0].astype(np.float64), one.score[:, 0].astype(np.float64)
    group = score_bins(score, bins) if len(score) else np.zeros(0, dtype=np.int64)
    parts = [decision_rows(truth >= MIDDLE, one.called), calibration_rows(truth, score, group, bins)]
    first, second = np.cumsum([part.shape[1] for part in parts])
    if fractional:
        parts.append(regression_rows(truth, score, MIDDLE))

    def finish(sums: Array) -> Metrics:
        metrics = decisions(sums[:, :first]) | calibration(sums[:, first:second])
        values = regression(sums[:, second:]) if fractional else {}
        return metrics | {name: values[name] for name in ("r2", "pearson", "rmse") if name in values}

    ranked = Ranked(one.protein, truth, as_ranks(score), areas=True, correlation=fractional)
    rows = by_group(np.concatenate(parts, axis=1), one.protein, len(one.ids))
    return Summary(one.ids, rows, finish, ranked)


def value(one: Examples, middle: float) -> Summary:
    """Of a value; `middle` is a number near the truth that all summaries of a task share."""
    truth, score = one.truth[:, 0].astype(np.float64), one.score[:, 0].astype(np.float64)
    ranked = Ranked(one.protein, truth, as_ranks(score), correlation=True)
    rows = by_group(regression_rows(truth, score, middle), one.protein, len(one.ids))
    return Summary(one.ids, rows, regression, ranked)


def classes(one: Examples, names: Sequence[str]) -> Summary:
    """Of classes; of the three states H, E and C the accuracy is also called Q3."""
    truth, n = one.truth[:, 0].astype(np.int64), len(one.ids)
    confusion = confusion_rows(truth, one.score.argmax(axis=1), len(names), one.protein, n)
    entropy = by_group(mean_rows(cross_entropy(truth, one.score)[:, None]), one.protein, n)

    def finish(sums: Array) -> Metrics:
        metrics = agreement(sums[:, :-2])
        q3 = {"Q3": metrics["accuracy"]} if set(names) == set(THREE_STATES) else {}
        return q3 | metrics | {"cross_entropy": means(sums[:, -2:])[:, 0]}

    return Summary(one.ids, np.concatenate([confusion, entropy], axis=1), finish)


def angles(one: Examples, names: Sequence[str], pi_periodic: Sequence[str] = ()) -> Summary:
    """Of angles; where the secondary structure is known, the error in each state as well."""
    turned = np.array([name in pi_periodic for name in names])
    errors = angle_errors(one.truth, one.score, turned)  # (N, A)
    columns, titles = [errors], [f"mae {name}" for name in names]
    if one.states is not None:
        for state in THREE_STATES:
            columns.append(np.where((one.states == state)[:, None], errors, np.nan))
            titles += [f"mae {name} {state}" for name in names]
    rows = by_group(mean_rows(np.concatenate(columns, axis=1)), one.protein, len(one.ids))
    return of_means(one.ids, titles, rows)


def of_means(ids: Array, titles: Sequence[str], rows: Array) -> Summary:
    """Of metrics that are means; `rows` are as `foldgraft.metrics.sums.mean_rows` makes them, shape (n, 2 * S)."""
    counts = rows[:, len(titles) :] > 0
    counted = dict(zip(titles, counts.T, strict=True))
    return Summary(ids, rows, lambda sums: dict(zip(titles, means(sums).T, strict=True)), counted=counted)
