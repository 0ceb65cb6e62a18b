"""Coevolution on natural alignments of domains with known structures (Ollikainen and Kortemme 2013)."""

import csv

import gemmi
import numpy as np
import pytest

from foldgraft.evolution.a3m import encode, onto_chain
from foldgraft.evolution.coevolution import scores
from foldgraft.evolution.filters import build
from foldgraft.evolution.settings import MeanField, Pseudolikelihood
from foldgraft.evolution.weights import weights
from foldgraft.geometry import CONTACT_CUTOFF, distances
from foldgraft.msa.inputs import find
from foldgraft.msa.settings import AlignmentFiles, MsaSettings

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


def family(item, sequences):
    """Codes of a family's rows over the domain alone (L is the residues that have a column), and their distances."""
    query = item.guide.replace("-", "")
    ((_, given),) = item.read()
    rows = onto_chain(given.rows, np.flatnonzero([letter != "-" for letter in item.guide]))
    alignment, _ = build(query, rows, np.ones(len(query), bool), MsaSettings())
    (structure,) = item.path.parent.glob("*.pdb.gz")
    start = sequences[item.path.parent.name].index(query)
    return encode(alignment), beta_carbons(structure)[start : start + len(query)]


@pytest.mark.real
def test_contacts_of_the_pfam_domains_are_found(real_data):
    """Mean field on all, against the figures of data/README; pseudolikelihood on the quick ones, against mean field.

    The whole comparison, with plmc's figures, is `benchmarks/benchmark_coevolution.py`.
    """
    folder = real_data / "msa" / "pfam40"
    with folder.with_suffix(".csv").open() as handle:
        sequences = {row["pfam"]: row["sequence"] for row in csv.DictReader(handle)}
    given = find(AlignmentFiles(files=["*/*.align.80.fasta.gz"], queries=["*/*.aligned_native.fasta"]), folder)
    assert len(given) == len(sequences) == 32
    fields, quick = [], []
    for item in given:
        codes, points = family(item, sequences)
        weight = weights(codes)

        def figures(method, codes=codes, weight=weight, points=points):
            score = scores(codes, weight, method)
            return [precision(score, points, len(score) // share) for share in (5, 2, 1)]

        fields.append(figures(MeanField(name="mean_field")))
        if codes.size < 80_000:
            quick.append((fields[-1], figures(Pseudolikelihood())))
    fifth, half, whole = np.mean(fields, axis=0)
    print(f"\npfam40, mean field: P@L/5 {fifth:.3f}, P@L/2 {half:.3f}, P@L {whole:.3f}")
    assert fifth >= 0.73
    assert whole >= 0.49
    field, pseudo = np.mean(quick, axis=0)
    print(f"{len(quick)} quick families: mean field {field.round(3)}, pseudolikelihood {pseudo.round(3)}")
    assert len(quick) >= 8 and (pseudo > field + 0.01).all()
