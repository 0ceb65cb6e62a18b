"""Secondary structure of ideal peptides, against the definitions spelled out pair by pair, and against mkdssp."""

import gzip
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldgraft.residues import ATOM_INDEX
from foldgraft.targets.chain import chain_targets
from foldgraft.targets.secondary import (
    ALPHA,
    LOOP,
    PI,
    STRAND,
    THREE_TEN,
    hydrogen_bonds,
    patterns,
    secondary_structure,
)
from foldgraft.targets.settings import TargetsSettings
from foldgraft.targets.torsions import peptide_bonds

BACKBONE = [ATOM_INDEX[name] for name in ("N", "CA", "C", "O")]
HAIRPIN = [(-120, 130)] * 8 + [(55, 38), (78, 20)] + [(-120, 130)] * 8


@pytest.fixture(scope="module")
def backbone(peptide):
    """Builds N, CA, C, O, shape (L, 4, 3), from phi and psi of each residue in degrees."""

    def build(angles):
        degrees = np.full((len(angles), 7), 180.0)
        degrees[:, :2] = angles
        return peptide("A" * len(angles), degrees)[:, BACKBONE]

    return build


def bonded(atoms):
    whole = np.full((len(atoms), 37, 3), np.nan)
    whole[:, BACKBONE] = atoms
    return peptide_bonds(whole, 2.0)


def assign(atoms, prolines=()):
    return secondary_structure(atoms, np.isin(np.arange(len(atoms)), list(prolines)), bonded(atoms))


@pytest.mark.parametrize("angles", [(-57, -47), (-49, -26), (-57, -70)], ids=["alpha", "3-10", "pi"])
def test_ideal_helices(backbone, angles):
    assert assign(backbone([angles] * 20)) == "C" + "H" * 18 + "C"


@pytest.mark.parametrize(("angles", "turn"), [((-57, -47), 4), ((-49, -26), 3), ((-57, -70), 5)])
def test_helices_bond_to_the_residue_one_turn_before(backbone, angles, turn):
    atoms = backbone([angles] * 20)
    acceptors = hydrogen_bonds(atoms, bonded(atoms))
    assert acceptors[turn:, 0].tolist() == list(range(20 - turn))


def test_a_lone_strand_is_a_loop_and_a_hairpin_is_two_strands(backbone):
    assert assign(backbone([(-120, 130)] * 12)) == "C" * 12
    assert assign(backbone(HAIRPIN)) == "CCCCCEEECCEEECCCCC"


def test_a_proline_gives_no_bond(backbone):
    atoms = backbone([(-57, -47)] * 20)
    donors = bonded(atoms)
    donors[10] = False
    acceptors = hydrogen_bonds(atoms, donors)
    assert acceptors[10].tolist() == [-1, -1]
    assert acceptors[11, 0] == 7


def test_an_incomplete_residue_is_unassigned_and_breaks_the_helix(backbone):
    atoms = backbone([(-57, -47)] * 20)
    atoms[9, 3] = np.nan  # its O
    assigned = assign(atoms)
    assert assigned[9] == "-"
    assert assigned == "C" + "H" * 7 + "C-C" + "H" * 8 + "C"


def test_one_two_and_no_complete_residues(backbone):
    atoms = backbone([(-57, -47)] * 2)
    assert assign(atoms[:1]) == "C"
    assert assign(atoms) == "CC"
    assert assign(np.full((3, 4, 3), np.nan)) == "---"


def test_colliding_atoms_are_no_error():
    assert len(assign(np.zeros((10, 4, 3)))) == 10


@pytest.mark.parametrize("angles", [[(-57, -47)] * 20, [(-60, -60)] * 20, HAIRPIN])
def test_bonds_agree_with_the_energy_written_out_pair_by_pair(backbone, angles):
    atoms = backbone(angles)
    expected = np.full((len(atoms), 2), -1)
    for donor in range(1, len(atoms)):
        previous_c, previous_o = atoms[donor - 1, 2], atoms[donor - 1, 3]
        n = atoms[donor, 0]
        h = n + (previous_c - previous_o) / np.linalg.norm(previous_c - previous_o)
        found = []
        for acceptor in range(len(atoms)):
            if acceptor in (donor - 1, donor):
                continue
            c, o = atoms[acceptor, 2], atoms[acceptor, 3]
            inverse = [1 / np.linalg.norm(p - q) for p, q in ((o, n), (c, h), (o, h), (c, n))]
            energy = 0.42 * 0.20 * 332 * (inverse[0] + inverse[1] - inverse[2] - inverse[3])
            if energy < -0.5:
                found.append((energy, acceptor))
        for rank, (_, acceptor) in enumerate(sorted(found)[:2]):
            expected[donor, rank] = acceptor
    np.testing.assert_array_equal(hydrogen_bonds(atoms, bonded(atoms)), expected)


def test_a_donor_may_bond_twice(backbone):
    atoms = backbone([(-60, -60)] * 20)
    assert hydrogen_bonds(atoms, bonded(atoms))[10].tolist() == [6, 5]


def planted(seed):
    """Random bonds with helical turns, ladders and breaks among them."""
    rng = np.random.default_rng(seed)
    length = int(rng.integers(1, 60))
    bonds = {(int(d), int(a)) for d, a in rng.integers(0, length, (int(rng.integers(0, 10)), 2)) if d != a}
    for _ in range(rng.integers(0, 9)):
        i, j, steps = (int(x) for x in (rng.integers(length), rng.integers(length), rng.integers(1, 7)))
        kind = rng.integers(4)
        for k in range(steps):
            if kind == 0:
                bonds.add((i + k + int(rng.integers(3, 6)), i + k))
            elif kind == 1:  # parallel
                bonds |= {(i + 2 * k, j + 2 * k), (j + 2 * k + 2, i + 2 * k)}
            elif kind == 2:  # antiparallel
                bonds |= {(i + 2 * k, j - 2 * k), (j - 2 * k, i + 2 * k)}
            else:
                bonds |= {(i + k, j - k), (j - k, i + k)}
    acceptors = np.full((length, 2), -1)
    for donor, acceptor in sorted(bonds):
        if 0 <= donor < length and 0 <= acceptor < length and acceptors[donor, 1] < 0 and donor != acceptor:
            acceptors[donor, 0 if acceptors[donor, 0] < 0 else 1] = acceptor
    joined = rng.random(length) > 0.03
    joined[0] = False
    return acceptors, joined


def spelled_out(acceptors, joined):
    """The patterns of Kabsch & Sander with loops over all residues and pairs."""
    length = len(acceptors)

    def bond(donor, acceptor):
        return acceptor in acceptors[donor]

    def chain(first, last):
        return all(joined[k] for k in range(first + 1, last + 1))

    ladders = []
    for i in range(1, length - 1):
        for j in range(i + 3, length - 1):
            if not (chain(i - 1, i + 1) and chain(j - 1, j + 1)):
                continue
            if (bond(i + 1, j) and bond(j, i - 1)) or (bond(j + 1, i) and bond(i, j - 1)):
                kind = 1
            elif (bond(i + 1, j - 1) and bond(j + 1, i - 1)) or (bond(j, i) and bond(i, j)):
                kind = -1
            else:
                continue
            for ladder in ladders:
                if ladder["kind"] == kind and ladder["pairs"][-1] == (i - 1, j - kind):
                    ladder["pairs"].append((i, j))
                    break
            else:
                ladders.append({"kind": kind, "pairs": [(i, j)]})
    ladders.sort(key=lambda ladder: ladder["pairs"][0])
    a = 0
    while a < len(ladders):
        b = a + 1
        while b < len(ladders):
            one, two = ladders[a]["pairs"], ladders[b]["pairs"]
            i = sorted(pair[0] for pair in one), sorted(pair[0] for pair in two)
            j = sorted(pair[1] for pair in one), sorted(pair[1] for pair in two)
            near = i[1][0] - i[0][-1]
            far = j[1][0] - j[0][-1] if ladders[a]["kind"] == 1 else j[0][0] - j[1][-1]
            fits = ladders[a]["kind"] == ladders[b]["kind"] and 0 < near < 6 and far >= 0
            fits = fits and ((near < 3 and far < 6) or far < 3)
            fits = fits and chain(i[0][0], i[1][-1]) and chain(min(j[0] + j[1]), max(j[0] + j[1]))
            if fits:
                one += two
                del ladders[b]
            else:
                b += 1
        a += 1
    states = [LOOP] * length
    for ladder in ladders:
        for side in zip(*ladder["pairs"], strict=True):
            for k in range(min(side), max(side) + 1):
                states[k] = STRAND
    for turn, state, over in (
        (4, ALPHA, {LOOP, STRAND, ALPHA}),
        (3, THREE_TEN, {LOOP, THREE_TEN}),
        (5, PI, {LOOP, ALPHA, PI}),
    ):
        turns = [k + turn < length and chain(k, k + turn) and bond(k + turn, k) for k in range(length)]
        for k in range(1, length):
            if turns[k] and turns[k - 1] and set(states[k : k + turn]) <= over:
                states[k : k + turn] = [state] * turn
    return states


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32 - 1))
def test_patterns_agree_with_the_definitions_spelled_out(seed):
    acceptors, joined = planted(seed)
    assert patterns(acceptors, joined).tolist() == spelled_out(acceptors, joined)


def test_the_planted_bonds_hold_every_pattern():
    seen = {state for seed in range(200) for state in patterns(*planted(seed)).tolist()}
    assert seen == {LOOP, STRAND, ALPHA, THREE_TEN, PI}


@pytest.mark.real
def test_agreement_with_mkdssp(real_paths, read_pdb, program, tmp_path):
    """At least 99 of 100 residues of single-chain files have the state that mkdssp gives them."""
    mkdssp = program("mkdssp")
    same = total = 0
    for path in real_paths(12):
        residues, chain = read_pdb(path)
        expected = dict.fromkeys(("".join(map(str, residue.id[1:])).strip() for residue in residues), "-")
        expected |= run_mkdssp(mkdssp, path, tmp_path)
        targets, _ = chain_targets(chain, TargetsSettings())
        same += sum(a == b for a, b in zip(targets.ss3, expected.values(), strict=True))
        total += len(chain)
    assert total > 3000
    assert same >= 0.99 * total, f"{same} of {total}"


def run_mkdssp(mkdssp, path, folder):
    """Three states by residue number; mkdssp takes a PDB file only with a header line."""
    with gzip.open(path, "rt") as handle:
        text = handle.read()
    header = "HEADER    PROTEIN".ljust(50) + "01-JAN-00   1ABC".ljust(30)
    (folder / "x.pdb").write_text(f"{header}\n{text}")
    command = [mkdssp, "--output-format", "dssp", folder / "x.pdb", folder / "x.dssp"]
    subprocess.run(command, check=True, capture_output=True)
    _, _, rows = (folder / "x.dssp").read_text().partition("  #  RESIDUE")
    three = dict.fromkeys("HGI", "H") | dict.fromkeys("EB", "E")
    return {row[5:11].strip(): three.get(row[16], "C") for row in rows.splitlines()[1:] if row[13] != "!"}
