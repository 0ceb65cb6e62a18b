"""Orientation classes of pairs: against Biopython, at their edges, moved, mirrored, and with atoms missing."""

import numpy as np
import pytest
from Bio.PDB.vectors import Vector, calc_angle, calc_dihedral
from hypothesis import given, settings
from hypothesis import strategies as st

from foldgraft.errors import FoldgraftError
from foldgraft.records.chains import SCHEMA as CHAINS
from foldgraft.records.pairs import pack, unpack
from foldgraft.records.tables import row_writer
from foldgraft.records.targets import MASKED, ORIENTATION_CLASSES, read_contacts, read_orientations
from foldgraft.residues import AMINO_ACIDS, ATOM_INDEX
from foldgraft.targets.chain import chain_targets
from foldgraft.targets.masks import COLUMNS
from foldgraft.targets.orientations import beta_carbons, distance_classes, orientations
from foldgraft.targets.settings import TargetsSettings
from foldgraft.targets.shard import write_shard

N, CA, C, CB = (ATOM_INDEX[name] for name in ("N", "CA", "C", "CB"))
SEQUENCE = AMINO_ACIDS * 2
CHIRAL = AMINO_ACIDS.replace("G", "") * 2  # a virtual CB keeps its hand in a mirror


def random_coil(peptide, seed, sequence=SEQUENCE):
    return peptide(sequence, np.random.default_rng(seed).uniform(-179, 179, (len(sequence), 7)))


def bin_of(degrees, width, first):
    """The class by comparing with each edge in turn, and whether the angle is too near to one to tell."""
    edges = np.arange(first, 181, width)
    return max(1, int((edges[:-1] <= degrees).sum())), np.abs(edges - degrees).min() < 1e-4


def test_agreement_with_biopython(peptide):
    coordinates = random_coil(peptide, 0)
    found, _ = orientations(coordinates, SEQUENCE)
    betas = coordinates[:, CB].copy()
    for i, letter in enumerate(SEQUENCE):
        if letter == "G":
            b, c = coordinates[i, CA] - coordinates[i, N], coordinates[i, C] - coordinates[i, CA]
            betas[i] = coordinates[i, CA] - 0.58273431 * np.cross(b, c) + 0.56802827 * b - 0.54067466 * c
    square = {name: unpack(getattr(found, name), len(SEQUENCE)) for name in ("distance", "omega")}
    i, j = np.triu_indices(len(SEQUENCE), k=1)
    for name in ("theta", "phi"):
        square[name] = np.zeros((len(SEQUENCE), len(SEQUENCE)), np.uint8)
        square[name][i, j], square[name][j, i] = getattr(found, name)
    compared = 0
    for i in range(len(SEQUENCE)):
        for j in range(len(SEQUENCE)):
            if i == j:
                continue
            apart = np.linalg.norm(betas[i] - betas[j])
            if apart >= 20:
                assert [square[name][i, j] for name in ORIENTATION_CLASSES] == [0, 0, 0, 0]
                continue
            n, a, b = (Vector(*point) for point in (coordinates[i, N], coordinates[i, CA], betas[i]))
            other, far = Vector(*betas[j]), Vector(*coordinates[j, CA])
            expected = {
                "omega": bin_of(np.degrees(calc_dihedral(a, b, other, far)), 15, -180),
                "theta": bin_of(np.degrees(calc_dihedral(n, a, b, other)), 15, -180),
                "phi": bin_of(np.degrees(calc_angle(a, b, other)), 15, 0),
            }
            for name, (value, unclear) in expected.items():
                assert square[name][i, j] == value or unclear, (name, i, j)
            assert square["distance"][i, j] == max(1, int((np.arange(2, 20.1, 0.5) <= apart).sum()))
            compared += 1
    assert compared > 500


def test_edges_of_distance():
    given = np.array([0.0, 2.0, 2.499, 2.5, 19.499, 19.5, 19.999, 20.0, 1e6, np.inf, np.nan])
    assert distance_classes(given).tolist() == [1, 1, 1, 2, 35, 36, 36, 0, 0, 0, MASKED]


def four_atoms(degrees, angle=90.0):
    """Two residues whose omega is `degrees`, clockwise seen along x, and whose phi is `angle` from either."""
    bend, turn = np.radians([angle, degrees])
    side = np.array([np.cos(bend), np.sin(bend), 0.0])
    coordinates = np.full((2, 37, 3), np.nan)
    coordinates[0, CB], coordinates[1, CB] = [0, 0, 0], [4, 0, 0]
    coordinates[0, CA] = side
    coordinates[1, CA] = [4 - side[0], side[1] * np.cos(turn), side[1] * np.sin(turn)]
    coordinates[:, N] = coordinates[:, CA] + [0.3, 1.0, 0.2]
    return coordinates


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(-179.9, 1), (-165.1, 1), (-164.9, 2), (-0.1, 12), (0.0, 13), (0.1, 13), (90.1, 19), (179.9, 24), (180.0, 1)],
)
def test_edges_of_torsions(degrees, expected):
    found, _ = orientations(four_atoms(degrees), "AA")
    assert found.omega.tolist() == [expected]
    assert found.distance.tolist() == [5]  # 4 angstrom


@pytest.mark.parametrize(("angle", "expected"), [(0.1, 1), (14.9, 1), (15.1, 2), (90.1, 7), (164.9, 11), (179.9, 12)])
def test_edges_of_angles(angle, expected):
    found, _ = orientations(four_atoms(40.0, angle), "AA")
    assert found.phi.tolist() == [[expected], [expected]]


def test_a_straight_line_has_an_angle_and_no_torsion():
    found, audit = orientations(four_atoms(40.0, 180.0), "AA")
    assert found.phi.tolist() == [[12], [12]]
    assert found.omega.tolist() == [MASKED] and found.theta.tolist() == [[MASKED], [MASKED]]
    table = {row[0]: dict(zip(COLUMNS[2:], row[1:], strict=True)) for row in audit}
    assert table["pair_omega"]["degenerate"] == 1 and table["pair_theta"]["degenerate"] == 2
    assert table["pair_phi"]["defined"] == 2


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), shift=st.floats(-300, 300))
def test_motion_changes_nothing(peptide, seed, shift):
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    rotation[:, 0] *= np.sign(np.linalg.det(rotation))
    coordinates = random_coil(peptide, seed)
    before, _ = orientations(coordinates, SEQUENCE)
    after, _ = orientations(coordinates @ rotation.T + shift, SEQUENCE)
    for name in ORIENTATION_CLASSES:  # but for values within rounding of an edge
        assert (getattr(before, name) != getattr(after, name)).mean() < 2e-3


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_mirror_changes_the_sign_of_the_torsions_alone(peptide, seed):
    coordinates = random_coil(peptide, seed, CHIRAL)
    before, _ = orientations(coordinates, CHIRAL)
    after, _ = orientations(coordinates * [1, 1, -1], CHIRAL)
    for name in ("omega", "theta"):
        values = getattr(before, name).astype(int)
        mirrored = np.where((values > 0) & (values < MASKED), 25 - values, values)
        assert (getattr(after, name) != mirrored).mean() < 2e-3
        assert (mirrored != values).mean() > 0.2
    np.testing.assert_array_equal(before.distance, after.distance)
    assert (before.phi != after.phi).mean() < 2e-3


def test_omega_is_seen_the_same_from_either_side_and_theta_and_phi_are_not(peptide):
    coordinates = random_coil(peptide, 5)
    forth, _ = orientations(coordinates, SEQUENCE)
    back, _ = orientations(coordinates[::-1], SEQUENCE[::-1])

    def turned(values):
        return pack(unpack(values, len(SEQUENCE))[::-1, ::-1])

    np.testing.assert_array_equal(turned(back.omega), forth.omega)
    np.testing.assert_array_equal(turned(back.theta[1]), forth.theta[0])
    np.testing.assert_array_equal(turned(back.phi[1]), forth.phi[0])
    assert (forth.theta[0] != forth.theta[1]).mean() > 0.3 and (forth.phi[0] != forth.phi[1]).mean() > 0.3


def test_a_virtual_cb_is_near_the_real_one(peptide):
    """The formula, applied to a residue that has its CB, finds it."""
    coordinates = random_coil(peptide, 1, "A" * 10)
    virtual, states = beta_carbons(coordinates, "G" * 10)
    assert not states.any()
    assert np.linalg.norm(virtual - coordinates[:, CB], axis=-1).max() < 0.1


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_audit_adds_up_whatever_is_missing(peptide, make_chain, seed):
    rng = np.random.default_rng(seed)
    length = int(rng.integers(1, 30))
    coordinates = random_coil(peptide, seed, SEQUENCE[:length])
    coordinates[rng.random(length) < 0.2] = np.nan
    coordinates[rng.random((length, 37)) < 0.15] = np.nan
    targets, rows = chain_targets(make_chain(coordinates, SEQUENCE[:length]), TargetsSettings(orientations=True))
    table = {row[1]: dict(zip(COLUMNS[2:], row[2:], strict=True)) for row in rows}
    pairs = length * (length - 1) // 2
    there = ~np.isnan(coordinates[..., 0])
    glycine = np.array([letter == "G" for letter in SEQUENCE[:length]])
    beta = there[:, CA] & np.where(glycine, there[:, N] & there[:, C], there[:, CB])
    first, second = np.triu_indices(length, k=1)
    both = beta[first] & beta[second]
    for name in ORIENTATION_CLASSES:
        values, row = getattr(targets.orientations, name), table[f"pair_{name}"]
        sides = [(first, second)] if values.ndim == 1 else [(first, second), (second, first)]
        expected = [both & there[one, N] if name == "theta" else both for one, _ in sides]
        np.testing.assert_array_equal(np.atleast_2d(values) != MASKED, expected)
        assert row["total"] == len(sides) * pairs == sum(row.values()) - row["total"]
        assert row["defined"] == np.sum(expected)
        gone = np.array([~there[one, CA] | ~there[two, CA] for one, two in sides])
        assert row["unresolved"] >= gone.sum()
        assert (values[values != MASKED] < ORIENTATION_CLASSES[name]).all()


def test_they_are_an_option_of_a_shard_and_read_one_chain_at_a_time(peptide, make_chain, tmp_path):
    chains = [make_chain(random_coil(peptide, k, SEQUENCE[: 10 + k]), SEQUENCE[: 10 + k], f"c{k}") for k in range(3)]
    with row_writer(tmp_path / "chains.parquet", CHAINS) as writer:
        for chain in chains:
            writer.write(chain.row())
    for name, on in (("with", True), ("without", False)):
        settings = TargetsSettings(orientations=on)
        write_shard(tmp_path / "chains.parquet", tmp_path / name, tmp_path / f"{name}.csv", settings)
    for chain, (name, read) in zip(chains, read_orientations(tmp_path / "with"), strict=True):
        expected, _ = orientations(chain.coordinates.astype(np.float64), chain.sequence)
        assert name == chain.id
        for kind in ORIENTATION_CLASSES:
            np.testing.assert_array_equal(getattr(read, kind), getattr(expected, kind))
    assert [c.id for c in read_contacts(tmp_path / "with")] == [c.id for c in read_contacts(tmp_path / "without")]
    assert "pair_theta" in (tmp_path / "with.csv").read_text()
    assert "pair_theta" not in (tmp_path / "without.csv").read_text()
    with pytest.raises(FoldgraftError, match=r"set targets\.orientations: true"):
        next(read_orientations(tmp_path / "without"))
