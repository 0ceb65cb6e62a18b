"""No atom of an amino acid vanishes: those of the file are those in chains and those counted under a reason."""

import csv
import os
from collections import Counter
from pathlib import Path

import gemmi
import numpy as np
import pytest

from foldgraft.curate.balance import read_balance, write_balance
from foldgraft.errors import FoldgraftError
from foldgraft.residues import ONE_TO_THREE

SEQUENCE = "MKVLAAGIVGMKVLAAGIVGWW"
SEQRES = {"1": [ONE_TO_THREE[one] for one in SEQUENCE]}
DATA = Path(os.environ.get("FOLDGRAFT_DATA", "absent"))
REAL = sorted([*DATA.glob("structures/*/*.gz"), *DATA.glob("msa/pfam40/*/*.pdb.gz")])


def test_each_atom_has_one_fate(make, curate_bytes):
    atoms = make.chain(SEQUENCE)
    atoms += [make.atom("HA", "MET", 1), make.atom("OD9", "MET", 1), make.atom("CA", "MET", 1)]
    atoms += [make.atom("CG", "LYS", 2, alt=alt, occ=0.5) for alt in "AB"]
    for a in atoms:
        a.occ = 0.0 if a.seq == 5 else a.occ
        a.xyz = ("?", "?", "?") if a.seq == 6 else a.xyz

    result = curate_bytes(make.mmcif(atoms, SEQRES))
    assert result.atoms == {
        "placed": 106 - 2 * 5 + 1,
        "hydrogen": 1,
        "not_of_residue": 2,
        "alternate": 1,
        "zero_occupancy": 5,
        "no_coordinate": 5,
    }


def test_atoms_of_what_is_dropped_count_under_its_rule(make, curate_bytes):
    atoms = [*make.chain(SEQUENCE), *make.chain(SEQUENCE[:5], asym="B", entity="2")]
    seqres = SEQRES | {"2": SEQRES["1"][:5]}
    result = curate_bytes(make.mmcif(atoms, seqres), min_length=10)
    assert result.atoms == {"placed": 106, "min_length": 25}
    result = curate_bytes(make.mmcif(atoms, seqres, types={"2": "polypeptide(D)"}))
    assert result.atoms == {"placed": 106, "no_protein": 25}
    result = curate_bytes(make.mmcif(atoms, seqres), methods=["X-RAY DIFFRACTION"])
    assert result.atoms == {"methods": 131}


def test_free_amino_acids_are_ligands(make, curate_bytes):
    lines = make.pdb(make.chain(SEQUENCE)).decode()
    free = make.pdb(make.backbone("GLU", 40, auth=501), ter=False).decode().replace("ATOM  ", "HETATM")
    result = curate_bytes(lines.replace("END\n", free).encode())
    assert [chain.sequence for chain in result.chains] == [SEQUENCE]
    assert result.atoms == {"placed": 106, "ligand": 5}


def test_the_table_is_read_as_it_is_written(tmp_path):
    counts = Counter(placed=7, min_length=3)
    write_balance(tmp_path / "a.csv", counts)
    assert +read_balance(tmp_path / "a.csv") == counts
    with (tmp_path / "a.csv").open() as handle:
        assert {row["fate"] for row in csv.DictReader(handle)} > {"placed", "min_length", "ligand"}
    (tmp_path / "b.csv").write_text("x,y\n1,2\n")
    with pytest.raises(FoldgraftError, match="cannot be read as a balance"):
        read_balance(tmp_path / "b.csv")


@pytest.mark.real
@pytest.mark.skipif(not REAL, reason="FOLDGRAFT_DATA does not name a folder with structures")
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name.split(".")[0])
def test_the_balance_is_that_of_gemmi(curate_bytes, path):
    result = curate_bytes(path.read_bytes())
    structure = gemmi.read_structure(str(path))
    amino = 0
    for chain in structure[0] if len(structure) else []:
        for residue in chain:
            whole = {"N", "CA", "C"} <= {atom.name for atom in residue}
            if whole or gemmi.find_tabulated_residue(residue.name).is_amino_acid():
                amino += len(residue)
    assert sum(result.atoms.values()) == amino
    inside = sum(int(np.isfinite(chain.coordinates[:, :, 0]).sum()) for chain in result.chains)
    assert result.atoms["placed"] <= inside  # caps of SEQRES are no amino acids
    assert inside - result.atoms["placed"] <= 10
