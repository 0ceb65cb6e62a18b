"""Structure files, read back with Biopython and gemmi: quirks present, sequences and truth consistent."""

import gzip
import io
import subprocess
import warnings

import gemmi
import numpy as np
import pytest
from Bio.PDB import MMCIFParser
from Bio.PDB.MMCIF2Dict import MMCIF2Dict

from foldgraft.residues import THREE_TO_ONE
from foldgraft.synth.entries import QUIRKS


@pytest.fixture(scope="module")
def read(proteome):
    def by_quirk(quirk):
        name = next(entry for entry, found in sorted(proteome.truth["quirks"].items()) if found == quirk)
        text = gzip.decompress((proteome.folder / "structures" / f"{name}.cif.gz").read_bytes()).decode()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = MMCIFParser(QUIET=True).get_structure(name, io.StringIO(text))
        return MMCIF2Dict(io.StringIO(text)), parsed, gemmi.read_structure_string(text)

    return by_quirk


@pytest.mark.parametrize("quirk", QUIRKS)
def test_every_entry_has_what_an_archive_has(read, quirk):
    table, parsed, structure = read(quirk)
    nmr = quirk == "nmr"
    assert table["_exptl.method"] == ["SOLUTION NMR" if nmr else "X-RAY DIFFRACTION"]
    assert structure.resolution == 0 if nmr else 1.0 < structure.resolution < 3.0
    assert len(table["_pdbx_audit_revision_history.revision_date"][0]) == 10
    assert table["_pdbx_entity_src_syn.organism_scientific"] == ["synthetic construct"]
    assert len(parsed) == (3 if nmr else 1)
    chain = next(parsed.get_chains())
    assert len(list(chain)) > 45
    assert (
        table["_pdbx_poly_seq_scheme.mon_id"][: len(table["_entity_poly_seq.mon_id"])]
        == table["_entity_poly_seq.mon_id"]
    )
    rows = zip(*(table[f"_atom_site.{key}"] for key in ("label_asym_id", "label_seq_id", "auth_seq_id")), strict=True)
    pairs = [(label, author) for asym, label, author in rows if asym == "A"]
    assert all(label != author for label, author in pairs)


def test_quirks(read):
    table, _, _ = read("unresolved")
    assert "?" in table["_pdbx_poly_seq_scheme.auth_seq_num"]
    table, parsed, _ = read("altloc")
    assert {"A", "B"} <= set(table["_atom_site.label_alt_id"])
    assert {"0.6", "0.4"} <= set(table["_atom_site.occupancy"])
    assert any(atom.is_disordered() for atom in parsed.get_atoms())
    table, _, _ = read("selenomethionine")
    assert "MSE" in table["_entity_poly_seq.mon_id"] and "MET" not in table["_entity_poly_seq.mon_id"]
    assert "SE" in table["_atom_site.label_atom_id"]
    assert set(table["_pdbx_struct_mod_residue.parent_comp_id"]) == {"MET"}
    table, parsed, _ = read("insertion")
    assert "A" in table["_atom_site.pdbx_PDB_ins_code"]
    assert any(residue.id[2] == "A" for residue in parsed.get_residues())
    table, _, _ = read("ligand")
    assert {"SO4", "HOH"} <= set(table["_atom_site.label_comp_id"])
    assert table["_entity.type"] == ["polymer", "non-polymer", "water"]
    _, parsed, _ = read("dimer")
    assert [chain.id for chain in parsed.get_chains()] == ["H", "L"]
    table, _, _ = read("tag")
    assert table["_entity_poly_seq.mon_id"][:4] == ["GLY", "SER", "HIS", "MET"]
    assert table["_pdbx_poly_seq_scheme.auth_seq_num"][:5].count("?") == 4


def test_chains_of_a_dimer_touch_but_do_not_overlap(read):
    _, parsed, _ = read("dimer")
    one, two = (np.array([atom.coord for atom in chain.get_atoms()]) for chain in parsed.get_chains())
    nearest = np.linalg.norm(one[:, None] - two[None], axis=-1).min()
    assert 3.0 < nearest < 3.8


def test_dna_has_no_protein(read):
    table, _, structure = read("dna")
    assert table["_entity_poly.type"] == ["polydeoxyribonucleotide"]
    assert not any(residue.name in THREE_TO_ONE for residue in structure[0]["A"])


def test_structures_keep_the_contacts_of_their_family(proteome):
    quirks = proteome.truth["quirks"]
    for family in proteome.truth["families"]:
        for name in family["entries"]:
            path = proteome.folder / "structures" / f"{name}.cif.gz"
            structure = gemmi.read_structure_string(gzip.decompress(path.read_bytes()).decode())
            first = 4 if quirks[name] == "tag" else 0
            places = np.full((family["length"], 3), np.nan)
            for residue in structure[0][0]:
                if residue.entity_type == gemmi.EntityType.Polymer:
                    atom = residue.find_atom("CB", "*") or residue.find_atom("CA", "*")
                    places[residue.label_seq - 1 - first] = atom.pos.tolist()
            near = [np.linalg.norm(places[i] - places[j]) for i, j in family["contacts"]]
            assert np.nanmedian(near) < 7.5 and np.nanmean(np.array(near) < 10.0) > 0.8 * np.mean(~np.isnan(near))


def test_mkdssp_reads_the_entries_and_sees_the_elements_built(proteome, program, tmp_path):
    """An independent program finds every residue, and most of the helices and strands that the truth names."""
    mkdssp = program("mkdssp")
    built, seen = "", ""
    whole = {entry for entry, quirk in proteome.truth["quirks"].items() if quirk in ("plain", "ligand", "insertion")}
    cases = [(family, name) for family in proteome.truth["families"] for name in family["entries"] if name in whole]
    assert len(cases) >= 3
    for family, name in cases:
        packed = (proteome.folder / "structures" / f"{name}.cif.gz").read_bytes()
        (tmp_path / "entry.cif").write_bytes(gzip.decompress(packed))
        command = [mkdssp, "--output-format", "dssp", tmp_path / "entry.cif", tmp_path / "entry.dssp"]
        subprocess.run(command, check=True, capture_output=True)
        table = (tmp_path / "entry.dssp").read_text().split("  #  RESIDUE")[1].splitlines()[1:]
        states = "".join("H" if row[16] in "HGI" else "E" if row[16] in "EB" else "C" for row in table)
        assert len(states) == family["length"]
        built, seen = built + family["secondary_structure"], seen + states
    for state in "HE":
        places = [i for i, letter in enumerate(built) if letter == state]
        assert np.mean([seen[i] == state for i in places]) > 0.7
