"""Contact heads: streamed and gathered features agree, maps are symmetric, separation and coevolution are as said."""

import numpy as np
import pytest
import torch

from foldgraft.errors import FoldgraftError
from foldgraft.models.feature_pairs import BINS, SEPARATION, Coevolution, Layout, pair_index
from foldgraft.models.head_contact import CONTACT_HEADS, build_contact, score_pairs
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import build_network

CPU = torch.device("cpu")
SEQUENCE = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ"
ALL = ("attention", "coevolution", "separation")


@pytest.fixture(scope="module")
def trunk():
    torch.manual_seed(0)
    return Trunk(build_network(Architecture(layers=2, width=24, heads=3)), "small", "", CPU)


@pytest.fixture
def coevolution():
    length = len(SEQUENCE)
    return Coevolution(np.random.default_rng(0).normal(3, 2, length * (length - 1) // 2).astype(np.float32), 40.0)


def ready(name, width, embedding):
    torch.manual_seed(1)
    head = build_contact(name, width, embedding, hidden=8, rank=4, dropout=0.3)
    head.normalise.fit(torch.rand(100, width) * 3)
    torch.nn.init.normal_(head.out.weight)
    if embedding:
        head.normalise_residue.fit(torch.randn(100, embedding) + 1)
        torch.nn.init.normal_(head.sign)
    return head.eval()


@pytest.mark.parametrize(("name", "embedding"), [("logistic", 0), ("pair", 0), ("pair", 24)])
def test_streamed_blocks_give_what_forward_gives(trunk, coevolution, name, embedding):
    layout = Layout(ALL, trunk.layers, trunk.heads)
    index = pair_index(len(SEQUENCE))
    (residue,) = trunk.embed([SEQUENCE])
    residue = residue[:, :embedding]
    head = ready(name, layout.width, embedding)
    streamed = score_pairs(
        [head, head],
        layout.blocks(trunk, SEQUENCE, index.places, coevolution),
        index.i,
        index.j,
        residue if embedding else None,
        CPU,
    )
    features = torch.from_numpy(layout.gather(trunk, SEQUENCE, index.places, coevolution))
    left, right = torch.from_numpy(residue[index.i]), torch.from_numpy(residue[index.j])
    with torch.no_grad():
        assert torch.allclose(streamed[1], head(features, left, right), atol=1e-4)
        assert torch.allclose(head(features, left, right), head(features, right, left), atol=1e-5)


def test_features_of_some_pairs_are_those_of_all(trunk, coevolution):
    layout = Layout(ALL, trunk.layers, trunk.heads)
    places = pair_index(len(SEQUENCE)).places
    everything = layout.gather(trunk, SEQUENCE, places, coevolution)
    assert everything.shape == (len(places), layout.width) == (len(places), len(layout.names))
    assert np.allclose(layout.gather(trunk, SEQUENCE, places[::7], coevolution), everything[::7], atol=1e-6)


def test_predicted_pairs_are_far_enough_apart():
    index = pair_index(20)
    assert (index.j - index.i >= SEPARATION).all() and len(index.places) == 14 * 15 // 2
    i, j = np.triu_indices(20, k=1)
    assert (i[index.places] == index.i).all() and (j[index.places] == index.j).all()
    assert len(pair_index(6).places) == 0


def test_coevolution_is_scaled_within_the_chain(trunk, coevolution):
    layout = Layout(("coevolution",), trunk.layers, trunk.heads)
    places = pair_index(len(SEQUENCE)).places
    z, weighted = layout.gather(trunk, SEQUENCE, places, coevolution).T
    assert z.mean() == pytest.approx(0, abs=1e-5) and z.std() == pytest.approx(1, abs=1e-5)
    assert np.allclose(weighted, z * np.log(41))
    moved = Coevolution(coevolution.scores * 5 - 2, coevolution.neff)
    assert np.allclose(layout.gather(trunk, SEQUENCE, places, moved)[:, 0], z, atol=1e-4)


@pytest.mark.parametrize("silent", [None, Coevolution(np.zeros(33 * 16, np.float32), 1.0)])
def test_alignments_that_say_nothing_give_zeros(trunk, silent):
    layout = Layout(("coevolution",), trunk.layers, trunk.heads)
    assert not layout.gather(trunk, SEQUENCE, pair_index(33).places, silent).any()


def test_coevolution_of_another_chain_is_refused(trunk):
    layout = Layout(("coevolution",), trunk.layers, trunk.heads)
    with pytest.raises(FoldgraftError, match="rerun the msa stage"):
        layout.gather(trunk, SEQUENCE, pair_index(33).places, Coevolution(np.zeros(3, np.float32), 1.0))


def test_separation_falls_into_one_class(trunk):
    layout = Layout(("separation",), trunk.layers, trunk.heads)
    index = pair_index(150)
    features = layout.gather(trunk, "A" * 150, index.places, None)
    apart = index.j - index.i
    assert np.allclose(features[:, 0], np.log(apart))
    assert (features[:, 1:].sum(axis=1) == 1).all()
    for column, low in enumerate(BINS):
        high = [*BINS, 10**9][column + 1]
        assert ((features[:, 1 + column] == 1) == ((apart >= low) & (apart < high))).all()


@pytest.mark.parametrize("name", CONTACT_HEADS)
def test_columns_are_the_first_layer_in_pieces(name):
    head = ready(name, 7, 0)
    x = torch.randn(5, 7)
    with torch.no_grad():
        pieces = head.columns(0, x[:, :3].T) + head.columns(3, x[:, 3:].T) + head.first.bias
        assert torch.allclose(pieces, head.first(head.normalise(x)), atol=1e-5)
