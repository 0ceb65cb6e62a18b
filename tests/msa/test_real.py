"""Coevolution on natural alignments of domains with known structures (Ollikainen and Kortemme 2013)."""

import csv

import gemmi
import numpy as np
import pytest

from foldgraft.geometry import CONTACT_CUTOFF, distances
from foldgraft.msa.a3m import encode, onto_chain
from foldgraft.msa.coevolution import scores
from foldgraft.msa.filters import build
from foldgraft.msa.inputs import find
from foldgraft.msa.settings import AlignmentFiles, MsaSettings
from foldgraft.msa.weights import weights

SEPARATION = 6


def beta_carbons(path):
    """Coordinates of CB (CA for glycine) of the residues that have a CA; (L, 3)."""
    points = []
    for residue in gemmi.read_structure(str(path))[0][0]:
        alpha, beta = residue.find_atom("CA", "*"), residue.find_atom("CB", "*")
        if alpha:
            points.append((beta if beta and residue.name != "GLY" else alpha).pos.tolist())
    return np.array(points)


def precision(score, points, count):
    i, j = np.triu_indices(len(score), SEPARATION)
    top = np.argsort(-score[i, j], kind="stable")[:count]
    return (distances(points)[i[top], j[top]] < CONTACT_CUTOFF).mean()


@pytest.mark.real
def test_contacts_of_the_pfam_domains_are_found(real_data):
    folder = real_data / "msa" / "pfam40"
    with folder.with_suffix(".csv").open() as handle:
        sequences = {row["pfam"]: row["sequence"] for row in csv.DictReader(handle)}
    given = find(AlignmentFiles(files=["*/*.align.80.fasta.gz"], queries=["*/*.aligned_native.fasta"]), folder)
    assert len(given) == len(sequences) == 32
    settings = MsaSettings()
    figures = []
    for item in given:
        query = item.guide.replace("-", "")
        start = sequences[item.path.parent.name].index(query)
        ((_, given_rows),) = item.read()
        # The domain alone: L is the number of residues that the alignment has a column for.
        columns = np.flatnonzero([letter != "-" for letter in item.guide])
        rows = onto_chain(given_rows.rows, columns)
        alignment, _ = build(query, rows, np.ones(len(query), bool), settings)
        codes = encode(alignment)
        score = scores(codes, weights(codes, settings.coevolution.identity), settings.coevolution.pseudocount)
        (structure,) = item.path.parent.glob("*.pdb.gz")
        points = beta_carbons(structure)[start : start + len(query)]
        figures.append([precision(score, points, len(score) // share) for share in (5, 2, 1)])
    fifth, half, whole = np.mean(figures, axis=0)
    print(f"\npfam40: P@L/5 {fifth:.3f}, P@L/2 {half:.3f}, P@L {whole:.3f}")
    assert fifth >= 0.73
    assert whole >= 0.49
