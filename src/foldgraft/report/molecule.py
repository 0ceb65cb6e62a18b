"""Protein chains as the report draws them: PDB text and contact lists."""

from dataclasses import dataclass

import numpy as np

from foldgraft.metrics.contacts import top_pairs
from foldgraft.records.chains import Chain
from foldgraft.records.pairs import triangle
from foldgraft.records.targets import Targets
from foldgraft.residues import ATOM_INDEX, ONE_TO_THREE

BACKBONE = ("N", "CA", "C", "O")


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
    """The backbone as PDB text, centred on the origin, with the secondary structure of `ss3` (H, E or other).

    Residues are numbered from 1 along the SEQRES sequence; unresolved ones are absent.
    """
    points = chain.coordinates[:, [ATOM_INDEX[name] for name in BACKBONE]].astype(np.float64)  # (L, 4, 3)
    points = points - np.nanmean(points[:, 1], axis=0)
    lines = [*_secondary(chain.sequence, ss3)]
    serial = 0
    for number, (letter, atoms) in enumerate(zip(chain.sequence, points, strict=True), start=1):
        residue = ONE_TO_THREE.get(letter, "UNK")
        for name, (x, y, z) in zip(BACKBONE, atoms, strict=True):
            if np.isfinite(x + y + z):
                serial += 1
                lines.append(
                    f"ATOM  {serial:5d}  {name:<3s} {residue} A{number:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00     "
                    f"      {name[0]}"
                )
    return "\n".join([*lines, "END", ""])


def _secondary(sequence: str, ss3: str) -> list[str]:
    lines = []
    for kind, start, stop in _stretches(ss3):
        first, last = (ONE_TO_THREE.get(sequence[at], "UNK") for at in (start, stop))
        if kind == "H":
            lines.append(
                f"HELIX  {len(lines) % 999 + 1:3d} {len(lines) % 999 + 1:3d} {first} A {start + 1:4d}  {last} A"
                f" {stop + 1:4d}  1{'':30s} {stop - start + 1:5d}"
            )
        else:
            lines.append(f"SHEET  {len(lines) % 999 + 1:3d}   A 1 {first} A{start + 1:4d}  {last} A{stop + 1:4d}  0")
    return lines


def _stretches(ss3: str) -> list[tuple[str, int, int]]:
    """(state, first, last) of helices and strands of two residues or more."""
    found, start = [], 0
    for at in range(1, len(ss3) + 1):
        if at == len(ss3) or ss3[at] != ss3[start]:
            if ss3[start] in "HE" and at - start > 1:
                found.append((ss3[start], start, at - 1))
            start = at
    return found
