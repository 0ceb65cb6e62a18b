"""Folds and side chains: allowed geometry by Biopython's measure, compact, and without clashes."""

import numpy as np
import pytest
from Bio.PDB.vectors import Vector, calc_angle, calc_dihedral
from hypothesis import given, settings
from hypothesis import strategies as st

from foldgraft.geometry import dihedral, distances
from foldgraft.residues import AMINO_ACIDS, CHI_ATOMS, SIDE_CHAIN
from foldgraft.synth.backbone import build, turn
from foldgraft.synth.fold import Fold, compact, contacts, energy_change, sample_layout, vary
from foldgraft.synth.sidechains import pack, place

ANGLES = st.floats(-np.pi, np.pi)


@pytest.fixture(scope="module")
def folds() -> list[Fold]:
    return [compact(np.random.default_rng(seed), 60, 90) for seed in range(4)]


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # Biopython, where omega is exactly 180 degrees
@given(st.lists(st.tuples(ANGLES, ANGLES), min_size=3, max_size=8))
@settings(max_examples=25)
def test_build_has_the_torsions_asked_for(angles):
    phi, psi = np.array(angles).T
    atoms = build(phi, psi)
    for i in range(1, len(phi)):
        c, n, ca, last = (Vector(*p) for p in (atoms[i - 1, 3], atoms[i, 0], atoms[i, 1], atoms[i, 3]))
        assert np.cos(calc_dihedral(c, n, ca, last) - phi[i]) == pytest.approx(1.0, abs=1e-6)
        assert (c - n).norm() == pytest.approx(1.329, abs=1e-6)
        assert calc_angle(c, n, ca) == pytest.approx(np.radians(121.7), abs=1e-6)
        before = Vector(*atoms[i - 1, 1]), c, n, ca
        assert np.cos(calc_dihedral(*before)) == pytest.approx(-1.0, abs=1e-6)


@given(st.integers(0, 5), ANGLES, ANGLES)
@settings(max_examples=25)
def test_turn_is_a_rebuild(residue, delta_phi, delta_psi):
    phi, psi = np.full(6, -1.2), np.full(6, 2.2)
    turned = turn(build(phi, psi), residue, delta_phi, delta_psi)
    phi[residue] += delta_phi
    psi[residue] += delta_psi
    rebuilt = build(phi, psi)
    assert np.allclose(distances(turned.reshape(-1, 3)), distances(rebuilt.reshape(-1, 3)), atol=1e-6)


def test_energy_change_misses_no_pair(folds):
    """Against all pairs at least three apart, summed one by one."""
    from foldgraft.synth.fold import BINS, STEP, TABLES, compactness

    def whole(points):
        total = 0.0
        for i in range(len(points)):
            for j in range(i + 3, len(points)):
                for a in (0, 1):
                    for b in (0, 1):
                        square = ((points[i, a] - points[j, b]) ** 2).sum()
                        total += TABLES[(2 * a + b) * BINS + min(int(square / STEP), BINS - 1)]
        return total + compactness(points)

    atoms = folds[0].atoms
    for pivot in (1, 20, len(atoms) - 2):
        moved = turn(atoms, pivot, 0.3, -0.4)
        before, after = atoms[:, 1:3], moved[:, 1:3]
        assert energy_change(before, after, pivot) == pytest.approx(whole(after) - whole(before), abs=0.5)


@given(st.integers(0, 500))
@settings(max_examples=50)
def test_layouts_have_the_lengths_asked_for(seed):
    layout = sample_layout(np.random.default_rng(seed), 60, 110)
    assert 60 <= len(layout) <= 110
    assert layout[0] == layout[-1] == "L" and set(layout) <= set("HETL")


def test_folds_are_compact_and_do_not_clash(folds):
    for fold in folds:
        length = len(fold.layout)
        assert 0.8 <= len(contacts(fold, 8.0, 6)) / length <= 2.6
        assert len(contacts(fold, 8.0, 24)) > 5
        for atom, least in ((1, 3.8), (2, 3.0)):
            assert distances(fold.atoms[:, atom])[np.triu_indices(length, 3)].min() > least


def test_strands_of_a_sheet_are_bonded(folds):
    """DSSP's electrostatic energy below -0.5 kcal/mol (Kabsch and Sander 1983), hydrogens opposite the C=O before."""
    bonded = strands = 0
    for fold in folds:
        n, c, o = (fold.atoms[:, k] for k in (0, 3, 4))
        hydrogen = n[1:] + (c[:-1] - o[:-1]) / 1.231
        inverse = {
            "on": 1 / np.linalg.norm(o[:, None] - n[1:], axis=-1),
            "ch": 1 / np.linalg.norm(c[:, None] - hydrogen, axis=-1),
            "oh": 1 / np.linalg.norm(o[:, None] - hydrogen, axis=-1),
            "cn": 1 / np.linalg.norm(c[:, None] - n[1:], axis=-1),
        }
        energy = 27.9 * (inverse["on"] + inverse["ch"] - inverse["oh"] - inverse["cn"])
        apart = np.abs(np.arange(len(n))[:, None] - np.arange(1, len(n))) > 2
        pairs = np.argwhere((energy < -0.5) & apart)
        near_bond = {site for i, j in pairs.tolist() for site in (i - 1, i, i + 1, j, j + 1, j + 2)}
        for i, state in enumerate(fold.layout):
            strands += state == "E"
            bonded += state == "E" and i in near_bond
    assert strands > 20 and bonded / strands > 0.8


def test_relatives_are_near_but_not_the_same(folds):
    for fold in folds:
        other = vary(np.random.default_rng(1), fold)
        drift = np.sqrt(np.mean((distances(other.atoms[:, 1]) - distances(fold.atoms[:, 1])) ** 2))
        assert 0.2 < drift < 1.0
        rebuilt = build(other.phi, other.psi)
        assert np.allclose(distances(rebuilt[:, 1]), distances(other.atoms[:, 1]), atol=1e-6)


@pytest.mark.parametrize("letter", AMINO_ACIDS)
def test_side_chains_have_their_atoms_and_torsions(letter, folds):
    chi = np.tile(np.array([[-65.0, 100.0, 170.0, -150.0]]), (2, 1))
    backbone = folds[0].atoms[5]
    atoms = dict(zip(("N", "CA", "CB", "C", "O"), backbone, strict=True))
    names = SIDE_CHAIN[letter].split()[1:]
    placed = place(letter, backbone, chi)
    assert placed.shape == (2, len(names), 3)
    atoms.update(zip(names, placed[0], strict=True))
    for k, quad in enumerate(CHI_ATOMS.get(letter, ())):
        assert np.degrees(dihedral(*(atoms[a] for a in quad.split()))) == pytest.approx(chi[0, k], abs=1e-6)


def test_rings_close(folds):
    bonds = {
        "F": [("CE2", "CZ", 1.38)],
        "Y": [("CE2", "CZ", 1.38)],
        "W": [("CZ3", "CH2", 1.40), ("NE1", "CE2", 1.37)],
        "H": [("CE1", "NE2", 1.32)],
    }
    for letter, closing in bonds.items():
        names = SIDE_CHAIN[letter].split()[1:]
        ring = dict(zip(names, place(letter, folds[0].atoms[5], np.array([[-65.0, 90.0]]))[0], strict=True))
        for a, b, bond in closing:
            assert np.linalg.norm(ring[a] - ring[b]) == pytest.approx(bond, abs=0.03)


def test_packed_residues_rarely_overlap(folds):
    rng = np.random.default_rng(0)
    for fold in folds:
        sequence = "".join(rng.choice(list("AVLIMSTNDEKR"), len(fold.layout)))
        residues = pack(rng, sequence, fold.atoms)
        assert all(
            set(r) == {"N", "CA", "C", "O", *SIDE_CHAIN[s].split()} for r, s in zip(residues, sequence, strict=True)
        )
        points = np.concatenate([list(r.values()) for r in residues])
        owner = np.repeat(np.arange(len(residues)), [len(r) for r in residues])
        apart = np.subtract.outer(owner, owner) >= 2
        assert (distances(points)[apart] < 2.2).sum() < 0.05 * len(residues) + 4
