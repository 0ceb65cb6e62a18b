"""Grouping by real searches, against families that were planted."""

import networkx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from foldgraft.cluster.group import components, group
from foldgraft.cluster.settings import ClusterSettings


@pytest.fixture
def grouped(families, tmp_path):
    def run(sequences: dict[str, str], **settings) -> pd.Series:
        folder = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        table = group(sequences, ClusterSettings(**settings), folder)
        assert table.sequence_sha256.tolist() == sorted(sequences)
        return table.set_index("sequence_sha256").cluster

    return run


def test_planted_families_are_recovered(families, grouped):
    found = grouped(dict(zip(families.id, families.sequence, strict=True)))
    assert adjusted_rand_score(families.family, found[families.id]) == 1.0


def test_the_order_of_the_input_does_not_matter(families, grouped):
    sequences = dict(zip(families.id, families.sequence, strict=True))
    backwards = dict(reversed(sequences.items()))
    pd.testing.assert_series_equal(grouped(sequences), grouped(backwards))


def test_a_fragment_stays_with_its_whole_unless_both_must_be_covered(families, grouped):
    whole = families.sequence.iloc[-1]
    sequences = {"whole": whole, "fragment": whole[:60], "stranger": families.sequence.iloc[0]}
    shorter, both = grouped(sequences), grouped(sequences, link="both")
    assert shorter["whole"] == shorter["fragment"] != shorter["stranger"]
    assert both["whole"] != both["fragment"]


def test_peptides_are_groups_of_their_own(families, grouped):
    found = grouped({"a": "ACDEFGH", "b": "ACDEFGHI", "c": families.sequence.iloc[0]})
    assert found.nunique() == 3
    assert grouped({"a": "ACDEFGH", "b": "M"}).tolist() == [0, 1]


@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=20))
def test_components_agree_with_networkx(count, pairs):
    names = [f"n{k:02}" for k in range(count)]
    pairs = [(names[a], names[b]) for a, b in pairs if a < count and b < count]
    graph = networkx.Graph()
    graph.add_nodes_from(names)
    graph.add_edges_from(pairs)
    expected = sorted(sorted(part) for part in networkx.connected_components(graph))
    found = components(names, pairs)
    assert [[names[k] for k in np.flatnonzero(found == number)] for number in range(found.max() + 1)] == expected
