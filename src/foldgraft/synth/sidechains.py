"""Side chains from ideal geometry: every heavy atom has three parents, a bond, an angle, and a torsion.

Bond lengths and angles are those of Engh and Huber (1991), rounded. A torsion is a chi angle plus an offset, or, in
rings and planar groups, the offset alone.
"""

from itertools import product

import numpy as np

from foldgraft.geometry import Array, place_atom
from foldgraft.residues import SIDE_CHAIN
from foldgraft.synth.backbone import ORDER

SP3 = (-65.0, 180.0, 62.0)

TABLE = {
    "C": "SG N CA CB 1.808 113.8 1 0",
    "D": "CG N CA CB 1.516 112.6 1 0; OD1 CA CB CG 1.249 118.4 2 0; OD2 CA CB CG 1.249 118.4 2 180",
    "E": "CG N CA CB 1.520 114.1 1 0; CD CA CB CG 1.516 112.6 2 0; OE1 CB CG CD 1.249 118.4 3 0;"
    "OE2 CB CG CD 1.249 118.4 3 180",
    "F": "CG N CA CB 1.502 113.8 1 0; CD1 CA CB CG 1.384 120.7 2 0; CD2 CA CB CG 1.384 120.7 2 180;"
    "CE1 CB CG CD1 1.382 120.7 0 180; CE2 CB CG CD2 1.382 120.7 0 180; CZ CG CD1 CE1 1.382 120.0 0 0",
    "H": "CG N CA CB 1.497 113.8 1 0; ND1 CA CB CG 1.378 122.7 2 0; CD2 CA CB CG 1.354 131.2 2 180;"
    "CE1 CB CG ND1 1.321 109.0 0 180; NE2 CB CG CD2 1.374 107.2 0 180",
    "I": "CG1 N CA CB 1.530 110.4 1 0; CG2 N CA CB 1.521 110.5 1 -123; CD1 CA CB CG1 1.513 113.8 2 0",
    "K": "CG N CA CB 1.520 114.1 1 0; CD CA CB CG 1.520 111.3 2 0; CE CB CG CD 1.520 111.3 3 0;"
    "NZ CG CD CE 1.489 111.9 4 0",
    "L": "CG N CA CB 1.530 116.3 1 0; CD1 CA CB CG 1.521 110.7 2 0; CD2 CA CB CG 1.521 110.7 2 122.5",
    "M": "CG N CA CB 1.520 114.1 1 0; SD CA CB CG 1.803 112.7 2 0; CE CB CG SD 1.791 100.9 3 0",
    "N": "CG N CA CB 1.516 112.6 1 0; OD1 CA CB CG 1.231 120.8 2 0; ND2 CA CB CG 1.328 116.4 2 180",
    "P": "CG N CA CB 1.492 102.5 1 0; CD CA CB CG 1.503 103.0 2 0",
    "Q": "CG N CA CB 1.520 114.1 1 0; CD CA CB CG 1.516 112.6 2 0; OE1 CB CG CD 1.231 120.8 3 0;"
    "NE2 CB CG CD 1.328 116.4 3 180",
    "R": "CG N CA CB 1.520 114.1 1 0; CD CA CB CG 1.520 111.3 2 0; NE CB CG CD 1.460 112.0 3 0;"
    "CZ CG CD NE 1.329 124.2 4 0; NH1 CD NE CZ 1.326 120.0 0 0; NH2 CD NE CZ 1.326 119.7 0 180",
    "S": "OG N CA CB 1.417 111.1 1 0",
    "T": "OG1 N CA CB 1.433 109.6 1 0; CG2 N CA CB 1.521 110.5 1 -120.3",
    "V": "CG1 N CA CB 1.521 110.5 1 0; CG2 N CA CB 1.521 110.5 1 122.8",
    "W": "CG N CA CB 1.498 113.6 1 0; CD1 CA CB CG 1.365 126.9 2 0; CD2 CA CB CG 1.433 126.8 2 180;"
    "NE1 CB CG CD1 1.374 110.2 0 180; CE2 CB CG CD2 1.409 107.2 0 180; CE3 CB CG CD2 1.398 133.9 0 0;"
    "CZ2 CG CD2 CE2 1.394 122.4 0 180; CZ3 CG CD2 CE3 1.382 118.6 0 180; CH2 CD2 CE2 CZ2 1.368 117.5 0 0",
    "Y": "CG N CA CB 1.512 113.9 1 0; CD1 CA CB CG 1.389 120.8 2 0; CD2 CA CB CG 1.389 120.8 2 180;"
    "CE1 CB CG CD1 1.382 121.2 0 180; CE2 CB CG CD2 1.382 121.2 0 180; CZ CG CD1 CE1 1.378 119.6 0 0;"
    "OH CD1 CE1 CZ 1.376 119.9 0 180",
}
"""atom, its parents from far to near, bond (angstrom), angle (degrees), chi number or 0, offset (degrees)"""

CHI = {
    "C": (SP3,), "D": (SP3, (-15.0, 30.0)), "E": (SP3, SP3, (0.0,)), "F": (SP3, (85.0, 30.0)),
    "H": (SP3, (-75.0, 80.0)), "I": (SP3, (170.0, -60.0)), "K": (SP3, SP3, (180.0,), (180.0,)),
    "L": (SP3, (175.0, 65.0)), "M": (SP3, SP3, (180.0,)), "N": (SP3, (-30.0, 30.0)),
    "P": ((-26.0, 29.0), (36.0, -36.0)), "Q": (SP3, SP3, (0.0,)), "R": (SP3, SP3, (180.0,), (180.0,)), "S": (SP3,),
    "T": (SP3,), "V": ((175.0, -60.0, 63.0),),
    "W": (SP3, (90.0, -95.0)), "Y": (SP3, (85.0, 30.0)),
}  # fmt: skip
"""Common values of chi1, chi2, ... in degrees; a rotamer is a choice of each (after Lovell et al. 2000)."""

CLASH = 3.3  # angstrom between heavy atoms not bonded; nearer ones cost their overlap squared


def rotamers(rng: np.random.Generator, letter: str) -> Array:
    """All combinations of the residue's chi angles, each a few degrees off; shape (R, number of chi), degrees."""
    choices = list(product(*CHI.get(letter, ())))
    if letter == "P":  # the pucker couples the two
        choices = list(zip(*CHI["P"], strict=True))
    grid = np.array(choices, dtype=float)
    return grid + rng.normal(0.0, 2.0 if letter == "P" else 6.0, grid.shape)


def place(letter: str, backbone: Array, chi: Array) -> Array:
    """Side-chain atoms beyond CB, for each rotamer.

    Parameters
    ----------
    letter : one-letter residue
    backbone : array, shape (5, 3), atoms in the order of `ORDER`
    chi : array, shape (R, number of chi), degrees

    Returns
    -------
    float64 array, shape (R, A, 3), atoms in the order of `SIDE_CHAIN` without CB.
    """
    count = len(chi)
    atoms = {name: np.broadcast_to(point, (count, 3)) for name, point in zip(ORDER, backbone, strict=True)}
    for line in TABLE.get(letter, "").split(";"):
        if line:
            name, a, b, c, bond, angle, number, offset = line.split()
            torsion = float(offset) + (chi[:, int(number) - 1] if int(number) else np.zeros(count))
            atoms[name] = place_atom(
                atoms[a], atoms[b], atoms[c], float(bond), np.radians(float(angle)), np.radians(torsion)
            )
    names = SIDE_CHAIN[letter].split()[1:]
    return np.stack([atoms[name] for name in names], axis=1) if names else np.zeros((count, 0, 3))


def pack(rng: np.random.Generator, sequence: str, backbone: Array) -> list[dict[str, Array]]:
    """Full heavy atoms of each residue: the rotamer with the least overlap is taken, one residue after the other.

    Parameters
    ----------
    sequence : L one-letter residues
    backbone : array, shape (L, 5, 3), angstrom

    Returns
    -------
    L dicts from atom name to position (3,); glycine has no CB.
    """
    length = len(sequence)
    others = np.concatenate([backbone.reshape(-1, 3), np.full((10 * length, 3), np.inf)])
    owner = np.concatenate([np.repeat(np.arange(length), len(ORDER)), np.full(10 * length, -1)])
    others[[i * len(ORDER) + 2 for i, letter in enumerate(sequence) if letter == "G"]] = np.inf
    used = length * len(ORDER)
    residues = []
    for i, letter in enumerate(sequence):
        names = [name for name in ORDER if letter != "G" or name != "CB"]
        residue = {name: backbone[i, ORDER.index(name)] for name in names}
        side = SIDE_CHAIN[letter].split()[1:]
        if side:
            candidates = place(letter, backbone[i], rotamers(rng, letter))
            best = candidates[np.argmin(overlaps(candidates, others[:used][owner[:used] != i]))]
            residue.update(zip(side, best, strict=True))
            others[used : used + len(side)], owner[used : used + len(side)] = best, i
            used += len(side)
        residues.append(residue)
    return residues


def overlaps(candidates: Array, others: Array) -> Array:
    """Sum of squared overlaps of each rotamer (R, A, 3) with the other atoms (P, 3); shape (R,), angstrom^2."""
    centre = candidates.reshape(-1, 3).mean(0)
    near = others[((others - centre) ** 2).sum(-1) < 144.0]
    separation = np.linalg.norm(candidates[:, :, None] - near, axis=-1)  # (R, A, P)
    return (np.clip(CLASH - separation, 0.0, None) ** 2).sum((1, 2))
