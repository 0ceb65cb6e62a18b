"""Predictions reduced to what their metrics need, so that many resamples of the proteins cost little.

Most metrics are functions of sums over proteins; their summands are kept, one row a protein, however many residues or
pairs it has. Metrics of rank need every example.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from foldgraft.metrics.decisions import MIDDLE
from foldgraft.metrics.ranking import areas, mean_ranks, spearman

Array = np.ndarray
Metrics = dict[str, Array]


@dataclass(frozen=True)
class Ranked:
    """Examples for metrics of rank.

    Attributes
    ----------
    protein : int array, shape (N,)
        The protein of each example, by its row in the summary.
    truth, score : array, shape (N,)
        Scores are given as mean ranks between 0 and 1, so that those of two predictors are on one scale.
    areas, correlation : bool
        Whether the areas under the curves, and Spearman's correlation, are wanted.
    """

    protein: Array
    truth: Array
    score: Array
    areas: bool = False
    correlation: bool = False

    def measure(self, weights: Array) -> Metrics:
        """Metrics of rank for weights of the proteins, shape (b, n); each of shape (b,)."""
        rows = weights[:, self.protein]
        metrics = areas(self.truth >= MIDDLE, self.score, rows) if self.areas else {}
        return metrics | ({"spearman": spearman(self.truth, self.score, rows)} if self.correlation else {})


@dataclass(frozen=True)
class Summary:
    """What n proteins contribute to the metrics of one predictor.

    Attributes
    ----------
    ids : array of str, shape (n,)
    rows : float array, shape (n, S)
        Summands.
    finish : callable
        Makes metrics, each of shape (b,), of sums of the rows, shape (b, S).
    ranked : Ranked, optional
    counted : mapping of str to bool array
        For metrics that not all proteins define, whether each does, shape (n,).
    """

    ids: Array
    rows: Array
    finish: Callable[[Array], Metrics]
    ranked: Ranked | None = None
    counted: dict[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def cells(self) -> int:
        """Numbers that one resample works on, for whoever bounds memory."""
        return len(self) + (len(self.ranked.protein) if self.ranked else 0)

    def measure(self, weights: Array) -> Metrics:
        """All metrics for weights of the proteins, shape (b, n); each of shape (b,)."""
        ranked = self.ranked.measure(weights) if self.ranked else {}
        return ranked | self.finish(weights @ self.rows)

    def each(self) -> Metrics:
        """The metrics of sums, of every protein by itself; each of shape (n,)."""
        return self.finish(self.rows)

    def count(self, metric: str) -> int:
        """How many proteins define a metric."""
        return int(self.counted[metric].sum()) if metric in self.counted else len(self)

    def select(self, chosen: Array) -> "Summary":
        """The summary of some proteins, by their rows; int array, shape (m,)."""
        ranked = self.ranked
        if ranked:
            position = np.full(len(self), -1)
            position[chosen] = np.arange(len(chosen))
            at = position[ranked.protein]
            kept = at >= 0
            score = as_ranks(ranked.score[kept])
            ranked = replace(ranked, protein=at[kept], truth=ranked.truth[kept], score=score)
        counted = {name: values[chosen] for name, values in self.counted.items()}
        return Summary(self.ids[chosen], self.rows[chosen], self.finish, ranked, counted)

    def beside(self, other: "Summary") -> "Summary":
        """Both summaries as one of 2 n proteins, this one's first; they must be of one kind."""
        ranked = None
        if self.ranked and other.ranked:
            ranked = replace(
                self.ranked,
                protein=np.concatenate([self.ranked.protein, other.ranked.protein + len(self)]),
                truth=np.concatenate([self.ranked.truth, other.ranked.truth]),
                score=np.concatenate([self.ranked.score, other.ranked.score]),
            )
        ids, rows = np.concatenate([self.ids, other.ids]), np.concatenate([self.rows, other.rows])
        return Summary(ids, rows, self.finish, ranked)


def as_ranks(score: Array) -> Array:
    """Mean ranks divided by their number: between 0 and 1, in the order of the scores; shape (N,)."""
    return mean_ranks(score)[0] / len(score) if len(score) else score
