"""Grouping by real searches, against families that were planted."""

import networkx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from foldgraft.cluster.components import components
from foldgraft.cluster.group import group
from foldgraft.cluster.settings import ClusterSettings
from foldgraft.residues import AMINO_ACIDS


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


def test_peptides_join_their_near_copies_only(families, grouped):
    whole = families.sequence.iloc[0]
    peptides = {
        "a": "WKLFKKIGAVL",
        "a2": "WKLFKRIGAVL",
        "a3": "WKLYKKIGVVL",
        "part": whole[50:62],
        "other": "MHDEPCNQRSTW",
    }
    found = grouped(peptides | {"whole": whole})
    assert found["a"] == found["a2"] == found["a3"] and found["part"] == found["whole"]
    assert found.nunique() == 3
    assert grouped({"a": "ACDEFGH", "b": "M"}).tolist() == [0, 1]


@pytest.mark.parametrize("kind", ["repeat", "half unknown", "unknown but a few"])
def test_what_the_search_is_blind_for_joins_its_near_copies_only(kind, grouped):
    rng = np.random.default_rng(8)
    letters = rng.choice(list(AMINO_ACIDS), 80)
    one, other = {
        "repeat": ("Q" * 80, "QA" * 40),
        "half unknown": ("".join(letters), "".join(rng.choice(list(AMINO_ACIDS), 80))),
        "unknown but a few": ("".join(letters), "".join(rng.choice(list(AMINO_ACIDS), 80))),
    }[kind]
    masked = {"repeat": "111", "half unknown": "111110000000000", "unknown but a few": "1111" + "0" * 36}[kind]

    def mask(text):
        return "".join(c if masked[k % len(masked)] == "1" else "X" for k, c in enumerate(text))

    near = "E" + one[1:]
    found = grouped({"one": mask(one), "near": mask(near), "other": mask(other), "all": "X" * 80})
    assert found["one"] == found["near"]
    assert found.nunique() == 3


@pytest.mark.parametrize("size", [300, 1300, 5000])
def test_two_dense_families_with_related_founders_are_one_component(size, grouped, mutate):
    rng = np.random.default_rng(21)
    founder = "".join(rng.choice(list(AMINO_ACIDS), 120))
    half = mutate(founder, 0.5 * 20 / 19, rng)
    stranger = "".join(rng.choice(list(AMINO_ACIDS), 120))
    sequences = {f"a{k}": mutate(founder, 0.05, rng) for k in range(size)}
    sequences |= {f"b{k}": mutate(half, 0.05, rng) for k in range(size)}
    found = grouped(sequences | {"stranger": stranger}, sensitivity=4)
    assert found.nunique() == 2 and found["a0"] == found["b0"] != found["stranger"]


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
