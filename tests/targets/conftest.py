"""Chains to compute targets of: peptides built from given torsions, and real ones read by Biopython."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from foldgraft.geometry import place_atom
from foldgraft.records.chains import Chain
from foldgraft.records.files import sequence_sha256
from foldgraft.residues import ATOM_INDEX, ATOMS, CHI_ATOMS, THREE_TO_ONE


def _make_chain(coordinates: np.ndarray, sequence: str, name: str = "1abc_A") -> Chain:
    resolved = ~np.isnan(coordinates[:, ATOM_INDEX["CA"]]).any(axis=-1)
    return Chain(
        id=name,
        entry=name.split("_")[0],
        label_asym_id="A",
        auth_asym_id="A",
        entity="1",
        sequence=sequence,
        sequence_sha256=sequence_sha256(sequence),
        resolved=resolved,
        label_seq_id=np.arange(1, len(sequence) + 1),
        auth_seq_id=[str(i + 1) if there else "" for i, there in enumerate(resolved)],
        coordinates=coordinates.astype(np.float32),
        b_factor=np.where(resolved, 20, np.nan).astype(np.float32),
        method="X-RAY DIFFRACTION",
        resolution=2.0,
        released=None,
        uniprot=None,
        organism=None,
        source="files",
    )


def _peptide(sequence: str, degrees: np.ndarray) -> np.ndarray:
    """Coordinates, shape (L, 37, 3), of a peptide with these phi, psi, omega and chi1 to chi4, shape (L, 7)."""
    torsions = np.radians(np.asarray(degrees, dtype=np.float64))
    atoms = np.full((len(sequence), len(ATOMS), 3), np.nan)
    n, ca = np.zeros(3), np.array([1.458, 0, 0])
    c = place_atom([1.0, 1.0, 0.0], n, ca, 1.525, np.radians(111.0), 0.3)
    for i, letter in enumerate(sequence):
        if i:
            phi, omega = torsions[i, 0], torsions[i, 2]
            previous = (n, ca, c)
            n = place_atom(*previous, 1.329, np.radians(117.2), torsions[i - 1, 1])
            ca = place_atom(*previous[1:], n, 1.458, np.radians(121.7), omega)
            c = place_atom(previous[2], n, ca, 1.525, np.radians(111.0), phi)
        o = place_atom(n, ca, c, 1.231, np.radians(120.5), torsions[i, 1] + np.pi)
        cb = place_atom(c, n, ca, 1.522, 1.927, -2.143)
        for name, point in zip(("N", "CA", "C", "O", "CB"), (n, ca, c, o, cb), strict=True):
            atoms[i, ATOM_INDEX[name]] = point
        if letter == "G":
            atoms[i, ATOM_INDEX["CB"]] = np.nan
        for number, names in enumerate(CHI_ATOMS.get(letter, ())):
            *before, last = (ATOM_INDEX[name] for name in names.split())
            atoms[i, last] = place_atom(*atoms[i, before], 1.52, 1.93, torsions[i, 3 + number])
    return atoms


@pytest.fixture(scope="session")
def make_chain() -> Callable[..., Chain]:
    return _make_chain


@pytest.fixture(scope="session")
def peptide() -> Callable[[str, np.ndarray], np.ndarray]:
    return _peptide


@pytest.fixture(scope="session")
def read_pdb() -> Callable[[Path], tuple]:
    """Reads a gzip-compressed one-chain PDB file; returns Biopython's chain and ours, residue for residue."""
    from Bio.PDB import PDBParser

    def read(path: Path) -> tuple:
        with gzip.open(path, "rt") as handle:
            theirs = next(PDBParser(QUIET=True).get_structure("x", handle)[0].get_chains())
        residues = [residue for residue in theirs if residue.resname in THREE_TO_ONE]
        coordinates = np.full((len(residues), len(ATOMS), 3), np.nan)
        for row, residue in zip(coordinates, residues, strict=True):
            for atom in residue:
                if atom.name in ATOM_INDEX:
                    row[ATOM_INDEX[atom.name]] = atom.coord
        sequence = "".join(THREE_TO_ONE[residue.resname] for residue in residues)
        return residues, _make_chain(coordinates, sequence, path.name.split(".")[0])

    return read


@pytest.fixture
def real_paths(real_data) -> Callable[[int], Iterator[Path]]:
    """One of every `step` real chains."""
    return lambda step: sorted((real_data / "structures" / "bm5_chains").glob("*.pdb.gz"))[::step]
