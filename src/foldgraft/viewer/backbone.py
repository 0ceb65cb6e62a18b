"""The backbone of chains as PDB text, for a viewer in a page."""

from collections.abc import Mapping

import numpy as np

from foldgraft.residues import ONE_TO_THREE

BACKBONE = ("N", "CA", "C", "O")


def backbone_pdb(sequence: str, chains: Mapping[str, np.ndarray], ss3: str = "") -> str:
    """The backbone of chains of one sequence as PDB text, centred on the origin.

    Residues are numbered from 1 along the sequence; unresolved ones are absent.

    Parameters
    ----------
    sequence : str
    chains : mapping of str to float array, shape (L, 4, 3)
        coordinates of the atoms `BACKBONE`, angstrom, NaN where not resolved, by the letter of a chain.
    ss3 : str, optional
        secondary structure of the first chain: H, E or other.
    """
    centre = np.nanmean(np.concatenate([points[:, 1] for points in chains.values()]), axis=0)
    lines = [*_secondary(sequence, ss3, next(iter(chains)))]
    serial = 0
    for name, points in chains.items():
        for number, (letter, atoms) in enumerate(zip(sequence, points - centre, strict=True), start=1):
            residue = ONE_TO_THREE.get(letter, "UNK")
            for atom, (x, y, z) in zip(BACKBONE, atoms, strict=True):
                if np.isfinite(x + y + z):
                    serial = serial % 99_999 + 1
                    lines.append(
                        f"ATOM  {serial:5d}  {atom:<3s} {residue} {name}{number:4d}    {x:8.3f}{y:8.3f}{z:8.3f}"
                        f"  1.00  0.00           {atom[0]}"
                    )
        lines.append("TER")
    return "\n".join([*lines, "END", ""])


def _secondary(sequence: str, ss3: str, name: str) -> list[str]:
    lines = []
    for kind, start, stop in _stretches(ss3):
        first, last = (ONE_TO_THREE.get(sequence[at], "UNK") for at in (start, stop))
        if kind == "H":
            lines.append(
                f"HELIX  {len(lines) % 999 + 1:3d} {len(lines) % 999 + 1:3d} {first} {name} {start + 1:4d}  {last} "
                f"{name} {stop + 1:4d}  1{'':30s} {stop - start + 1:5d}"
            )
        else:
            lines.append(
                f"SHEET  {len(lines) % 999 + 1:3d}   A 1 {first} {name}{start + 1:4d}  {last} {name}{stop + 1:4d}  0"
            )
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
