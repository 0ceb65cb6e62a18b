"""The residues of a file with what the rules of chains ask of them: names, backbone, and which are amino acids."""

from collections.abc import Mapping

import numpy as np

from foldgraft.curate.entry import Atoms, Residues
from foldgraft.curate.residue_names import amino_acids, letter


class Model:
    """The residues of a file with what the rules above ask of them."""

    def __init__(self, atoms: Atoms, residues: Residues, parents: Mapping[str, str]):
        self.atoms, self.residues, self.parents = atoms, residues, parents
        self.backbone = backbone(atoms, len(residues))
        self.named = amino_acids(residues.name, parents)
        self.amino = self.named | np.isfinite(self.backbone[:, :, 0]).all(axis=0)

    def names(self, members: np.ndarray) -> list[str]:
        low, high = int(members[0]), int(members[-1]) + 1
        if high - low == len(members) and (members[1:] > members[:-1]).all():
            return self.residues.name[low:high]
        return [self.residues.name[k] for k in members.tolist()]

    def letters(self, members: np.ndarray) -> str:
        return "".join(letter(self.residues.name[k], self.parents) for k in members.tolist())

    def signature(self, residue: int) -> frozenset[tuple[int, bytes]]:
        """The kinds and alternate locations of a residue's heavy atoms that have a column."""
        part = slice(*self.residues.start[residue : residue + 2].tolist())
        return signature(self.atoms, part)

    def by_strand(self) -> dict[int, np.ndarray]:
        """The residues of each strand, in the order of the file."""
        strand = self.residues.strand
        if not len(strand):
            return {}
        edges = np.flatnonzero(strand[1:] != strand[:-1]) + 1
        if not len(edges):
            return {int(strand[0]): np.arange(len(strand))}
        runs: dict[int, list[np.ndarray]] = {}
        for start, stop in zip([0, *edges.tolist()], [*edges.tolist(), len(strand)], strict=True):
            runs.setdefault(int(strand[start]), []).append(np.arange(start, stop))
        return {key: parts[0] if len(parts) == 1 else np.concatenate(parts) for key, parts in runs.items()}


def signature(atoms: Atoms, part: slice) -> frozenset[tuple[int, bytes]]:
    """The kinds and alternate locations of the atoms of a residue, of those that have a column."""
    both = zip(atoms.kind[part].tolist(), atoms.altloc[part].tolist(), strict=True)
    return frozenset((kind, altloc) for kind, altloc in both if kind >= 0)


def backbone(atoms: Atoms, count: int) -> np.ndarray:
    """(3, R, 3) N, CA and C of each residue, the first of each name, angstrom; NaN where there is none."""
    points = np.full((3, count, 3), np.nan)
    at = np.flatnonzero((atoms.kind >= 0) & (atoms.kind <= 2))[::-1]  # N, CA and C are the first kinds
    points[atoms.kind[at], atoms.residue[at]] = atoms.coordinates[at]
    return points
