"""Precision of the best-scored contacts of a protein, by range of sequence separation."""

import numpy as np

from foldgraft.records.pairs import triangle

RANGES = {"short": (6, 11), "medium": (12, 23), "long": (24, None), "all": (6, None)}
"""Sequence separations |i - j|, both ends included."""

FRACTIONS = {"P@L": 1, "P@L/2": 2, "P@L/5": 5}

METRICS = [f"{fraction} {name}" for name in RANGES for fraction in FRACTIONS]


def contact_precision(scores: np.ndarray, contacts: np.ndarray, mask: np.ndarray, length: int) -> dict[str, float]:
    """P@L, P@L/2 and P@L/5 of each range, L being the sequence length.

    Parameters
    ----------
    scores : array, shape (L * (L - 1) / 2,)
        greater means likelier; packed as `foldgraft.records.pairs` packs it; NaN ranks last
    contacts, mask : bool array, same shape
        pairs in contact; pairs whose residues are both resolved. Others are out of ranking and truth.
    length : int

    Returns
    -------
    dict of metric name to precision. The number of pairs taken, L // 1, 2 or 5 and at least 1, is never capped by the
    number of contacts; a range with fewer pairs than that is taken whole, and one without any gives NaN.
    """
    i, j = triangle(length)
    separation = j - i
    kept = np.flatnonzero(mask & (separation >= RANGES["all"][0]))
    values = np.nan_to_num(scores[kept].astype(np.float64), nan=-np.inf)
    order = np.argsort(-values, kind="stable")
    values, truth, separation = values[order], contacts[kept][order], separation[kept][order]
    result = {}
    for name, (low, high) in RANGES.items():
        inside = (separation >= low) & (separation <= (high or length))
        for fraction, divisor in FRACTIONS.items():
            result[f"{fraction} {name}"] = top_precision(values[inside], truth[inside], max(1, length // divisor))
    return result


def top_precision(values: np.ndarray, truth: np.ndarray, count: int) -> float:
    """Expected fraction of true pairs among the first `count` of a falling list.

    Where equal values straddle the cut, the expectation over their order is taken, so that the result depends on
    nothing that the scores do not say.
    """
    if not len(values):
        return float("nan")
    count = min(count, len(values))
    last = values[count - 1]
    above = int(np.searchsorted(-values, -last, side="left"))
    upto = int(np.searchsorted(-values, -last, side="right"))
    return float((truth[:above].sum() + (count - above) * truth[above:upto].mean()) / count)


def mean_precision(table: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over proteins of each metric, proteins where it is undefined left out.

    Shapes (n, metrics) and (b, n) to (b, metrics); NaN where no protein defines the metric.
    """
    defined = np.isfinite(table)
    total = weights @ defined
    return np.divide(weights @ np.where(defined, table, 0), total, out=np.full_like(total, np.nan), where=total > 0)
