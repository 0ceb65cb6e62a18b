"""mmCIF files: each decision about what a chain is, on a file made for it."""

import numpy as np
import pytest

from foldgraft.curate.entry import UnreadableError
from foldgraft.curate.structure_file import read_entry
from foldgraft.residues import ATOM_INDEX, ATOMS, ONE_TO_THREE


def three(sequence):
    return [ONE_TO_THREE[one] for one in sequence]


def test_a_plain_chain(make, read):
    atoms = make.chain("MKGV")
    (chain,) = read(make.mmcif(atoms, {"1": three("MKGV")})).values()
    assert (chain.id, chain.sequence, chain.entity, chain.auth_asym_id) == ("test_A", "MKGV", "1", "A")
    assert chain.resolved.all()
    assert chain.coordinates.shape == (4, len(ATOMS), 3)
    assert chain.coordinates.dtype == np.float32
    for a in atoms:
        np.testing.assert_allclose(chain.coordinates[a.seq - 1, ATOM_INDEX[a.name]], a.xyz, atol=1e-3)
    assert np.isfinite(chain.coordinates[..., 0]).sum() == len(atoms)
    np.testing.assert_array_equal(chain.b_factor, [20, 20, 20, 20])


@pytest.mark.parametrize("aligned", [True, False])
def test_label_and_author_numbers_are_kept_apart(make, read, aligned):
    numbers = [("52", "?"), ("52", "A"), ("-3", "?")]
    atoms = [
        a for k, (n, i) in enumerate(numbers, 2) for a in make.backbone("ALA", k, auth=n, ins=i, asym="B", chain="NA")
    ]
    (chain,) = read(make.mmcif(atoms, {"1": three("GAAAG")}, aligned=aligned)).values()
    assert (chain.id, chain.auth_asym_id) == ("test_B", "NA")
    assert chain.auth_seq_id == ["", "52", "52A", "-3", ""]
    assert chain.resolved.tolist() == [False, True, True, True, False]
    assert np.isnan(chain.b_factor[[0, 4]]).all()


def test_a_chain_called_na_is_a_chain(make, read):
    assert list(read(make.mmcif(make.chain("MKV", asym="NA"), {"1": three("MKV")}))) == ["NA"]


def test_quoted_names_and_unaligned_columns_read_the_same(make, read):
    atoms = [*make.chain("MKV"), make.atom("O5'", "A", "1", asym="C", entity="2")]
    files = [make.mmcif(atoms, {"1": three("MKV")}, aligned=aligned) for aligned in (True, False)]
    first, second = (read(content)["A"] for content in files)
    np.testing.assert_array_equal(first.coordinates, second.coordinates)
    assert first.sequence == second.sequence


def test_modified_residues_by_the_files_own_tables(make, read):
    extra = """loop_
_pdbx_struct_mod_residue.id
_pdbx_struct_mod_residue.label_comp_id
_pdbx_struct_mod_residue.parent_comp_id
1 ZZ1 LYS
2 CRO SER
3 CRO TYR
4 CRO GLY
#
loop_
_chem_comp.id
_chem_comp.mon_nstd_parent_comp_id
ZZ2 TRP
ALA ?
#"""
    names = ["ZZ1", "ZZ2", "SEP", "CRO", "SEC", "PYL", "DAL", "UNK", "ZZ9", "MET"]
    atoms = [a for k, name in enumerate(names, 1) for a in make.backbone(name, k)]
    (chain,) = read(make.mmcif(atoms, {"1": names}, extra=extra)).values()
    assert chain.sequence == "KWSXUOAXXM"


def test_selenium_is_placed_as_the_sulphur_of_the_parent(make, read):
    atoms = [
        *make.backbone("MSE", 1),
        make.atom("SE", "MSE", 1, (1, 2, 3)),
        make.atom("CG", "MSE", 1),
        *make.backbone("GLY", 2),
    ]
    (chain,) = read(make.mmcif(atoms, {"1": ["MSE", "GLY"]})).values()
    assert chain.sequence == "MG"
    np.testing.assert_allclose(chain.coordinates[0, ATOM_INDEX["SD"]], [1, 2, 3])
    assert np.isfinite(chain.coordinates[0, ATOM_INDEX["CG"], 0])


def test_atoms_that_the_parent_does_not_have_are_not_placed(make, read):
    atoms = [*make.backbone("GLY", 1), make.atom("CB", "GLY", 1), make.atom("HA", "GLY", 1), make.atom("OXT", "GLY", 1)]
    (chain,) = read(make.mmcif(atoms, {"1": ["GLY"]})).values()
    assert {ATOMS[k] for k in np.flatnonzero(np.isfinite(chain.coordinates[0, :, 0]))} == {"N", "CA", "C", "O", "OXT"}


def test_the_first_model_only(make, read):
    atoms = [*make.chain("MKV"), *(a for a in make.chain("MKV", model=2))]
    for a in atoms[len(atoms) // 2 :]:
        a.xyz = (0.0, 0.0, 0.0)
    for aligned in (True, False):
        (chain,) = read(make.mmcif(atoms, {"1": three("MKV")}, aligned=aligned)).values()
        np.testing.assert_allclose(chain.coordinates[0, ATOM_INDEX["CA"]], [3.8, 0, 0])
        assert chain.models == 2


def test_only_polypeptides_of_l_amino_acids_are_chains(make, read):
    atoms = [
        *make.chain("MKV"),
        *make.chain("MKV", asym="B", entity="2"),
        make.atom("P", "DA", 1, asym="C", entity="3"),
        *make.chain("MKV", asym="D"),
    ]
    seqres = {"1": three("MKV"), "2": three("MKV"), "3": ["DA", "DC"]}
    types = {"2": "polypeptide(D)", "3": "polydeoxyribonucleotide"}
    assert list(read(make.mmcif(atoms, seqres, types=types))) == ["A", "D"]
    others = read_entry(make.mmcif(atoms, seqres, types=types), 10**8).others
    assert [(strand.label_asym_id, *drop[:2]) for strand, drop in others] == [
        ("B", "no_protein", "polypeptide(D)"),
        ("C", "no_protein", "polydeoxyribonucleotide"),
    ]


def test_a_chain_whose_entity_has_no_seqres_is_read_off_the_coordinates(make, read):
    atoms = [*make.chain("MKV"), *(a for a in make.chain("GAGAG", asym="B", entity="2") if a.seq != 3)]
    water = make.atom("O", "HOH", ".", (50, 50, 50), asym="C", entity="3")
    content = make.mmcif([*atoms, water], {"1": three("MKV")})
    assert {name: chain.sequence for name, chain in read(content).items()} == {"A": "MKV", "B": "GAXAG"}


def test_sugars_ligands_and_waters_are_no_chains(make):
    others = [
        make.atom("C1", "NAG", ".", (30, 0, 0), asym="B", entity="2"),
        make.atom("FE", "HEM", ".", (40, 0, 0), asym="C", entity="3"),
        make.atom("O", "HOH", ".", (50, 0, 0), asym="D", entity="4"),
    ]
    entry = read_entry(make.mmcif([*make.chain("MKV"), *others], {"1": three("MKV")}), 10**8)
    assert ([polymer.strand.label_asym_id for polymer in entry.polymers], entry.others) == (["A"], [])


def test_a_chain_that_struct_asym_leaves_out_is_there(make, read):
    atoms = [*make.chain("MKV"), *make.chain("MKV", asym="B")]
    assert list(read(make.mmcif(atoms, {"1": three("MKV")}, asyms={"A": "1"}))) == ["A", "B"]


def test_a_declared_chain_without_atoms_is_there_and_unresolved(make, read):
    content = make.mmcif(make.chain("MKV"), {"1": three("MKV")}, asyms={"A": "1", "B": "1"})
    chains = read(content)
    assert not chains["B"].resolved.any()
    assert chains["B"].auth_asym_id is None


def test_without_seqres_the_sequence_is_read_off_the_coordinates(make, read):
    atoms = [a for a in make.chain("MKVAG") if a.seq not in (3, 4)]
    water = make.atom("O", "HOH", ".", (50, 50, 50), asym="B", entity="2")
    (chain,) = read(make.mmcif([*atoms, water])).values()
    assert chain.sequence == "MKXXG"
    assert chain.resolved.tolist() == [True, True, False, False, True]


def test_what_the_file_says_of_the_entry(make, read):
    extra = """_exptl.method 'X-ray diffraction'
_refine.ls_d_res_high 1.80
_refine.ls_R_factor_R_free 0.214
loop_
_pdbx_audit_revision_history.ordinal
_pdbx_audit_revision_history.revision_date
1 2001-02-03
2 2011-07-13
3 2009-02-24
_struct_ref.db_name UNP
_struct_ref.pdbx_db_accession P69905
_struct_ref.entity_id 1
_entity_src_gen.entity_id 1
_entity_src_gen.pdbx_gene_src_scientific_name 'Homo sapiens'
#"""
    (chain,) = read(make.mmcif(make.chain("MKV"), {"1": three("MKV")}, extra=extra)).values()
    assert (chain.method, chain.resolution, chain.released) == ("X-RAY DIFFRACTION", 1.8, "2001-02-03")
    assert (chain.revised, chain.r_free, chain.models) == ("2011-07-13", 0.214, 1)
    assert (chain.uniprot, chain.organism, chain.source) == ("P69905", "Homo sapiens", "files")


def test_the_dates_are_those_of_the_structure_model(make, read):
    extra = """loop_
_pdbx_audit_revision_history.ordinal
_pdbx_audit_revision_history.data_content_type
_pdbx_audit_revision_history.revision_date
1 'EM metadata'     2024-01-10
2 'Structure model' 2024-05-01
3 'Structure model' 2025-02-03
4 'Half map'        2026-07-08
#"""
    (chain,) = read(make.mmcif(make.chain("MKV"), {"1": three("MKV")}, extra=extra)).values()
    assert (chain.released, chain.revised) == ("2024-05-01", "2025-02-03")


SCHEME = """loop_
_pdbx_poly_seq_scheme.asym_id
_pdbx_poly_seq_scheme.seq_id
_pdbx_poly_seq_scheme.pdb_seq_num
_pdbx_poly_seq_scheme.pdb_ins_code
_pdbx_poly_seq_scheme.pdb_strand_id
B 1 51 . NA
B 2 52 . NA
B 3 52 A NA
B 4 ?  . NA
C 1 1  . X
#"""


def test_unresolved_residues_have_the_author_numbers_of_the_scheme(make, read):
    atoms = make.backbone("ALA", 2, auth="52", asym="B", chain="NA")
    content = make.mmcif(atoms, {"1": three("GAAG")}, extra=SCHEME, asyms={"B": "1", "C": "1"})
    chains = read(content)
    assert chains["B"].auth_seq_id == ["51", "52", "52A", ""]
    assert chains["B"].label_seq_id.tolist() == [1, 2, 3, 4]
    assert chains["B"].resolved.tolist() == [False, True, False, False]
    assert (chains["C"].auth_asym_id, chains["C"].auth_seq_id) == ("X", ["1", "", "", ""])


def test_an_entrys_second_data_block_may_hold_the_atoms(make, read):
    content = make.mmcif(make.chain("MKV"), {"1": three("MKV")})
    assert read(b"data_first\n_exptl.method 'SOLUTION NMR'\n#\n" + content)["A"].method is None


def test_an_atom_table_in_a_text_field_is_text(make, read):
    inner = make.mmcif(make.chain("GGGG")).decode().partition("loop_")[2].rstrip("#\n")
    content = make.mmcif(make.chain("MKV"), {"1": three("MKV")}, extra=f"_audit.details\n;\nloop_{inner}\n#\n;\n#")
    assert read(content)["A"].sequence == "MKV"


def test_letters_beyond_ascii_do_no_harm(make, read):
    content = make.mmcif(make.chain("MKV"), {"1": three("MKV")}, extra="_audit_author.name 'M?ller'\n#")
    for encoded in ("Müller".encode("latin-1"), "Müller".encode()):
        assert read(content.replace(b"M?ller", encoded))["A"].sequence == "MKV"


def test_a_predicted_model_says_so(make, read):
    extra = """_ma_model_list.model_id 1
_ma_target_ref_db_details.target_entity_id 1
_ma_target_ref_db_details.db_name UNP
_ma_target_ref_db_details.db_accession P69905
_ma_target_ref_db_details.organism_scientific 'Homo sapiens'
#"""
    (chain,) = read(make.mmcif(make.chain("MKV"), {"1": three("MKV")}, extra=extra)).values()
    assert (chain.method, chain.resolution, chain.uniprot) == ("PREDICTED", None, "P69905")


@pytest.mark.parametrize("bad", ["nan", "inf", "10000", "?", "1e9", "x"])
@pytest.mark.parametrize("aligned", [True, False])
def test_what_is_no_coordinate_leaves_the_atom_out(make, read, bad, aligned):
    atoms = make.chain("MKV")
    next(a for a in atoms if a.name == "CA" and a.seq == 2).xyz = (1.0, bad, 2.0)
    (chain,) = read(make.mmcif(atoms, {"1": three("MKV")}, aligned=aligned)).values()
    assert chain.resolved.tolist() == [True, False, True]
    assert np.isfinite(chain.coordinates[1, ATOM_INDEX["N"], 0])


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "empty"),
        (b"<html>503</html>", "not_a_structure"),
        (b"data_x\n_cell.length_a 1\n", "no_atoms"),
        (b"\x1f\x8b\x08garbage", "gzip"),
        (b"data_x\nloop_\n_atom_site.label_atom_id\nCA\n#\n", "no_atoms"),
    ],
)
def test_what_is_no_structure(content, rule):
    with pytest.raises(UnreadableError) as error:
        read_entry(content, 10**8)
    assert error.value.rule == rule
