"""PDB text against Biopython, and the contacts that are drawn."""

import io
from dataclasses import replace

import numpy as np
import pytest
from Bio.PDB import PDBParser

from foldgraft.records.pairs import triangle
from foldgraft.report.molecule import pdb_text, top_contacts
from foldgraft.residues import ATOM_INDEX, ONE_TO_THREE


@pytest.fixture(scope="module")
def shape(made_up):
    return made_up.fold("CHHHHHHHHHHHHCCCEEEEEECCEEEEEEC" + "C" * 10, seed=1, tries=20)


@pytest.fixture(scope="module")
def chain(made_up, shape):
    chain = made_up.make_chain("1abc_A", shape, np.random.default_rng(1))
    chain.coordinates[33:36] = np.nan
    chain.resolved[33:36] = False
    return chain


def test_biopython_reads_what_was_written(chain, shape):
    structure = PDBParser(QUIET=True).get_structure("x", io.StringIO(pdb_text(chain, shape.ss3)))
    residues = list(structure.get_residues())
    kept = np.flatnonzero(chain.resolved)
    assert [residue.id[1] for residue in residues] == (kept + 1).tolist()
    assert [residue.resname for residue in residues] == [ONE_TO_THREE[chain.sequence[at]] for at in kept]
    assert all([atom.name for atom in residue] == ["N", "CA", "C", "O"] for residue in residues)
    found = np.array([residue["CA"].coord for residue in residues])
    true = chain.coordinates[kept, ATOM_INDEX["CA"]]
    assert np.allclose(found, true - true.mean(axis=0), atol=2e-3)


def test_helices_and_strands_have_their_records(chain, shape):
    lines = pdb_text(chain, shape.ss3).splitlines()
    helix = next(line for line in lines if line.startswith("HELIX"))
    assert (helix[21:25].strip(), helix[33:37].strip(), helix[71:76].strip()) == ("2", "13", "12")
    strands = [line for line in lines if line.startswith("SHEET")]
    assert [(line[22:26].strip(), line[33:37].strip()) for line in strands] == [("17", "22"), ("25", "30")]


def test_unknown_residues_are_written_as_such(chain, shape):
    text = pdb_text(replace(chain, sequence="X" + chain.sequence[1:]), shape.ss3)
    assert text.count(" UNK A   1 ") == 4


def test_top_contacts_are_the_likeliest_that_are_resolved_and_far_apart():
    length = 12
    i, j = triangle(length)
    scores = np.arange(len(i), dtype=float)
    mask = (i != 0) & (j != length - 1)
    contacts = (j - i) == 6
    found = top_contacts(scores, contacts, mask, length, 4)
    kept = [p for p in np.argsort(-scores) if mask[p] and j[p] - i[p] >= 6][:4]
    assert found.pairs.tolist() == [[i[p], j[p]] for p in kept]
    assert found.true.tolist() == [bool(contacts[p]) for p in kept]
