"""The truth of tasks whose source is a structure, from the targets of a chain."""

from collections.abc import Callable

import numpy as np

from foldgraft.records.targets import MASKED, TORSIONS, Targets
from foldgraft.tasks.task import BUILT_IN, DISTANCE_BINS

FIRST_EDGE, LAST_EDGE = 2.3125, 21.6875
"""Edges of the distogram's bins, angstrom: `DISTANCE_BINS` - 1 of them, evenly spread."""

CONTACT_DISTANCE = 8.0
"""Residues whose CB (CA of glycine) are nearer than this, angstrom, are in contact."""


def ss3(targets: Targets) -> np.ndarray:
    """Number of each residue's state among H, E, C; shape (L, 1), NaN where it is not known."""
    names = BUILT_IN["ss3"].names
    number = {name.encode()[0]: float(index) for index, name in enumerate(names)}
    table = np.full(256, np.nan, dtype=np.float32)
    for letter, index in number.items():
        table[letter] = index
    return table[np.frombuffer(targets.ss3.encode(), dtype=np.uint8)][:, None]


def torsions(targets: Targets) -> np.ndarray:
    """Sine and cosine of phi, then of psi; shape (L, 4), NaN where an angle is not defined."""
    columns = [TORSIONS.index(name) for name in BUILT_IN["torsions"].names]
    values = targets.torsions[:, columns].astype(np.float32)  # (L, 2, 2)
    values[~targets.torsion_mask[:, columns]] = np.nan
    return values.reshape(len(values), -1)


def contact(targets: Targets) -> np.ndarray:
    """1 for pairs in contact, else 0; shape (P, 1), NaN where a residue is not resolved."""
    return np.where(targets.pair_mask, targets.contacts, np.nan).astype(np.float32)[:, None]


def distogram(targets: Targets) -> np.ndarray:
    """Bin of each pair's distance; shape (P, 1), NaN where a residue is not resolved."""
    known = targets.pair_mask & (targets.distogram != MASKED)
    return np.where(known, targets.distogram, np.nan).astype(np.float32)[:, None]


TRUTH: dict[str, Callable[[Targets], np.ndarray]] = {
    "ss3": ss3,
    "torsions": torsions,
    "contact": contact,
    "distogram": distogram,
}
"""For each built-in task, what a chain's targets say of it."""


def bin_centres() -> np.ndarray:
    """Distance that stands for each bin, angstrom, shape (64,); the open bins count as wide as the others."""
    edges = np.linspace(FIRST_EDGE, LAST_EDGE, DISTANCE_BINS - 1)
    width = edges[1] - edges[0]
    return np.concatenate([edges - width / 2, [edges[-1] + width / 2]])


def share_in_contact() -> np.ndarray:
    """Share of each bin that is nearer than `CONTACT_DISTANCE`, shape (64,): between 0 and 1 for the one it cuts."""
    edges = np.linspace(FIRST_EDGE, LAST_EDGE, DISTANCE_BINS - 1)
    width = edges[1] - edges[0]
    upper = np.concatenate([edges, [np.inf]])
    return np.clip((CONTACT_DISTANCE - (upper - width)) / width, 0.0, 1.0)
