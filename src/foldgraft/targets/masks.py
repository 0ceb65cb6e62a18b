"""Why a target is masked, and the counts of it per chain."""

from enum import IntEnum

import numpy as np


class Mask(IntEnum):
    """State of one angle, residue or pair; only `DEFINED` ones are targets."""

    DEFINED = 0
    TERMINUS = 1  # the angle needs a residue before the first or after the last
    UNRESOLVED = 2  # a backbone atom that it needs has no coordinates
    CHAIN_BREAK = 3  # the residues are neighbours in sequence, yet too far apart to be bonded
    MISSING_SIDE_CHAIN = 4  # the residue is there, a side-chain atom is not
    DEGENERATE = 5  # three of the atoms lie on a line
    NOT_APPLICABLE = 6  # the residue has no such angle; counted nowhere


REASONS = tuple(mask.name.lower() for mask in Mask if mask is not Mask.NOT_APPLICABLE)
COLUMNS = ["id", "kind", "total", *REASONS]
"""Of the audit table: a chain has a row per kind of target, and `total` is the sum of the columns after it."""


def count(states: np.ndarray) -> list[int]:
    """How many of `states` (any shape, values of `Mask`) there are: the total, then each of REASONS."""
    counts = np.bincount(states.ravel(), minlength=len(Mask))[: len(REASONS)].tolist()
    return [sum(counts), *counts]
