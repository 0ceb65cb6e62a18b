"""The residue constants against Biopython's own tables."""

from itertools import pairwise

import pytest
from Bio.Data.CodonTable import standard_dna_table
from Bio.Data.IUPACData import ambiguous_dna_values, ambiguous_rna_values
from Bio.PDB.ic_data import ic_data_sidechains
from Bio.PDB.Polypeptide import protein_letters_3to1

from foldgraft.residues import (
    AMINO_ACIDS,
    ATOM_INDEX,
    ATOMS,
    CHI_ATOMS,
    CODES_OF_BASES,
    ONE_TO_THREE,
    PI_PERIODIC,
    SIDE_CHAIN,
    THREE_TO_ONE,
    is_nucleic,
    looks_nucleic,
)


def test_letters_are_biopythons():
    theirs = {three.upper(): one for three, one in protein_letters_3to1.items()}
    assert theirs == THREE_TO_ONE
    assert {one: three for three, one in THREE_TO_ONE.items()} == ONE_TO_THREE
    assert "".join(sorted(ONE_TO_THREE)) == AMINO_ACIDS


@pytest.mark.parametrize("letter", AMINO_ACIDS)
def test_chi_atoms_are_biopythons(letter):
    rows = [row for row in ic_data_sidechains.get(letter, ()) if len(row) == 5]
    theirs = {row[4]: " ".join(row[:4]) for row in rows if row[4] in ("chi1", "chi2", "chi3", "chi4")}
    ours = {f"chi{number}": names for number, names in enumerate(CHI_ATOMS.get(letter, ()), start=1)}
    assert ours == theirs


def test_there_are_37_atoms_and_each_side_chain_is_of_them():
    assert len(ATOMS) == len(set(ATOMS)) == 37
    assert [ATOM_INDEX[name] for name in ATOMS] == list(range(37))
    assert set(SIDE_CHAIN) == set(AMINO_ACIDS)
    side_chains = {name for names in SIDE_CHAIN.values() for name in names.split()}
    assert side_chains | {"N", "CA", "C", "O", "OXT"} == set(ATOMS)


def test_side_chains_have_as_many_atoms_as_the_free_amino_acid():
    """Heavy atoms of the free acid, from its formula: the side chain and N, CA, C, O and OXT."""
    heavy = {"A": 6, "R": 12, "N": 9, "D": 9, "C": 7, "Q": 10, "E": 10, "G": 5, "H": 11, "I": 9, "L": 9, "K": 10}
    heavy |= {"M": 9, "F": 12, "P": 8, "S": 7, "T": 8, "W": 15, "Y": 13, "V": 8}
    assert {letter: len(names.split()) + 5 for letter, names in SIDE_CHAIN.items()} == heavy


def test_chi_atoms_belong_to_the_residue_and_follow_each_other():
    for letter, chis in CHI_ATOMS.items():
        backbone = {"N", "CA"}
        for names in chis:
            assert set(names.split()) <= backbone | set(SIDE_CHAIN[letter].split())
        for first, second in pairwise(chis):
            assert first.split()[1:] == second.split()[:3]


def test_pi_periodic_angles_exist():
    assert all(number <= len(CHI_ATOMS[letter]) for letter, number in PI_PERIODIC)


UBIQUITIN = "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG"
CODONS = {letter: codon for codon, letter in sorted(standard_dna_table.forward_table.items())}
GENE = "".join(CODONS[letter] for letter in UBIQUITIN)


def test_codes_of_bases_are_biopythons():
    assert {*ambiguous_dna_values, *ambiguous_rna_values} - {"X"} == CODES_OF_BASES


@pytest.mark.parametrize(
    "text",
    [GENE, GENE.replace("T", "U"), GENE[:30], GENE[:100] + "N" * 400, GENE[:27] + "RYN", "GATC" * 8, GENE[-40:]],
)
def test_dna_and_rna_are_known_however_much_of_them_is_open(text):
    assert is_nucleic(text) and looks_nucleic(text[:30])


@pytest.mark.parametrize(
    "text",
    [
        UBIQUITIN,
        "GATCNGATNC",  # a peptide
        "GATTACA" * 4,  # 28 letters: an oligonucleotide, or a peptide
        "GAGAGSGAGAGSGAGAGYGAGAGSGAGAGS",  # silk
        "GGAGGAGGTGAGGATGGAGGTGGAGGAGGT",  # no C
        "QCTGGADCTSCTGACTGCGNCPNAVTCTNSQHCVKANTCTGSTDCNTAQTCTNSKDCFEANTCTDSTNCYKATACTNSSGCP",  # antifreeze, an insect's
        "TCTGSTDCNTAQTCTNSTDCNTATTCTGSTDC",  # its repeats
        "NNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNN",
    ],
)
def test_proteins_are_no_dna(text):
    assert not is_nucleic(text)
