"""Weighted sums and means of rows."""

import numpy as np

Array = np.ndarray


def total(rows: Array, weights: Array | None = None) -> Array:
    """Weighted sums of rows; shapes (n, S) and (b, n) to (b, S)."""
    return rows.sum(axis=0, dtype=np.float64)[None] if weights is None else weights @ rows


def by_group(rows: Array, group: Array, groups: int) -> Array:
    """Sums of the rows of each group, for groups that are drawn whole.

    Parameters
    ----------
    rows : array, shape (n, S)
    group : int array, shape (n,)
        Group of each row, from 0.
    groups : int
        Number of groups; one without rows has a sum of 0.

    Returns
    -------
    float64 array, shape (groups, S)
    """
    columns = [np.bincount(group, weights=column, minlength=groups) for column in rows.T]
    return np.stack(columns, axis=1) if columns else np.zeros((groups, 0))


def mean_rows(values: Array) -> Array:
    """Summands of means; shape (n, S) to (n, 2 * S). A NaN does not count in the mean of its column."""
    defined = np.isfinite(values)
    return np.concatenate([np.where(defined, values, 0.0), defined], axis=1).astype(np.float64)


def means(sums: Array) -> Array:
    """Means of the columns given to `mean_rows`, of sums of shape (b, 2 * S); NaN where nothing counts."""
    return ratio(*np.split(sums, 2, axis=1))


def ratio(top: Array, bottom: Array, otherwise: float = np.nan) -> Array:
    """Quotient of two arrays of one shape; `otherwise` where the denominator is zero."""
    return np.divide(top, bottom, out=np.full(np.shape(bottom), otherwise, dtype=np.float64), where=bottom != 0)
