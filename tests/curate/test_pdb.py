"""Legacy PDB files."""

import gzip

import numpy as np
import pytest

from foldgraft.curate.no_seqres import WIDEST
from foldgraft.curate.structure_file import read_entry
from foldgraft.residues import ATOM_INDEX, ONE_TO_THREE

HEAD = """HEADER    TEST                                    01-JAN-90   1ABC
EXPDTA    X-RAY DIFFRACTION
SOURCE    MOL_ID: 1;
SOURCE   2 ORGANISM_SCIENTIFIC: HOMO SAPIENS;
REVDAT   2   24-FEB-09 1ABC    1       VERSN
REVDAT   1   15-OCT-91 1ABC    0
REMARK   2 RESOLUTION.    1.80 ANGSTROMS.
REMARK   3   FREE R VALUE TEST SET SIZE   (%) : 5.000
REMARK   3   FREE R VALUE                     : 0.217
REMARK   3   FREE R VALUE TEST SET COUNT      : 1234
DBREF  1ABC A    1    76  UNP    P0CG48   UBC_HUMAN        1     76"""


def only(read, content):
    (chain,) = read(content).values()
    return chain


def test_a_plain_chain_with_its_head(make, read):
    chain = only(read, gzip.compress(make.pdb(make.chain("MKGV"), head=HEAD)))
    assert (chain.id, chain.sequence, chain.auth_asym_id) == ("test_A", "MKGV", "A")
    assert (chain.method, chain.resolution, chain.released) == ("X-RAY DIFFRACTION", 1.8, "1991-10-15")
    assert (chain.uniprot, chain.organism) == ("P0CG48", "Homo sapiens")
    assert (chain.revised, chain.r_free, chain.models) == ("2009-02-24", 0.217, 1)
    np.testing.assert_allclose(chain.coordinates[:, ATOM_INDEX["CA"], 0], [3.8, 7.6, 11.4, 15.2], atol=1e-3)


def test_seqres_shows_what_is_not_resolved(make, read):
    atoms = [a for a in make.chain("MKVAGLW") if a.seq not in (1, 4)]
    chain = only(read, make.pdb(atoms, {"A": [ONE_TO_THREE[x] for x in "MKVAGLW"]}))
    assert chain.sequence == "MKVAGLW"
    assert chain.resolved.tolist() == [False, True, True, False, True, True, True]
    assert chain.auth_seq_id == ["", "2", "3", "", "5", "6", "7"]


@pytest.mark.parametrize(
    ("numbers", "shift", "sequence"),
    [
        ((1, 2, 5, 6), 12.0, "AAXXAA"),  # two residues are missing
        ((1, 2, 5, 6), 0.0, "AAAA"),  # the numbers jump, the chain does not
        ((1, 2, 3, 4), 12.0, "AAAA"),  # the chain breaks, the numbers do not: a break is no residue
        ((5, 6, 1, 2), 12.0, "AAAA"),  # the numbers go back
        ((1, 2, 2 + WIDEST + 1, 200), 30.0, "AA" + "X" * WIDEST + "AA"),
        ((1, 2, 2 + WIDEST + 2, 200), 30.0, "AAXAA"),  # too wide to believe
    ],
)
def test_gaps_without_seqres_are_marked(make, read, numbers, shift, sequence):
    atoms = []
    for k, number in enumerate(numbers, start=1):
        residue = make.backbone("ALA", k, auth=number)
        for a in residue:
            a.xyz = (a.xyz[0] + (shift if k > 2 else 0), *a.xyz[1:])
        atoms += residue
    chain = only(read, make.pdb(atoms))
    assert chain.sequence == sequence
    assert "".join("A" if r else "X" for r in chain.resolved) == sequence


def test_insertion_codes_follow_each_other(make, read):
    places = [(52, "?"), (52, "A"), (53, "?")]
    atoms = [a for k, (n, i) in enumerate(places, 1) for a in make.backbone("ALA", k, auth=n, ins=i)]
    chain = only(read, make.pdb(atoms))
    assert (chain.sequence, chain.auth_seq_id) == ("AAA", ["52", "52A", "53"])


def test_alpha_carbons_alone_are_a_chain(make, read):
    chain = only(read, make.pdb([a for a in make.chain("MKVAG") if a.name == "CA" and a.seq != 3]))
    assert chain.sequence == "MKXAG"


def test_a_blank_chain_is_called_a(make, read):
    assert list(read(make.pdb(make.chain("MKV", chain=" ")))) == ["A"]


def test_modified_residues_by_modres(make, read):
    head = "MODRES 1ABC ZZ1 A    2  LYS  A NAME"
    for parent in ("SER", "TYR", "GLY"):
        head += f"\nMODRES 1ABC CRO A    4  {parent}"
    atoms = [a for k, name in enumerate(("MET", "ZZ1", "MSE", "CRO"), 1) for a in make.backbone(name, k)]
    assert only(read, make.pdb(atoms, head=head)).sequence == "MKMX"


def test_the_first_model_only(make, read):
    model = make.pdb(make.chain("MKV")).decode().replace("END\n", "")
    text = f"MODEL        1\n{model}ENDMDL\nMODEL        2\n{model}ENDMDL\nEND\n"
    chain = only(read, text.encode())
    assert (chain.sequence, chain.models) == ("MKV", 2)


def test_waters_ions_and_nucleic_acids_are_no_residues(make, read):
    others = [
        make.atom("O", "HOH", 101, (50, 50, 50)),
        make.atom("CA", "CA", 102, (60, 50, 50)),
        make.atom("P", "DA", 1, (70, 50, 50), asym="B"),
    ]
    content = make.pdb(make.chain("MKV")).decode().replace("END\n", "")
    more = make.pdb(others, ter=False).decode().replace("ATOM  ", "HETATM")
    chains = read((content + more).encode())
    assert {name: chain.sequence for name, chain in chains.items()} == {"A": "MKV"}


@pytest.mark.parametrize("bad", ["nan", "********", "", "1.0.0", "12345.67"])
def test_what_is_no_coordinate_leaves_the_atom_out(make, read, bad):
    atoms = make.chain("MKV")
    next(a for a in atoms if a.name == "N" and a.seq == 2).xyz = (1.0, bad, 2.0)
    chain = only(read, make.pdb(atoms))
    assert chain.resolved.all()
    assert np.isnan(chain.coordinates[1, ATOM_INDEX["N"]]).all()


def test_two_chains_keep_their_own_residues(make, read):
    text = (
        make.pdb(make.chain("MKV"), ter=True).decode().replace("END\n", "")
        + make.pdb(make.chain("GAG", asym="B")).decode()
    )
    assert {name: chain.sequence for name, chain in read(text.encode()).items()} == {"A": "MKV", "B": "GAG"}


def test_a_chain_that_seqres_leaves_out_is_read_off_the_coordinates(make, read):
    atoms = [*make.chain("MKV"), *(a for a in make.chain("GAGAG", asym="B") if a.seq != 3)]
    chains = read(make.pdb(atoms, {"A": ["MET", "LYS", "VAL", "LEU"]}, ter=False))
    assert {name: chain.sequence for name, chain in chains.items()} == {"A": "MKVL", "B": "GAXAG"}


def test_a_chain_that_seqres_names_and_no_atom_has_is_unresolved(make, read):
    chains = read(make.pdb(make.chain("MKV"), {"A": ["MET", "LYS", "VAL"], "B": ["GLY", "ALA"]}))
    assert (chains["B"].sequence, chains["B"].auth_asym_id, chains["B"].resolved.any()) == ("GA", "B", False)


def test_a_chain_of_seqres_that_has_ligands_alone_is_unresolved(make, read):
    water = "HETATM   99  O   HOH B 201      90.000  90.000  90.000  1.00 20.00           O\nEND"
    content = make.pdb(make.chain("MKV"), {"A": ["MET", "LYS", "VAL"], "B": ["GLY", "ALA"]}).decode()
    chains = read(content.replace("END", water).encode())
    assert {name: (chain.sequence, chain.resolved.all()) for name, chain in chains.items()} == {
        "A": ("MKV", True),
        "B": ("GA", False),
    }


def test_a_blank_chain_with_seqres_is_one_chain(make, read):
    content = make.pdb(make.chain("KV", chain=" "), {" ": ["LYS", "VAL", "GLY"]})
    assert {name: chain.sequence for name, chain in read(content).items()} == {"A": "KVG"}


def test_a_chain_name_of_two_letters_is_one_chain(make, read):
    content = make.pdb(make.chain("KV"), {"A": ["LYS", "VAL"]}).decode()
    content = content.replace("SEQRES   1 A", "SEQRES   1AB").replace("LYS A", "LYSAB").replace("VAL A", "VALAB")
    assert {name: chain.sequence for name, chain in read(content.encode()).items()} == {"AB": "KV"}


def test_a_nucleic_acid_of_seqres_is_another_polymer(make):
    content = make.pdb(make.chain("MKV"), {"A": ["MET", "LYS", "VAL"], "B": ["DA", "DC"]})
    ((strand, drop),) = read_entry(content, 10**8).others
    assert (strand.label_asym_id, *drop[:2]) == ("B", "no_protein", "polymer of DA, DC")
