"""Families: contacting sites covary, homologs are found by search, and other families are not."""

import numpy as np
import pytest

from foldgraft import mmseqs
from foldgraft.records.fasta import read_fasta, write_fasta
from foldgraft.synth.evolve import colours, gibbs, letters, neighbour_lists
from foldgraft.synth.potential import BACKGROUND, property_vectors, table
from foldgraft.synth.proteome import make_family


@pytest.fixture(scope="module")
def families(proteome):
    return [make_family(proteome.settings, number) for number in range(proteome.settings.families)]


def direct_coupling(states: np.ndarray) -> np.ndarray:
    """Mean-field direct coupling analysis with pseudocount 0.5 and average product correction (Morcos et al. 2011)."""
    count, length = states.shape
    weight = 1.0 / np.array([(states == row).mean(1) >= 0.8 for row in states]).sum(1)
    onehot = (states[:, :, None] == np.arange(20)).reshape(count, -1).astype(float)
    single = 0.5 * (weight @ onehot) / weight.sum() + 0.5 / 21
    double = 0.5 * (onehot.T * weight) @ onehot / weight.sum() + 0.5 / 441
    for i in range(length):
        block = slice(20 * i, 20 * i + 20)
        double[block, block] = np.diag(single[block])
    coupling = -np.linalg.inv(double - np.outer(single, single)).reshape(length, 20, length, 20).transpose(0, 2, 1, 3)
    coupling -= coupling.mean(2, keepdims=True) + coupling.mean(3, keepdims=True) - coupling.mean((2, 3), keepdims=True)
    score = np.sqrt((coupling**2).sum((2, 3)))
    np.fill_diagonal(score, 0.0)
    return score - np.outer(score.sum(0), score.sum(0)) / score.sum()


def test_contacts_covary(proteome, families):
    """P@L/5 at separation 6 and more: 0.6 on the mean of families, and on each far above the few per cent of chance."""
    precision = []
    for family in families:
        truth = proteome.truth["families"][family.number]
        length = truth["length"]
        score = direct_coupling(family.homologs)
        left, right = np.triu_indices(length, 6)
        best = np.argsort(-score[left, right])[: length // 5]
        known = {tuple(pair) for pair in truth["contacts"]}
        precision.append(np.mean([(int(left[k]), int(right[k])) in known for k in best]))
    assert np.mean(precision) >= 0.6
    assert min(precision) >= 0.3


def test_columns_vary_and_homologs_differ(families):
    for family in families:
        states = family.homologs
        identity = np.array([(states == row).mean(1) for row in states])
        effective = (1.0 / (identity >= 0.8).sum(1)).sum()
        assert effective > 0.7 * len(states)
        assert 0.2 < (identity.sum() - len(states)) / (len(states) * (len(states) - 1)) < 0.6
        free = np.setdiff1d(np.arange(states.shape[1]), family.conserved)
        commonest = np.array([np.bincount(column, minlength=20).max() for column in states.T]) / len(states)
        assert commonest[family.conserved].mean() > 0.8
        assert commonest[free].mean() < 0.65


def test_composition_is_that_of_proteins(families):
    wanted = table(BACKGROUND) / table(BACKGROUND).sum()
    for family in families:
        seen = np.bincount(family.homologs.ravel(), minlength=20) / family.homologs.size
        assert np.abs(seen - wanted).sum() < 0.4


def test_search_finds_the_family_and_no_other(proteome, families, tmp_path):
    write_fasta(tmp_path / "query.fasta", [(f"sy{f.number:02d}", letters(f.structures[0])) for f in families])
    mmseqs.run(
        *("easy-search", tmp_path / "query.fasta", proteome.folder / "sequences.fasta.gz", tmp_path / "hits.tsv"),
        *(tmp_path / "tmp", "-s", 7.5, "-e", 1e-3, "--num-iterations", 2, "--threads", 1, "--max-seqs", 1000),
        *("--format-output", "query,target"),
    )
    hits = [line.split("\t") for line in (tmp_path / "hits.tsv").read_text().splitlines()]
    for family in families:
        found = {target for query, target in hits if query == f"sy{family.number:02d}"}
        own = {target for target in found if target.startswith(f"sy{family.number:02d}_")}
        assert len(own) > 0.75 * proteome.settings.homologs_per_family
        assert len(found) - len(own) <= 5


def test_sequences_in_the_database_are_the_homologs(proteome, families):
    written = {r.id: r.sequence for r in read_fasta(proteome.folder / "sequences.fasta.gz")}
    for family in families:
        whole = [written[f"sy{family.number:02d}_{k:04d}"] == letters(row) for k, row in enumerate(family.homologs, 1)]
        assert np.mean(whole) > 0.3


def test_gibbs_reaches_the_distribution_of_an_enumeration():
    rng = np.random.default_rng(0)
    fields = rng.standard_normal((2, 20))
    left, right = property_vectors()
    weight = np.exp(fields[0][:, None] + fields[1][None] + left @ right.T)
    expected = weight / weight.sum()
    states = gibbs(rng, fields, np.array([[0, 1]]), rng.integers(0, 20, (40_000, 2)), np.full(40_000, 12))
    seen = np.zeros((20, 20))
    np.add.at(seen, (states[:, 0], states[:, 1]), 1 / len(states))
    assert np.abs(seen - expected).sum() < 0.1


def test_pairs_of_a_colour_do_not_touch(families):
    land = families[0].land
    near = neighbour_lists(len(land.fields), land.pairs)
    classes = colours(near)
    assert sorted(np.concatenate(classes).tolist()) == list(range(len(near)))
    assert all(not set(near[site]) & set(group.tolist()) for group in classes for site in group.tolist())
