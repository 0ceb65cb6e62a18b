"""Covariates of a labelled table, which come as text, as numbers that heads read."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

WORDS = 50
"""Most different words of a covariate; rarer ones share a column."""


class Covariates(NamedTuple):
    """Numbers known of proteins besides their sequence."""

    names: list[str]
    values: np.ndarray  # (N, C), float32


def encode(names: Sequence[str], values: Sequence[Sequence[str]]) -> Covariates:
    """Columns of covariates.

    Parameters
    ----------
    names : sequence of str
        of the covariates.
    values : sequence of sequences of str
        of each protein, in their order; empty where not known.

    Returns
    -------
    Covariates
        One of numbers is one column, with the mean where it is not known; one of words has a column, 0 or 1, for each
        of its words.
    """
    labels: list[str] = []
    columns: list[np.ndarray] = []
    for column, name in enumerate(names):
        text = [row[column].strip() for row in values]
        numbers = _numbers(text)
        if numbers is not None:
            labels.append(name)
            columns.append(np.where(np.isnan(numbers), np.nanmean(numbers), numbers))
            continue
        words, counts = np.unique(text, return_counts=True)
        kept = set(words[np.argsort(-counts, kind="stable")][:WORDS])
        for word in (word for word in words if word in kept):
            labels.append(f"{name}={word}")
            columns.append(np.array([value == word for value in text], dtype=np.float64))
    return Covariates(labels, np.stack(columns, axis=1).astype(np.float32))


def _numbers(text: Sequence[str]) -> np.ndarray | None:
    """The texts as numbers, NaN where empty; None if one is a word, or all are empty."""
    try:
        numbers = np.array([float(value) if value else np.nan for value in text])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).any() and not np.isinf(numbers).any() else None
