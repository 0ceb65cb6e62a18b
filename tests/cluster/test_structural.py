"""The structural audit: what it writes for foldseek, what it makes of foldseek's table, and that its absence is said.

No foldseek is at hand for the tests. Its table here was written by hand after its manual; the search itself is not run.
"""

from io import StringIO

import numpy as np
import pandas as pd
import pytest
from Bio.PDB import PDBParser

from foldgraft.cluster.structural import ABSENT, FORMAT, backbone, binary, nearest_folds, structural_audit
from foldgraft.errors import FoldgraftError
from foldgraft.records.chains import Chain
from foldgraft.records.files import sequence_sha256
from foldgraft.residues import ATOMS


def chain(sequence: str, gaps=()) -> Chain:
    rng = np.random.default_rng(1)
    length = len(sequence)
    coordinates = np.full((length, len(ATOMS), 3), np.nan, dtype=np.float32)
    for name in ("N", "CA", "C", "O", "CB"):
        coordinates[:, ATOMS.index(name)] = rng.normal(scale=20, size=(length, 3))
    coordinates[list(gaps)] = np.nan
    return Chain(
        id="1abc_A", entry="1abc", label_asym_id="A", auth_asym_id="A", entity="1", sequence=sequence,
        sequence_sha256=sequence_sha256(sequence), resolved=~np.isnan(coordinates[:, 1, 0]),
        label_seq_id=np.arange(1, length + 1), auth_seq_id=[str(k) for k in range(1, length + 1)],
        coordinates=coordinates, b_factor=np.zeros(length, np.float32), method=None, resolution=None, released=None,
        uniprot=None, organism=None, source="files",
    )  # fmt: skip


def test_foldseek_is_given_the_backbone_as_biopython_reads_it(tmp_path):
    given = chain("MKXVL", gaps=[3])
    backbone(given).write_pdb(str(tmp_path / "q0.pdb"))
    read = list(PDBParser(QUIET=True).get_structure("x", tmp_path / "q0.pdb").get_residues())
    assert [residue.id[1] for residue in read] == [1, 2, 3, 5]
    assert [residue.resname for residue in read] == ["MET", "LYS", "UNK", "LEU"]
    for residue in read:
        for name in ("N", "CA", "C", "O", "CB"):
            expected = given.coordinates[residue.id[1] - 1, ATOMS.index(name)]
            np.testing.assert_allclose(residue[name].coord, expected, atol=6e-4)


def test_the_nearest_fold_of_each_test_chain_comes_first():
    table = "q1.pdb\tt0.pdb\t0.41\t0.5\t1e-3\nq1.pdb\tt3\t0.83\t0.7\t1e-9\nq2_A\tt0.pdb_A\t0.2\t0.3\t2.0\n"
    hits = pd.read_csv(StringIO(table), sep="\t", names=FORMAT.split(","))
    found = nearest_folds(hits, ["train0", "test1", "test2", "train3"])
    assert found[["id", "nearest", "tmscore"]].values.tolist() == [["test1", "train3", 0.83], ["test2", "train0", 0.2]]


def test_without_foldseek_the_audit_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("FOLDSEEK_BIN", raising=False)
    found = structural_audit([], {"a": "test"}, tmp_path)
    assert found["tool"] is None and found["text"] == ABSENT


def test_a_named_program_that_is_none_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("FOLDSEEK_BIN", str(tmp_path / "none"))
    with pytest.raises(FoldgraftError, match=r"FOLDSEEK_BIN: .* is not an executable file"):
        binary()
