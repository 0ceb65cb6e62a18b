"""Protein chains as the report draws them: PDB text and contact lists."""

from dataclasses import dataclass

import numpy as np

from foldgraft.metrics.contacts import top_pairs
from foldgraft.records.chains import Chain
from foldgraft.records.pairs import triangle
from foldgraft.records.targets import Targets
from foldgraft.residues import ATOM_INDEX
from foldgraft.viewer.backbone import BACKBONE, backbone_pdb


@dataclass(frozen=True)
class Contacts:
    """The best-scored pairs of a chain: residue numbers from 0, shape (k, 2), and whether each is true, shape (k,)."""

    pairs: np.ndarray
    true: np.ndarray


def top_contacts(scores: np.ndarray, contacts: np.ndarray, mask: np.ndarray, length: int, count: int) -> Contacts:
    """The `count` likeliest resolved pairs that are six or more residues apart; arrays packed, shape (P,)."""
    i, j = triangle(length)
    best = top_pairs(scores, mask, length, count)
    return Contacts(np.stack([i[best], j[best]], axis=1), contacts[best])


def likeliest(scores: np.ndarray, one: Targets) -> Contacts:
    """The L / 2 pairs that are drawn on a structure."""
    length = len(one.sequence)
    return top_contacts(scores, one.contacts, one.pair_mask, length, max(1, length // 2))


def pdb_text(chain: Chain, ss3: str) -> str:
    """The backbone as PDB text, centred on the origin, with the secondary structure of `ss3` (H, E or other)."""
    points = chain.coordinates[:, [ATOM_INDEX[name] for name in BACKBONE]].astype(np.float64)  # (L, 4, 3)
    return backbone_pdb(chain.sequence, {"A": points}, ss3)
