"""Torsions against the peptide that was built with them, and what is masked and why."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldgraft.records.targets import TORSIONS
from foldgraft.residues import AMINO_ACIDS, ATOM_INDEX, CHI_ATOMS
from foldgraft.targets.masks import Mask
from foldgraft.targets.torsions import peptide_bonds, sine_cosine, torsions

PHI, PSI, OMEGA, CHI1, CHI2, CHI3, CHI4 = range(7)
SEQUENCE = AMINO_ACIDS + "G"


def wrapped(degrees):
    return (np.asarray(degrees) + 180) % 360 - 180


@pytest.fixture(scope="module")
def built(peptide):
    """A peptide of all twenty residues with random torsions, and those torsions in degrees."""
    degrees = np.random.default_rng(7).uniform(-175, 175, (len(SEQUENCE), 7))
    return peptide(SEQUENCE, degrees), degrees


def test_the_angles_are_those_the_peptide_was_built_with(built):
    coordinates, degrees = built
    angles, states = torsions(coordinates, SEQUENCE, peptide_bonds(coordinates, 2.0))
    defined = states == Mask.DEFINED
    assert np.abs(wrapped(np.degrees(angles[defined]) - degrees[defined])).max() < 1e-6
    assert np.isnan(angles[~defined]).all()


def test_only_the_ends_and_absent_angles_are_masked_in_a_whole_peptide(built):
    coordinates, _ = built
    _, states = torsions(coordinates, SEQUENCE, peptide_bonds(coordinates, 2.0))
    expected = np.full((len(SEQUENCE), 7), Mask.DEFINED)
    expected[0, [PHI, OMEGA]] = Mask.TERMINUS
    expected[-1, PSI] = Mask.TERMINUS
    for i, letter in enumerate(SEQUENCE):
        expected[i, CHI1 + len(CHI_ATOMS.get(letter, ())) :] = Mask.NOT_APPLICABLE
    np.testing.assert_array_equal(states, expected)


def test_a_break_masks_the_angles_across_it(built):
    coordinates = built[0].copy()
    gap = coordinates[6, ATOM_INDEX["N"]] - coordinates[5, ATOM_INDEX["C"]]
    coordinates[6:] += gap / np.linalg.norm(gap) * 0.7  # C-N from 1.33 to 2.03 angstrom
    bonded = peptide_bonds(coordinates, 2.0)
    assert np.flatnonzero(~bonded).tolist() == [0, 6]
    _, states = torsions(coordinates, SEQUENCE, bonded)
    assert {(int(i), int(j)) for i, j in np.argwhere(states == Mask.CHAIN_BREAK)} == {(6, PHI), (6, OMEGA), (5, PSI)}
    assert peptide_bonds(coordinates, 2.1)[6]


def test_a_bond_of_exactly_the_longest_length_is_a_bond():
    coordinates = np.full((2, 37, 3), np.nan)
    coordinates[0, ATOM_INDEX["C"]] = [1.0, 2.0, 3.0]
    coordinates[1, ATOM_INDEX["N"]] = [1.0, 2.0, 5.0]
    assert peptide_bonds(coordinates, 2.0).tolist() == [False, True]
    assert peptide_bonds(coordinates, np.nextafter(2.0, 0)).tolist() == [False, False]


def test_an_unresolved_residue_masks_its_angles_and_its_neighbours(built):
    coordinates = built[0].copy()
    coordinates[9] = np.nan
    _, states = torsions(coordinates, SEQUENCE, peptide_bonds(coordinates, 2.0))
    assert (states[9, :CHI1] == Mask.UNRESOLVED).all()
    assert states[8, PSI] == states[10, PHI] == states[10, OMEGA] == Mask.UNRESOLVED
    chis = len(CHI_ATOMS[SEQUENCE[9]])
    assert (states[9, CHI1 : CHI1 + chis] == Mask.UNRESOLVED).all()
    assert (states[[8, 10]] == Mask.UNRESOLVED).sum() == 3


def test_a_truncated_side_chain_masks_from_the_missing_atom_on(built):
    coordinates = built[0].copy()
    arginine = SEQUENCE.index("R")
    coordinates[arginine, ATOM_INDEX["CD"]] = np.nan
    _, states = torsions(coordinates, SEQUENCE, peptide_bonds(coordinates, 2.0))
    missing = Mask.MISSING_SIDE_CHAIN
    assert states[arginine].tolist() == [Mask.DEFINED] * 4 + [missing] * 3


def test_a_missing_backbone_nitrogen_is_not_blamed_on_the_side_chain(built):
    coordinates = built[0].copy()
    coordinates[SEQUENCE.index("R"), ATOM_INDEX["N"]] = np.nan
    _, states = torsions(coordinates, SEQUENCE, peptide_bonds(coordinates, 2.0))
    assert (states[SEQUENCE.index("R"), CHI1:] == Mask.UNRESOLVED).all()


def test_atoms_in_a_line_have_no_torsion(built):
    coordinates = built[0].copy()
    coordinates[3, ATOM_INDEX["CB"]] = coordinates[3, ATOM_INDEX["CA"]]
    angles, states = torsions(coordinates, SEQUENCE, peptide_bonds(coordinates, 2.0))
    assert states[3, CHI1] == Mask.DEGENERATE
    assert np.isnan(angles[3, CHI1])


def test_a_single_residue_and_an_unknown_one(peptide):
    coordinates = peptide("R", np.full((1, 7), 60.0))
    _, states = torsions(coordinates, "R", peptide_bonds(coordinates, 2.0))
    assert states[0].tolist() == [Mask.TERMINUS] * 3 + [Mask.DEFINED] * 4
    _, states = torsions(coordinates, "X", peptide_bonds(coordinates, 2.0))
    assert (states[0, CHI1:] == Mask.NOT_APPLICABLE).all()


def test_sine_and_cosine_are_float32_and_zero_where_masked():
    pair = sine_cosine(np.array([np.pi / 6, np.nan]))
    assert pair.dtype == np.float32
    np.testing.assert_allclose(pair, [[0.5, np.sqrt(0.75)], [0, 0]], atol=1e-7)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), shift=st.floats(-500, 500))
def test_motion_changes_no_torsion_and_a_mirror_the_sign_of_each(peptide, seed, shift):
    rng = np.random.default_rng(seed)
    degrees = rng.uniform(-179, 179, (len(SEQUENCE), 7))
    coordinates = peptide(SEQUENCE, degrees)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation[:, 0] *= np.sign(np.linalg.det(rotation))
    bonded = peptide_bonds(coordinates, 2.0)
    before, states = torsions(coordinates, SEQUENCE, bonded)
    moved, moved_states = torsions(coordinates @ rotation.T + shift, SEQUENCE, bonded)
    mirrored, mirrored_states = torsions(coordinates * [1, 1, -1] + shift, SEQUENCE, bonded)
    np.testing.assert_array_equal(states, moved_states)
    np.testing.assert_array_equal(states, mirrored_states)
    defined = states == Mask.DEFINED
    assert np.abs(wrapped(np.degrees(moved - before)))[defined].max() < 1e-6
    assert np.abs(wrapped(np.degrees(mirrored + before)))[defined].max() < 1e-6


@pytest.mark.real
def test_agreement_with_biopython(real_paths, read_pdb, monkeypatch):
    """Internal coordinates of Biopython, to 0.01 degree, wherever both define the angle; they define the same ones."""
    from Bio.PDB.internal_coords import IC_Chain

    monkeypatch.setattr(IC_Chain, "MaxPeptideBond", 2.0)
    compared, only_one = 0, 0
    for path in real_paths(25):
        residues, chain = read_pdb(path)
        theirs = IC_Chain(residues[0].parent)
        theirs.atom_to_internal_coordinates()
        coordinates = chain.coordinates.astype(np.float64)
        angles, _ = torsions(coordinates, chain.sequence, peptide_bonds(coordinates, 2.0))
        names = ["omg" if name == "omega" else name for name in TORSIONS]
        expected = np.array(
            [[_angle(residue, name) for name in names] for residue in residues], dtype=np.float64
        )  # degrees
        both = ~np.isnan(expected) & ~np.isnan(angles)
        assert np.abs(wrapped(np.degrees(angles[both]) - expected[both])).max() < 0.01, path.name
        compared += both.sum()
        only_one += (np.isnan(expected) != np.isnan(angles)).sum()
    assert compared > 5000
    assert only_one < compared / 1000


def _angle(residue, name):
    angle = residue.internal_coord.get_angle(name) if residue.internal_coord else None
    return np.nan if angle is None else angle
