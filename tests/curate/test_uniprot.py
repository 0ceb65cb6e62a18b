"""Organisms, and which stretches of a chain are stretches of a UniProt entry."""

import numpy as np
import pytest
from Bio.PDB.parse_pdb_header import _parse_pdb_header_list

from foldgraft.curate.chains import protein_chains
from foldgraft.curate.structure_file import read_entry
from foldgraft.curate.uniprot import completed, dbref_segments, pdb_organisms
from foldgraft.curate.user_sequences import with_supplied
from foldgraft.records.sifts import Segment
from foldgraft.residues import ONE_TO_THREE

SEQUENCE = "MKVAGLW"
THREE = {"1": [ONE_TO_THREE[one] for one in SEQUENCE]}

SIFTS = """loop_
_pdbx_sifts_unp_segments.entity_id
_pdbx_sifts_unp_segments.asym_id
_pdbx_sifts_unp_segments.unp_acc
_pdbx_sifts_unp_segments.seq_id_start
_pdbx_sifts_unp_segments.seq_id_end
_pdbx_sifts_unp_segments.unp_start
_pdbx_sifts_unp_segments.unp_end
_pdbx_sifts_unp_segments.best_mapping
1 A P00001 1 3 101 103 y
1 A P00001-2 1 3 91 93 n
1 A P00002 5 7 5 7 y
#
"""
STRUCT_REF = """loop_
_struct_ref.id
_struct_ref.entity_id
_struct_ref.db_name
_struct_ref.pdbx_db_accession
1 1 UNP Q00001
2 1 PDB 1ABC
#
loop_
_struct_ref_seq.align_id
_struct_ref_seq.ref_id
_struct_ref_seq.pdbx_strand_id
_struct_ref_seq.seq_align_beg
_struct_ref_seq.seq_align_end
_struct_ref_seq.db_align_beg
_struct_ref_seq.db_align_end
1 1 H 2 7 12 17
2 1 L 3 7 13 17
3 2 H 1 1 1 1
#
"""


def test_the_files_sifts_table_goes_before_the_depositors_reference(make, read):
    atoms = make.chain(SEQUENCE, chain="H")
    chain = read(make.mmcif(atoms, THREE, extra=STRUCT_REF + SIFTS))["A"]
    assert chain.uniprot == "P00001,P00002"
    assert chain.uniprot_segments == (
        Segment("P00001", 1, 3, "1", "3", 101, 103, "mmcif"),
        Segment("P00002", 5, 7, "5", "7", 5, 7, "mmcif"),
    )


def test_the_depositors_reference_is_by_author_chain(make, read):
    atoms = [*make.chain(SEQUENCE, chain="H"), *make.chain(SEQUENCE, asym="B", chain="L")]
    for a in atoms:
        a.auth = a.seq + 50
    chains = read(make.mmcif(atoms, THREE, extra=STRUCT_REF))
    assert chains["A"].uniprot_segments == (Segment("Q00001", 2, 7, "52", "57", 12, 17, "struct_ref"),)
    assert chains["B"].uniprot_segments == (Segment("Q00001", 3, 7, "53", "57", 13, 17, "struct_ref"),)


def test_a_chain_that_the_files_sifts_table_leaves_out_has_the_depositors_reference(make, read):
    atoms = [*make.chain(SEQUENCE, chain="H"), *make.chain(SEQUENCE, asym="B", chain="L")]
    chains = read(make.mmcif(atoms, THREE, extra=STRUCT_REF + SIFTS))
    assert chains["A"].uniprot == "P00001,P00002"
    assert chains["B"].uniprot_segments == (Segment("Q00001", 3, 7, "3", "7", 13, 17, "struct_ref"),)


@pytest.mark.parametrize("supplied", [{}, {"1abc_A": "GG" + SEQUENCE}])
def test_without_seqres_sifts_holds_by_its_author_numbers(make, supplied):
    atoms = [a for a in make.chain(SEQUENCE) if a.seq > 2]
    entry = with_supplied("1abc", read_entry(make.pdb(atoms), 10**8), supplied, 99).entry
    sifts = {("1abc", "A"): [Segment("P00001", 1, 4, None, "4", 11, 14), Segment("P00001", 5, 7, "5", "7", 25, 27)]}
    ((chain, *_),) = protein_chains("1abc", entry, "files", sifts)
    first = chain.auth_seq_id.index("3") + 1
    assert chain.uniprot_segments == (
        Segment("P00001", None, first + 1, None, "4", 11, 14),
        Segment("P00001", first + 2, first + 4, "5", "7", 25, 27),
    )


@pytest.mark.parametrize(
    ("start", "end", "fits"),
    [
        ((2, "12"), (7, "17"), True),
        ((2, None), (7, "17"), True),
        ((2, "12"), (8, "18"), False),
        ((2, "2"), (7, "7"), False),
    ],
)
def test_a_table_of_other_numbers_than_the_chains_is_not_used(make, start, end, fits):
    atoms = make.chain(SEQUENCE, chain="H")
    for a in atoms:
        a.auth = a.seq + 10
    sifts = {("1abc", "H"): [Segment("P00009", start[0], end[0], start[1], end[1], 1, 6)]}
    entry = read_entry(make.mmcif(atoms, THREE, extra=STRUCT_REF), 10**8)
    ((chain, *_),) = protein_chains("1ABC", entry, "files", sifts)
    expected = (
        Segment("P00009", 2, 7, "12", "17", 1, 6) if fits else Segment("Q00001", 2, 7, "12", "17", 12, 17, "struct_ref")
    )
    assert chain.uniprot_segments == (expected,)


DBREF = """DBREF  1ABC A    2A    7  UNP    P0CG48   UBC_HUMAN       12     17
DBREF  1ABC B    1     7  PDB    1ABC     1ABC             1      7
DBREF1 1ABC B    3     9  UNP                  A0A024RBG1_HUMAN
DBREF2 1ABC B     A0A024RBG1                       1234        1238"""


def test_dbref_of_both_kinds():
    found = dbref_segments(DBREF.encode().splitlines())
    assert found == {
        "A": [Segment("P0CG48", None, None, "2A", "7", 12, 17, "dbref")],
        "B": [Segment("A0A024RBG1", None, None, "3", "9", 1234, 1238, "dbref")],
    }


def test_a_legacy_chain_has_its_segments(make, read):
    atoms = [a for a in make.chain(SEQUENCE, asym="B") if 2 < a.seq < 7]
    for a in atoms:
        a.auth = a.seq + 1
    content = make.pdb(atoms, {"B": THREE["1"]}, head=DBREF)
    (chain,) = read(content).values()
    # author number 9 would be the residue after the last
    assert chain.uniprot_segments == (Segment("A0A024RBG1", 2, None, "3", "9", 1234, 1238, "dbref"),)
    assert chain.uniprot == "A0A024RBG1"


@pytest.mark.parametrize(
    ("number", "label"),
    [("5", 2), ("6A", 4), ("3", None), ("4", 1), ("8", 6), ("9", 7), ("10", None), ("7B", None), ("", None)],
)
def test_author_numbers_find_their_label(number, label):
    author = ["", "5", "6", "6A", "7", "", ""]
    segment = Segment("P", None, None, number, "5", 1, 2, "dbref")
    (done,) = completed([segment], np.arange(1, 8), author)
    assert (done.label_start, done.label_end) == (label, 2)


def test_label_numbers_find_their_author_number():
    segment = Segment("P", 2, 9, None, None, 1, 2, "mmcif")
    (done,) = completed([segment], np.arange(1, 4), ["1", "1A", ""])
    assert (done.auth_start, done.auth_end) == ("1A", None)


def test_an_end_that_lacks_one_number_is_completed_by_itself():
    segments = [Segment("P", 1, 3, None, "7", 1, 3), Segment("P", 4, None, "8", "9", 4, 5)]
    first, second = completed(segments, np.arange(1, 6), ["5", "6", "7", "8", "9"])
    assert first == Segment("P", 1, 3, "5", "7", 1, 3)
    assert second == Segment("P", 4, 5, "8", "9", 4, 5)


HEAD = """COMPND    MOL_ID: 1;
COMPND   2 MOLECULE: HEAVY CHAIN;
COMPND   3 CHAIN: H, A,
COMPND   4 B;
COMPND   5 MOL_ID: 2;
COMPND   6 CHAIN: L;
SOURCE    MOL_ID: 1;
SOURCE   2 ORGANISM_SCIENTIFIC: HOMO
SOURCE   3 SAPIENS;
SOURCE   4 MOL_ID: 2;
SOURCE   5 ORGANISM_SCIENTIFIC: MUS MUSCULUS;"""


def test_organisms_are_by_molecule():
    human, mouse = "Homo sapiens", "Mus musculus"
    assert pdb_organisms(HEAD.encode().splitlines()) == {"H": human, "A": human, "B": human, "L": mouse}


def test_organisms_are_those_that_biopython_reads():
    head = HEAD.replace("HOMO\nSOURCE   3 SAPIENS", "HOMO SAPIENS")  # Biopython joins lines without a blank
    header = _parse_pdb_header_list(head.splitlines())
    expected = {
        chain.strip().upper(): header["source"][molecule]["organism_scientific"].strip().capitalize()
        for molecule, about in header["compound"].items()
        for chain in about["chain"].split(",")
    }
    assert pdb_organisms(head.encode().splitlines()) == expected


def test_the_only_organism_is_that_of_all_chains(make, read):
    head = "\n".join(line for line in HEAD.splitlines()[:-2] if "COMPND" not in line)
    assert read(make.pdb(make.chain("MKV"), head=head))["A"].organism == "Homo sapiens"
