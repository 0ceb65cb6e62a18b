"""Which protein serves for what (`cluster/split.parquet`), and how near the test proteins are to the training ones."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

TEST_FOLD, VALID_FOLD = 0, 1
"""The test and the validation fold where an experiment is not cross-validated; all other folds train."""

SPLIT = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("set", pa.string(), nullable=False),
        pa.field("sequence_sha256", pa.string(), nullable=False),
        pa.field("cluster", pa.int64(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("fold", pa.int64(), nullable=False),
    ],
    metadata={
        "set": "structures, or the name of a labelled table; sets may share ids",
        "cluster": "number of the connected component of clusters",
        "split": "train, valid or test",
        "fold": "0 to folds - 1; the published fold where the table has one; fold 0 is test and fold 1 valid",
    },
)

LEAKAGE = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("set", pa.string(), nullable=False),
        pa.field("fold", pa.int64(), nullable=False),
        pa.field("method", pa.string(), nullable=False),
        pa.field("nearest", pa.string()),
        pa.field("nearest_set", pa.string()),
        pa.field("identity", pa.float64()),
        pa.field("coverage_query", pa.float64()),
        pa.field("coverage_target", pa.float64()),
        pa.field("evalue", pa.float64()),
        pa.field("leak", pa.bool_(), nullable=False),
    ],
    metadata={
        "id": "a test protein; one row each",
        "fold": "the fold that is the test set; one for each set, all of them for a cross-validated one",
        "method": "search (by mmseqs), residues (compared without gaps: a peptide, of low complexity, or full of X, "
        "which mmseqs does not even find in itself), or none (not auditable: too few known residues)",
        "nearest": "the training or validation protein most like it, null where none was found",
        "nearest_set": "the set of the nearest: another than its own only where sets are split together",
        "identity": "fraction of aligned residues that are identical",
        "coverage_query": "aligned fraction of the test protein",
        "coverage_target": "aligned fraction of the training protein",
    },
)


@dataclass(frozen=True)
class Roles:
    """Rows of a table of proteins that train, validate and test.

    Attributes
    ----------
    test_fold, valid_fold : int
        the folds that are the test and the validation set; all others train.
    train, valid, test : array of int
        row numbers, ascending; each may be empty.
    """

    test_fold: int
    valid_fold: int
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


def validation_folds(folds: Iterable[int]) -> dict[int, int]:
    """The validation fold of each test fold: the next one, and after the last the first; sorted."""
    ordered = sorted(set(folds))
    return dict(zip(ordered, ordered[1:] + ordered[:1], strict=True))


def roles(fold: ArrayLike, cross_validate: bool = False, inner: bool = False) -> list[Roles]:
    """Who trains, validates and tests.

    Parameters
    ----------
    fold : array of int, shape (N,)
        the column `fold` of the rows of one set of `SPLIT`.
    cross_validate : bool
        whether each fold is once the test set; else `TEST_FOLD` alone is.
    inner : bool
        whether, for one test fold, every other fold is once the validation set; else the next fold alone is.

    Returns
    -------
    list of Roles
        by test fold; those of one test fold begin with its `validation_folds` and go on in the order of folds.
    """
    fold = np.asarray(fold, dtype=np.int64)
    present = sorted(set(fold.tolist()))
    folds = present if cross_validate else sorted({*present, TEST_FOLD, VALID_FOLD})
    every = []
    for at, test in enumerate(folds if cross_validate else [TEST_FOLD]):
        others = folds[at + 1 :] + folds[:at]
        for valid in others if inner else others[:1]:
            train = np.flatnonzero((fold != test) & (fold != valid))
            every.append(Roles(test, valid, train, np.flatnonzero(fold == valid), np.flatnonzero(fold == test)))
    return every
