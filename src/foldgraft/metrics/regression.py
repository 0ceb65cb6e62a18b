"""Metrics of predicted values: R2, Pearson's correlation, RMSE and MAE."""

import numpy as np

from foldgraft.metrics.sums import ratio

Array = np.ndarray


def regression_rows(truth: Array, predicted: Array, middle: float | None = None) -> Array:
    """Count, moments, products and errors of each row; shapes (n,) and (n,) to (n, 8).

    Both are shifted by `middle`, by default the mean of the truth, which changes no metric and keeps differences of
    sums exact. Rows that are added up must share it.
    """
    if middle is None:
        middle = float(np.mean(truth)) if len(truth) else 0.0
    y, p = np.asarray(truth, dtype=np.float64) - middle, np.asarray(predicted, dtype=np.float64) - middle
    return np.stack([np.ones_like(y), y, y**2, p, p**2, y * p, (y - p) ** 2, np.abs(y - p)], axis=1)


def regression(sums: Array) -> dict[str, Array]:
    """R2, Pearson's correlation, RMSE and MAE of sums of shape (b, 8); each of shape (b,).

    R2 is 1 - residual / total sum of squares, negative where the mean would have predicted better, and NaN where the
    truth is constant; so is Pearson's correlation where either side is constant.
    """
    n, y, yy, p, pp, yp, squared, absolute = sums.T
    y_spread, p_spread = _spread(yy, y, n), _spread(pp, p, n)
    return {
        "r2": 1 - ratio(squared, y_spread),
        "pearson": ratio(yp - ratio(y * p, n), np.sqrt(y_spread * p_spread)),
        "rmse": np.sqrt(ratio(squared, n)),
        "mae": ratio(absolute, n),
    }


def _spread(squares: Array, values: Array, n: Array) -> Array:
    """Sum of squares about the mean; exactly 0 where rounding alone makes it differ from 0."""
    spread = squares - ratio(values**2, n)
    return np.where(spread > 1e-12 * squares, spread, 0.0)
