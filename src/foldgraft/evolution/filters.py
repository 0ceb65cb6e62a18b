"""Which rows of an alignment are worth keeping, and how many each filter drops."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from foldgraft.evolution.a3m import GAP, Row, encode, safe_name
from foldgraft.evolution.settings import FilterSettings
from foldgraft.evolution.weights import letters_and_onehot

BLOCK = 512
REASONS = ("repeated", "short", "distant", "alike", "surplus")


def build(
    sequence: str, rows: Iterable[Row], covered: np.ndarray, settings: FilterSettings
) -> tuple[list[Row], Counter[str]]:
    """The alignment of a chain: its own sequence first, then the homologs that pass the filters, in their order.

    Parameters
    ----------
    sequence : str
        the whole chain.
    rows : iterable of Row
        A3M rows over the chain.
    covered : (L,) bool
        residues of the chain that the alignment has a column for; coverage is a fraction of them, and a row like the
        chain at all of them repeats it.

    Returns
    -------
    Rows of A3M over the chain, no two with the same aligned letters; and how many were found and dropped, by reason.
    """
    query = Row("query", sequence)
    rows = [query, *rows]
    counts = Counter({"found": len(rows) - 1})
    codes = encode(rows)
    among = np.where(covered, codes, GAP)
    _, first = np.unique(among, axis=0, return_index=True)
    kept = _narrowed(np.arange(len(rows)), np.isin(np.arange(len(rows)), first), counts, "repeated")
    known = codes != GAP
    kept = _narrowed(kept, known[kept].sum(axis=1) >= max(1.0, settings.min_coverage * covered.sum()), counts, "short")
    if settings.min_identity:
        same = (codes[kept] == codes[0]) & known[kept] & known[0]
        both = np.maximum((known[kept] & known[0]).sum(axis=1), 1)
        kept = _narrowed(kept, same.sum(axis=1) >= settings.min_identity * both - 1e-9, counts, "distant")
    if settings.max_identity < 1:
        kept = _narrowed(kept, diverse(codes[kept], settings.max_identity), counts, "alike")
    chosen = np.unique(np.linspace(1, len(kept) - 1, settings.max_sequences - 1).round().astype(int))
    if len(kept) > settings.max_sequences:
        counts["surplus"] = len(kept) - 1 - len(chosen)
        kept = np.concatenate([kept[:1], kept[chosen]])
    return [query, *(Row(safe_name(rows[k].name), rows[k].text) for k in kept[1:])], counts


def _narrowed(kept: np.ndarray, good: np.ndarray, counts: Counter[str], reason: str) -> np.ndarray:
    """The rows that are good; the query stays in any case."""
    good = good.copy()
    good[0] = True
    counts[reason] = int((~good).sum())
    return kept[good]


def diverse(codes: np.ndarray, identity: float) -> np.ndarray:
    """Whether each row is less alike than `identity` to all kept rows before it, as `weights` counts identity.

    Parameters
    ----------
    codes : (M, L) uint8

    Returns
    -------
    (M,) bool
    """
    keep = np.zeros(len(codes), dtype=bool)
    for start in range(0, len(codes), BLOCK):
        block = codes[start : start + BLOCK]
        before = np.flatnonzero(keep)
        near = np.zeros(len(block), dtype=bool)
        for some in np.split(before, range(BLOCK, len(before), BLOCK)):
            near |= _close(block, codes[some], identity).any(axis=1)
        within = _close(block, block, identity)
        for k in range(len(near)):
            if not near[k]:
                keep[start + k] = True
                near |= within[k]
    return keep


def _close(rows: np.ndarray, others: np.ndarray, identity: float) -> np.ndarray:
    """Which rows are at least so alike; (M, N) bool."""
    (letters, onehot), (theirs, other) = letters_and_onehot(rows), letters_and_onehot(others)
    return onehot @ other.T >= identity * np.maximum(letters[:, None], theirs[None]) - 1e-6
