"""Precision of the best-scored residue pairs of a chain, by range of sequence separation."""

import numpy as np

from foldgraft.records.pairs import triangle

Array = np.ndarray

RANGES = {"short": (6, 11), "medium": (12, 23), "long": (24, None), "all": (6, None)}
"""Sequence separations |i - j| in residues, both ends included, as CASP has them."""

LEAST_SEPARATION = RANGES["all"][0]
"""Pairs nearer than this along the chain are neither predicted nor counted, residues."""

FRACTIONS = {"P@L": 1, "P@L/2": 2, "P@L/5": 5}

METRICS = [f"{fraction} {name}" for name in RANGES for fraction in FRACTIONS]


def contact_precision(scores: Array, contacts: Array, mask: Array, length: int) -> dict[str, float]:
    """P@L, P@L/2 and P@L/5 of each range, L being the sequence length.

    Parameters
    ----------
    scores : array, shape (L * (L - 1) / 2,)
        Greater means likelier; packed as `foldgraft.records.pairs` packs it; NaN ranks last.
    contacts, mask : bool array, same shape
        Pairs in contact; pairs whose residues are both resolved. Others are out of ranking and truth.
    length : int

    Returns
    -------
    dict of str to float
        The number of pairs taken, L // 1, 2 or 5 and at least 1, is never capped by the number of contacts; a range
        with fewer pairs than that is taken whole, and one without any gives NaN.
    """
    kept, separation = _countable(mask, length)
    values = np.nan_to_num(scores[kept].astype(np.float64), nan=-np.inf)
    order = np.argsort(-values, kind="stable")
    values, truth, separation = values[order], contacts[kept][order], separation[order]
    result = {}
    for name, (low, high) in RANGES.items():
        inside = (separation >= low) & (separation <= (high or length))
        for fraction, divisor in FRACTIONS.items():
            result[f"{fraction} {name}"] = _of_ranked(values[inside], truth[inside], max(1, length // divisor))
    return result


def contact_ceiling(contacts: Array, mask: Array, length: int) -> dict[str, float]:
    """The greatest value that each metric of `contact_precision` can take on this chain; same arguments and keys.

    It is below 1 where a chain has fewer contacts than pairs are taken.
    """
    kept, separation = _countable(mask, length)
    truth = contacts[kept]
    result = {}
    for name, (low, high) in RANGES.items():
        inside = (separation >= low) & (separation <= (high or length))
        for fraction, divisor in FRACTIONS.items():
            taken = min(max(1, length // divisor), int(inside.sum()))
            result[f"{fraction} {name}"] = min(int(truth[inside].sum()), taken) / taken if taken else float("nan")
    return result


def precision_at(scores: Array, truth: Array, count: int) -> float:
    """Expected fraction of true pairs among the `count` of highest score, of all if there are fewer; NaN without any.

    Where equal scores straddle the cut, the expectation over their order is taken, so that the result depends on
    nothing that the scores do not say.
    """
    order = np.argsort(-scores, kind="stable")
    return _of_ranked(scores[order], truth[order], count)


def top_pairs(scores: Array, mask: Array, length: int, count: int) -> Array:
    """The `count` likeliest resolved pairs at least `LEAST_SEPARATION` apart, as positions in the packed order."""
    kept, _ = _countable(mask, length)
    return kept[np.argsort(-scores[kept], kind="stable")[:count]]


def _countable(mask: Array, length: int) -> tuple[Array, Array]:
    """Positions of the pairs that count, and their sequence separations."""
    i, j = triangle(length)
    kept = np.flatnonzero(mask & (j - i >= LEAST_SEPARATION))
    return kept, (j - i)[kept]


def _of_ranked(values: Array, truth: Array, count: int) -> float:
    """`precision_at` of scores that already fall."""
    if not len(values):
        return float("nan")
    count = min(count, len(values))
    last = values[count - 1]
    above = int(np.searchsorted(-values, -last, side="left"))
    upto = int(np.searchsorted(-values, -last, side="right"))
    return float((truth[:above].sum() + (count - above) * truth[above:upto].mean()) / count)
