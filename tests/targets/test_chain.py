"""All targets of a chain: their shapes, their invariance, and an audit that adds up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldgraft.records.pairs import unpack
from foldgraft.records.targets import MASKED, TORSIONS
from foldgraft.residues import AMINO_ACIDS, ATOM_INDEX
from foldgraft.targets.chain import chain_targets
from foldgraft.targets.masks import COLUMNS
from foldgraft.targets.settings import TargetsSettings

SEQUENCE = AMINO_ACIDS * 4


def helix(peptide, length=len(SEQUENCE)):
    degrees = np.full((length, 7), 60.0)
    degrees[:, :3] = -57, -47, 180
    return peptide(SEQUENCE[:length], degrees)


def audit_of(chain):
    targets, rows = chain_targets(chain, TargetsSettings())
    table = {row[1]: dict(zip(COLUMNS[2:], row[2:], strict=True)) for row in rows}
    assert {row[0] for row in rows} == {chain.id}
    assert list(table) == ["residues", "pairs", *TORSIONS]
    return targets, table


def test_shapes_and_masked_values(peptide, make_chain):
    coordinates = helix(peptide)
    coordinates[10:14] = np.nan
    targets, _ = audit_of(make_chain(coordinates, SEQUENCE))
    length = len(SEQUENCE)
    pairs = length * (length - 1) // 2
    assert targets.distogram.shape == targets.contacts.shape == targets.pair_mask.shape == (pairs,)
    assert targets.torsions.shape == (length, 7, 2)
    assert targets.torsion_mask.shape == (length, 7)
    mask = unpack(targets.pair_mask, length)
    assert not mask[10:14].any()
    assert mask[20:, :10].all()
    assert (targets.distogram[~targets.pair_mask] == MASKED).all()
    assert (targets.distogram[targets.pair_mask] < 64).all()
    assert not targets.contacts[~targets.pair_mask].any()
    assert (targets.torsions[~targets.torsion_mask] == 0).all()
    np.testing.assert_allclose((targets.torsions[targets.torsion_mask] ** 2).sum(axis=-1), 1, atol=1e-6)
    assert targets.ss3[10:14] == "----"
    assert set(targets.ss3[20:70]) == {"H"}


def test_a_contact_is_a_pair_in_the_bins_below_eight_angstrom(peptide, make_chain):
    targets, _ = audit_of(make_chain(helix(peptide), SEQUENCE))
    assert targets.contacts[targets.distogram <= 18].all()  # edge 18 is 7.9375
    assert not targets.contacts[targets.distogram >= 20].any()  # edge 19 is 8.25
    assert targets.contacts.any()


def test_the_audit_of_a_whole_peptide(peptide, make_chain):
    targets, table = audit_of(make_chain(helix(peptide), SEQUENCE))
    length = len(SEQUENCE)
    assert table["residues"]["defined"] == table["residues"]["total"] == length
    assert table["pairs"]["defined"] == table["pairs"]["total"] == targets.pair_mask.sum()
    for name in ("phi", "psi", "omega"):
        assert table[name] | {"terminus": 1, "defined": length - 1, "total": length} == table[name]
    assert table["chi1"]["total"] == length - 2 * 4  # all but A and G
    assert table["chi4"]["total"] == 2 * 4  # K and R


def test_the_audit_says_why(peptide, make_chain):
    coordinates = helix(peptide)
    coordinates[30] = np.nan
    coordinates[50:] += [0, 0, 30]
    coordinates[60, ATOM_INDEX["CB"] :] = np.nan  # A has but a CB there
    coordinates[65, 5:] = np.nan  # G: nothing to lose
    coordinates[64, 5:] = np.nan  # F beyond CB
    targets, table = audit_of(make_chain(coordinates, SEQUENCE))
    assert table["phi"]["chain_break"] == table["psi"]["chain_break"] == table["omega"]["chain_break"] == 1
    assert table["phi"]["unresolved"] == table["psi"]["unresolved"] == 2
    assert table["residues"]["unresolved"] == 2  # residue 30, and 60 that lost its O too
    assert table["pairs"]["unresolved"] == len(SEQUENCE) - 1
    assert table["pairs"]["missing_side_chain"] == len(SEQUENCE) - 2
    assert table["chi1"]["missing_side_chain"] == table["chi2"]["missing_side_chain"] == 1
    assert table["pairs"]["defined"] == targets.pair_mask.sum()
    assert targets.ss3[30] == "-"


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_audit_adds_up_whatever_is_missing(peptide, make_chain, seed):
    rng = np.random.default_rng(seed)
    length = int(rng.integers(1, 40))
    coordinates = helix(peptide, length)
    coordinates[rng.random(length) < 0.2] = np.nan
    coordinates[rng.random((length, 37)) < 0.1] = np.nan
    coordinates[rng.random((length, 37)) < 0.02] = np.inf
    coordinates[rng.random((length, 37)) < 0.02] = 0
    targets, table = audit_of(make_chain(coordinates, SEQUENCE[:length]))
    for row in table.values():
        assert row["total"] == sum(row.values()) - row["total"]
    defined = targets.torsion_mask.sum(axis=0)
    assert [table[name]["defined"] for name in TORSIONS] == defined.tolist()
    assert table["pairs"]["defined"] == targets.pair_mask.sum()
    assert table["residues"]["defined"] == length - targets.ss3.count("-")
    assert np.isfinite(targets.torsions).all()


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_motion_changes_nothing(peptide, make_chain, seed):
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation[:, 0] *= np.sign(np.linalg.det(rotation))
    degrees = rng.uniform(-179, 179, (len(SEQUENCE), 7))
    degrees[20:60, :3] = -57, -47, 180
    coordinates = peptide(SEQUENCE, degrees)
    before, _ = chain_targets(make_chain(coordinates, SEQUENCE), TargetsSettings())
    after, _ = chain_targets(make_chain(coordinates @ rotation.T + 7, SEQUENCE), TargetsSettings())
    np.testing.assert_array_equal(before.pair_mask, after.pair_mask)
    np.testing.assert_array_equal(before.torsion_mask, after.torsion_mask)
    assert (before.contacts != after.contacts).mean() < 1e-3  # float32 coordinates at the very cutoff
    assert (before.distogram != after.distogram).mean() < 1e-3
    np.testing.assert_allclose(before.torsions, after.torsions, atol=1e-4)


def test_the_longest_bond_is_a_setting(peptide, make_chain):
    coordinates = helix(peptide, 10)
    step = coordinates[5, ATOM_INDEX["N"]] - coordinates[4, ATOM_INDEX["C"]]
    coordinates[5:] += step * (2.2 / np.linalg.norm(step) - 1)
    chain = make_chain(coordinates, SEQUENCE[:10])
    strict, _ = chain_targets(chain, TargetsSettings())
    loose, _ = chain_targets(chain, TargetsSettings(max_peptide_bond=2.5))
    assert loose.torsion_mask.sum() - strict.torsion_mask.sum() == 3


@pytest.mark.parametrize("value", [1.0, 3.0, "two"])
def test_impossible_bonds_are_refused(value):
    with pytest.raises(ValueError, match="max_peptide_bond"):
        TargetsSettings(max_peptide_bond=value)
