"""Backbones from torsion angles, with the bond lengths and angles of Engh and Huber (1991)."""

import numpy as np

from foldgraft.geometry import Array, place_atom

ORDER = ("N", "CA", "CB", "C", "O")
"""Atoms of a residue as stored here: turning phi moves CB and all after it, turning psi moves O and all after it."""

N_CA, CA_C, C_N, C_O, CA_CB = 1.458, 1.525, 1.329, 1.231, 1.530  # angstrom
ANGLE_N_CA_C, ANGLE_CA_C_N, ANGLE_C_N_CA, ANGLE_CA_C_O = np.radians([111.0, 117.2, 121.7, 120.4])
ANGLE_N_CA_CB, TORSION_CB = np.radians([110.5, -122.6])  # torsion C-N-CA-CB less phi: L-amino acids
OMEGA = np.pi


def build(phi: Array, psi: Array) -> Array:
    """Backbone atoms of a chain of trans peptides.

    Parameters
    ----------
    phi, psi : array, shape (L,), radians; the first phi places nothing that the frame does not absorb

    Returns
    -------
    float64 array, shape (L, 5, 3), angstrom, atoms in the order of `ORDER`.
    """
    length = len(phi)
    atoms = np.zeros((length, len(ORDER), 3))
    n = np.array([0.0, 0.0, 0.0])
    ca = np.array([N_CA, 0.0, 0.0])
    before = np.array([-0.5, 1.0, 0.0])
    for i in range(length):
        c = place_atom(before, n, ca, CA_C, ANGLE_N_CA_C, phi[i])
        following = place_atom(n, ca, c, C_N, ANGLE_CA_C_N, psi[i])
        atoms[i, 0], atoms[i, 1], atoms[i, 3] = n, ca, c
        atoms[i, 4] = place_atom(n, ca, c, C_O, ANGLE_CA_C_O, psi[i] + np.pi)
        before, n, ca = c, following, place_atom(ca, c, following, N_CA, ANGLE_C_N_CA, OMEGA)
    atoms[:, 2] = place_atom(atoms[:, 3], atoms[:, 0], atoms[:, 1], CA_CB, ANGLE_N_CA_CB, TORSION_CB)
    return atoms


def turn(atoms: Array, residue: int, delta_phi: float, delta_psi: float) -> Array:
    """The chain after phi and psi of one residue have grown by the given radians; shape (L, 5, 3) as given."""
    flat = atoms.reshape(-1, 3).copy()
    start = residue * len(ORDER)
    n, ca, c = flat[start], flat[start + 1], flat[start + 3]
    flat[start + 2 :] = _about(flat[start + 2 :], n, ca, delta_phi)
    c = flat[start + 3].copy()
    flat[start + 4 :] = _about(flat[start + 4 :], ca, c, delta_psi)
    return flat.reshape(atoms.shape)


def _about(points: Array, origin: Array, end: Array, angle: float) -> Array:
    x, y, z = (end - origin) / np.sqrt(((end - origin) ** 2).sum())
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    rotation = np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)  # Rodrigues
    return (points - end) @ rotation.T + end
