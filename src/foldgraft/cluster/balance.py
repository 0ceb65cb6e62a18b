"""Folds of whole units, balanced over the strata of each set, and stable when proteins are added.

A unit is what must not be parted: a component of related proteins, say. Its first fold follows from a hash of its name
alone. Units then move, large ones first, until every fold has its share of every stratum within `TOLERANCE`. Few have
to, so a protein more or less leaves nearly all others where they are.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from foldgraft.records.split import TEST_FOLD, VALID_FOLD

TOLERANCE = 0.02
"""Relative deviation of a fold's count of a stratum from its share that is let be; one protein is, if shares are of
two and more."""

CLASSES = 20
"""Most different labels that count as classes; more are values, which are cut at their quartiles."""

ROUNDS = 20
"""Most passes over the units; each lessens the imbalance, so that passes end by themselves as a rule."""


def strata(labels: pd.Series) -> pd.Series:
    """The stratum of each label: its class, or the quartile of a value; -1 where there is none."""
    known = labels.dropna()
    if known.nunique() <= CLASSES:
        codes = pd.Series(pd.factorize(known, sort=True)[0], index=known.index)
    else:
        codes = pd.qcut(known, 4, labels=False, duplicates="drop").astype("int64")
    return codes.reindex(labels.index, fill_value=-1)


def assign(names: Sequence[str], counts: np.ndarray, allowed: np.ndarray, fixed: np.ndarray, seed: int) -> np.ndarray:
    """The fold of each unit.

    Parameters
    ----------
    names : sequence of str, length U
        what each unit is known by, the same in every run.
    counts : array, shape (U, S)
        proteins of each unit in each stratum.
    allowed : array of bool, shape (U, F)
        folds that a unit may be in; at least one.
    fixed : array, shape (F, S)
        proteins that are in a fold already.
    seed : int

    Returns
    -------
    array of int, shape (U,)

    Notes
    -----
    The imbalance is the sum over strata of the squared deviations of the folds' counts, over the stratum's size. A
    move is made if it lessens it, so that in the end no single move would.
    """
    folds = allowed.shape[1]
    hashes = _hashes(names, folds + 1, seed)
    counts = counts.astype(np.float64)
    total = counts.sum(axis=0) + fixed.sum(axis=0)
    allowed, begin = _training_first(counts, total, allowed)
    fold = np.where(begin, hashes[:, :folds].astype(np.int64), -1).argmax(axis=1)
    load = fixed.astype(np.float64)
    np.add.at(load, fold, counts)
    share = total / folds
    slack = np.maximum(TOLERANCE * share, np.minimum(1, share / 2))
    weight = 1 / np.maximum(total, 1)
    free = np.flatnonzero(allowed.sum(axis=1) > 1)
    order = free[np.lexsort((hashes[free, folds], -counts[free].sum(axis=1)))]
    for _ in range(ROUNDS):
        before = fold.copy()
        for unit in order:
            if (np.abs(load - share) <= slack).all():
                break
            size, here = counts[unit], fold[unit]
            change = ((load - load[here] + size) * (size * weight)).sum(axis=1)
            change[here] = -1e-9  # no move for less
            change[~allowed[unit]] = np.inf
            best = _least(change)
            load[here] -= size
            load[best] += size
            fold[unit] = best
        if (fold == before).all():
            break
    return _all_roles(fold, load, allowed, fixed)


def _hashes(names: Sequence[str], count: int, seed: int) -> np.ndarray:
    """Numbers that depend on name and seed alone; shape (U, count)."""
    digests = [hashlib.shake_128(f"{seed}:{name}".encode()).digest(4 * count) for name in names]
    return np.frombuffer(b"".join(digests), dtype="<u4").reshape(len(names), count)


def _training(folds: int) -> np.ndarray:
    return ~np.isin(np.arange(folds), [TEST_FOLD, VALID_FOLD])


def _training_first(counts: np.ndarray, total: np.ndarray, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The folds that units may be in, and those that they begin in.

    A unit of more than a fold's share begins in a training fold, if it may; the largest of them stays in training.
    """
    folds, sizes = allowed.shape[1], counts.sum(axis=1)
    training = allowed & _training(folds)
    large = (sizes > total.sum() / folds) & training.any(axis=1)
    largest = large & (np.arange(len(sizes)) == (sizes.argmax() if len(sizes) else 0))
    return np.where(largest[:, None], training, allowed), np.where(large[:, None], training, allowed)


def _least(change: np.ndarray) -> int:
    """The place of the least change; of equal ones that of a training fold."""
    return int(np.lexsort((~_training(len(change)), change))[0])


def _all_roles(fold: np.ndarray, load: np.ndarray, allowed: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """The same folds, or with a small training fold renamed where test or validation would be empty."""
    load = load.sum(axis=1)
    for role in (TEST_FOLD, VALID_FOLD):
        training = [f for f in np.flatnonzero(load) if f not in (TEST_FOLD, VALID_FOLD)]
        may_move = [f for f in training if not fixed[f].any() and allowed[fold == f, role].all()]
        if load[role] or len(training) < 2 or not may_move:
            continue
        other = min(may_move, key=lambda f: load[f])
        fold = np.where(fold == other, role, fold)
        load[role], load[other] = load[other], 0
    return fold
