"""Backbone and side-chain torsions of a chain."""

import numpy as np

from foldgraft.geometry import dihedral
from foldgraft.records.targets import TORSIONS
from foldgraft.residues import ATOM_INDEX, ATOMS, CHI_ATOMS
from foldgraft.targets.masks import Mask

PHI, PSI, OMEGA, CHI1 = (TORSIONS.index(name) for name in ("phi", "psi", "omega", "chi1"))
NO_ATOM = len(ATOMS)


def _chi_table() -> np.ndarray:
    table = np.full((256, len(TORSIONS) - CHI1, 4), NO_ATOM)  # letter, chi, atom
    for letter, chis in CHI_ATOMS.items():
        for number, names in enumerate(chis):
            table[ord(letter), number] = [ATOM_INDEX[name] for name in names.split()]
    return table


CHI_TABLE = _chi_table()
"""(256, 4, 4): row of ATOMS for each letter's chi1 to chi4, NO_ATOM where the residue has no such angle."""


def peptide_bonds(coordinates: np.ndarray, longest: float) -> np.ndarray:
    """Whether each residue is bonded to the one before it in sequence; shape (L,), False for the first.

    Parameters
    ----------
    coordinates : float64 array, shape (L, 37, 3), angstrom, NaN where unresolved
    longest : longest C-N distance of a bond, angstrom
    """
    bonded = np.zeros(len(coordinates), dtype=bool)
    steps = coordinates[1:, ATOM_INDEX["N"]] - coordinates[:-1, ATOM_INDEX["C"]]
    bonded[1:] = np.einsum("ij,ij->i", steps, steps) <= longest**2
    return bonded


def torsions(coordinates: np.ndarray, sequence: str, bonded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Phi, psi, omega and chi1 to chi4 of every residue, signed as IUPAC-IUB 1970 says.

    Phi is C(i-1)-N-CA-C, psi N-CA-C-N(i+1), and omega, of the bond before the residue, CA(i-1)-C(i-1)-N-CA.

    Parameters
    ----------
    coordinates : float64 array, shape (L, 37, 3), angstrom, NaN where unresolved
    sequence : one letter per residue
    bonded : bool array, shape (L,), as `peptide_bonds` gives it

    Returns
    -------
    angles : float64 array, shape (L, 7), radians in (-pi, pi]; NaN where masked
    states : array of `Mask`, shape (L, 7)
    """
    length = len(coordinates)
    padded = np.concatenate([coordinates, np.full((length, 1, 3), np.nan)], axis=1)  # row NO_ATOM is NaN
    n, ca, c = (coordinates[:, ATOM_INDEX[name]] for name in ("N", "CA", "C"))
    atoms = np.full((length, len(TORSIONS), 4, 3), np.nan)
    atoms[:, PHI, 1], atoms[:, PHI, 2], atoms[:, PHI, 3] = n, ca, c
    atoms[1:, PHI, 0] = c[:-1]
    atoms[:, PSI, 0], atoms[:, PSI, 1], atoms[:, PSI, 2] = n, ca, c
    atoms[:-1, PSI, 3] = n[1:]
    atoms[1:, OMEGA, 0], atoms[1:, OMEGA, 1] = ca[:-1], c[:-1]
    atoms[:, OMEGA, 2], atoms[:, OMEGA, 3] = n, ca
    chi = CHI_TABLE[np.frombuffer(sequence.encode("ascii"), dtype=np.uint8)]  # (L, 4, 4)
    atoms[:, CHI1:] = padded[np.arange(length)[:, None, None], chi]

    angles = dihedral(atoms[:, :, 0], atoms[:, :, 1], atoms[:, :, 2], atoms[:, :, 3])
    states = _states(atoms, chi, bonded, np.isnan(angles))
    angles[states != Mask.DEFINED] = np.nan
    return angles, states


def _states(atoms: np.ndarray, chi: np.ndarray, bonded: np.ndarray, undefined: np.ndarray) -> np.ndarray:
    """Why each angle is masked; where two reasons hold, the one assigned last below."""
    absent = np.isnan(atoms[..., 0])  # (L, 7, 4)
    states = np.where(undefined, Mask.DEGENERATE, Mask.DEFINED).astype(np.int8)
    states[:, [PHI, OMEGA]] = np.where(bonded[:, None], states[:, [PHI, OMEGA]], Mask.CHAIN_BREAK)
    states[:-1, PSI] = np.where(bonded[1:], states[:-1, PSI], Mask.CHAIN_BREAK)
    states[:, CHI1:][absent[:, CHI1:].any(axis=-1)] = Mask.MISSING_SIDE_CHAIN
    states[:, :CHI1][absent[:, :CHI1].any(axis=-1)] = Mask.UNRESOLVED
    # every chi1 begins with N and CA, and a residue without them is not there at all
    without_backbone = np.isnan(atoms[:, PHI, 1:3, 0]).any(axis=-1)
    states[:, CHI1:][without_backbone] = Mask.UNRESOLVED
    states[0, [PHI, OMEGA]] = Mask.TERMINUS
    states[-1, PSI] = Mask.TERMINUS
    states[:, CHI1:][chi[..., 0] == NO_ATOM] = Mask.NOT_APPLICABLE
    return states


def sine_cosine(angles: np.ndarray) -> np.ndarray:
    """Sine and cosine of angles in radians, float32, 0 where NaN; shape (...) to (..., 2)."""
    pair = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    pair[np.isnan(pair)] = 0
    return pair.astype(np.float32)
