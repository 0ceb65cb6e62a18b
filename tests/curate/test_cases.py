"""Kinds of files that people have: each is read as what it is, or is a reject that says why.

The sequences were written down when the files were made. Where a file has a clean twin in plain form, the coordinates
must be the twin's.
"""

import gzip
from pathlib import Path

import numpy as np
import pytest

from foldgraft.residues import ATOM_INDEX

CASES = Path(__file__).parent / "cases"
HELIX = "ACDEFGHIKLMNPQRSTVWYACDEFGHIKL"
SECOND = "MKTAYIAKQRQISFVKSHFSRQLEERLG"
LONG = "MKVLAAGIVGLNQTEDRFYPSWHCKHMDIEVHTCGASLPRNQFHYWKDLEV"
MUTANT = LONG.replace("IEVHT", "IEAAT")
CG, CA = ATOM_INDEX["CG"], ATOM_INDEX["CA"]

WHOLE = {
    "seqres_hie.pdb": {"A": LONG},
    "old_format_cols73_80.pdb": {"A": HELIX},
    "seqres_double_mutant.pdb": {"A": MUTANT},
    "seqres_double_mutant_control.cif": {"A": MUTANT},
    "pymol_two_chains.cif": {"A": HELIX, "B": SECOND},
    "label_seq_not_positive.cif": {"A": HELIX},
    "auth_seq_dots.cif": {"A": HELIX},
    "label_zero_based.cif": {"A": HELIX},
    "seqres_no_label_seq.cif": {"A": HELIX, "B": SECOND},
    "af_pdb_plddt30.pdb": {"A": HELIX},
    "plddt_fraction.cif": {"A": HELIX},
    "amber_names.pdb": {"A": HELIX},
    "four_letter_names.pdb": {"A": HELIX},
    "blank_chain_segids.pdb": {"PROA": HELIX, "PROB": SECOND},
    "consecutive_numbers_far.pdb": {"A": HELIX},
    "bom_mmcif.cif": {"A": HELIX, "B": SECOND},
    "mixed_case_tags.cif": {"A": HELIX, "B": SECOND},
    "mse_after_ter.pdb": {"A": HELIX},
    "model_name_unknown.cif": {"A": HELIX},
    "model_without_endmdl.pdb": {"A": HELIX},
    "blank_occupancy.pdb": {"A": HELIX},
    "seqres_lacks_model_residues.pdb": {"A": HELIX},
}
"""Files whose chains are resolved from end to end."""
OTHERS = {"label_gap_no_seqres.cif", "one_letter_code_only.cif", "residue_without_ca.pdb", "all_d_peptide_pdb.pdb"}


@pytest.fixture
def curated(curate_bytes):
    def run(name, **settings):
        return curate_bytes((CASES / name).read_bytes(), **settings)

    return run


def test_every_case_is_tested():
    assert {path.name for path in CASES.iterdir()} - {"README.md"} == WHOLE.keys() | OTHERS
    assert len(WHOLE.keys() | OTHERS) == 26


@pytest.mark.parametrize("name", WHOLE)
def test_the_chains_are_those_that_were_made(curated, name):
    result = curated(name)
    assert {chain.label_asym_id: chain.sequence for chain in result.chains} == WHOLE[name]
    assert all(chain.resolved.all() for chain in result.chains)
    assert not result.rejects


@pytest.mark.parametrize(
    "name", ["amber_names.pdb", "four_letter_names.pdb", "model_name_unknown.cif", "seqres_hie.pdb"]
)
def test_side_chains_of_force_field_names_are_placed(curated, name):
    (chain,) = curated(name).chains
    content = (CASES / name).read_text()
    atoms = [line.split() for line in content.splitlines() if line.startswith(("ATOM", "HETATM"))]
    heavy = [fields for fields in atoms if fields[-1] != "H" and fields[2][:1] != "H"]
    assert np.isfinite(chain.coordinates[:, :, 0]).sum() == len(heavy)


def test_three_residues_are_missing_where_the_label_numbers_say_so(curated):
    (chain,) = curated("label_gap_no_seqres.cif").chains
    assert chain.sequence == HELIX[:10] + "XXX" + HELIX[13:]
    assert np.flatnonzero(~chain.resolved).tolist() == [10, 11, 12]


def test_a_one_letter_code_is_a_sequence(curated):
    (chain,) = curated("one_letter_code_only.cif").chains
    assert chain.sequence == "MMMM" + HELIX
    assert np.flatnonzero(~chain.resolved).tolist() == [0, 1, 2, 3]


def test_a_residue_without_ca_keeps_its_letter_and_is_unresolved(curated):
    (chain,) = curated("residue_without_ca.pdb").chains
    assert chain.sequence == HELIX
    assert np.flatnonzero(~chain.resolved).tolist() == [9]
    assert np.isfinite(chain.coordinates[9, ATOM_INDEX["N"], 0])


def test_a_peptide_of_d_amino_acids_is_no_protein_in_either_format(curated):
    result = curated("all_d_peptide_pdb.pdb")
    assert not result.chains
    assert [(reject.rule, reject.value) for reject in result.rejects] == [("no_protein", "polypeptide(D)")]


def test_chains_that_were_realigned_have_the_coordinates_of_their_letters(curated):
    (shifted,), (plain,) = curated("label_zero_based.cif").chains, curated("model_without_endmdl.pdb").chains
    np.testing.assert_allclose(shifted.coordinates[:, CA], plain.coordinates[:, CA], atol=2e-3)
    (lacking,) = curated("seqres_lacks_model_residues.pdb").chains
    np.testing.assert_allclose(lacking.coordinates[:, CA], plain.coordinates[:, CA], atol=2e-3)
    assert lacking.auth_seq_id == [str(number) for number in range(1, 31)]


def test_models_without_endmdl_are_counted(curated):
    (chain,) = curated("model_without_endmdl.pdb").chains
    assert chain.models == 2


@pytest.mark.parametrize(
    ("name", "least", "rejected"),
    [
        ("af_pdb_plddt30.pdb", 30, None),
        ("af_pdb_plddt30.pdb", 70, ("min_plddt", "30.0")),
        ("plddt_fraction.cif", 70, None),
        ("plddt_fraction.cif", 96, ("min_plddt", "95.0")),
        ("seqres_hie.pdb", 70, ("min_plddt", "")),  # no method, one B-factor for all: it cannot be known
    ],
)
def test_plddt_is_recognised_and_scaled(curated, name, least, rejected):
    result = curated(name, min_plddt=least)
    found = [(reject.rule, reject.value) for reject in result.rejects]
    assert found == ([rejected] if rejected else [])
    assert len(result.chains) == (rejected is None)


def test_a_fraction_is_stored_as_plddt_of_a_hundred(curated):
    (chain,) = curated("plddt_fraction.cif").chains
    np.testing.assert_allclose(chain.b_factor, 95, atol=1e-4)
    assert chain.method == "PREDICTED"


@pytest.mark.parametrize("name", sorted(WHOLE.keys() | OTHERS))
def test_packed_files_read_the_same(curated, curate_bytes, name):
    plain, packed = curated(name), curate_bytes(gzip.compress((CASES / name).read_bytes()))
    assert [chain.sequence for chain in plain.chains] == [chain.sequence for chain in packed.chains]
    assert plain.atoms == packed.atoms
