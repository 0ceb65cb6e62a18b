"""One conformer per residue."""

import numpy as np
import pytest

from foldgraft.residues import ATOM_INDEX, ONE_TO_THREE

CB, CG, CA = (ATOM_INDEX[name] for name in ("CB", "CG", "CA"))


def only(read, content):
    (chain,) = read(content).values()
    return chain


@pytest.mark.parametrize(("first", "second", "winner"), [(0.4, 0.6, 2), (0.6, 0.4, 1), (0.5, 0.5, 1)])
def test_the_better_occupied_location_serves_for_the_whole_residue(make, read, first, second, winner):
    atoms = [a for a in make.chain("GLG") if not (a.seq == 2 and a.name == "CB")]
    for label, occupancy, x in (("A", first, 1.0), ("B", second, 2.0)):
        atoms += [make.atom(name, "LEU", 2, (x, 0, 0), alt=label, occ=occupancy) for name in ("CB", "CG")]
    chain = only(read, make.mmcif(atoms, {"1": ["GLY", "LEU", "GLY"]}))
    assert chain.coordinates[1, [CB, CG], 0].tolist() == [winner, winner]
    assert chain.resolved.all()


def test_conformers_are_not_mixed(make, read):
    # CG is better occupied in B, yet A has more in all
    atoms = [a for a in make.chain("GLG") if not (a.seq == 2 and a.name == "CB")]
    atoms += [
        make.atom("CB", "LEU", 2, (1, 0, 0), alt="A", occ=0.9),
        make.atom("CB", "LEU", 2, (2, 0, 0), alt="B", occ=0.1),
    ]
    atoms += [
        make.atom("CG", "LEU", 2, (1, 0, 0), alt="A", occ=0.4),
        make.atom("CG", "LEU", 2, (2, 0, 0), alt="B", occ=0.6),
    ]
    chain = only(read, make.mmcif(atoms, {"1": ["GLY", "LEU", "GLY"]}))
    assert chain.coordinates[1, [CB, CG], 0].tolist() == [1, 1]


@pytest.mark.parametrize(("ser", "thr", "letter"), [(0.3, 0.7, "T"), (0.7, 0.3, "S"), (0.5, 0.5, "S")])
def test_microheterogeneity_takes_the_better_occupied_residue(make, read, ser, thr, letter):
    atoms = [a for a in make.chain("GSG") if a.seq != 2]
    atoms += make.backbone("THR", 2, alt="B", occ=thr) + make.backbone("SER", 2, alt="A", occ=ser)
    chain = only(read, make.mmcif(atoms, {"1": ["GLY", ["SER", "THR"], "GLY"]}))
    assert chain.sequence == f"G{letter}G"
    assert chain.resolved.all()


def test_an_unresolved_heterogeneous_position_has_the_first_of_seqres(make, read):
    atoms = [a for a in make.chain("GSG") if a.seq != 2]
    assert only(read, make.mmcif(atoms, {"1": ["GLY", ["SER", "THR"], "GLY"]})).sequence == "GSG"


def test_atoms_without_occupancy_are_unresolved(make, read):
    atoms = make.chain("MKV")
    for a in atoms:
        a.occ = 0.0 if a.seq == 2 else 1.0
    chain = only(read, make.mmcif(atoms, {"1": [ONE_TO_THREE[x] for x in "MKV"]}))
    assert chain.resolved.tolist() == [True, False, True]
    assert chain.sequence == "MKV"


def test_a_file_that_leaves_all_occupancies_empty_is_taken_at_its_word(make, read):
    chain = only(read, make.mmcif(make.chain("MKV", occ=0.0), {"1": [ONE_TO_THREE[x] for x in "MKV"]}))
    assert chain.resolved.all()


def test_of_an_atom_named_twice_the_first_stays(make, read):
    atoms = [*make.chain("MKV"), make.atom("CA", "LYS", 2, (99, 99, 99))]
    chain = only(read, make.mmcif(atoms, {"1": [ONE_TO_THREE[x] for x in "MKV"]}))
    np.testing.assert_allclose(chain.coordinates[1, CA], [7.6, 0, 0], atol=1e-3)
