"""A trunk is known by what it computes, not by its file."""

import copy

import numpy as np
import pytest
import torch

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.fingerprint import TOLERANCE, distance
from foldgraft.models.trunk.identity import require_same_behaviour
from foldgraft.models.trunk.reference import REFERENCES
from foldgraft.models.trunk.tensors import build_network

CPU = torch.device("cpu")


def network_of(architecture=Architecture(2, 24, 4), seed: int = 0):
    torch.manual_seed(seed)
    return build_network(architecture)


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture(2, 24, 4),
        Architecture(2, 24, 4, family="ESM-1b", max_tokens=80),
        Architecture(2, 24, 4, family="ESM C", hidden=24),
    ],
    ids=["ESM-2", "ESM-1b", "ESM C"],
)
def test_it_is_the_mean_embedding_of_each_reference(architecture):
    trunk = Trunk(network_of(architecture), "one", "", CPU)
    expected = [values.mean(axis=0) for values in trunk.embed(REFERENCES)]
    np.testing.assert_allclose(trunk.fingerprint, expected, atol=1e-5)
    assert trunk.fingerprint.shape == (len(REFERENCES), 24) and trunk.fingerprint.dtype == np.float32


def test_it_is_cut_where_positions_end():
    trunk = Trunk(network_of(Architecture(1, 8, 2, family="ESM-1b", max_tokens=12)), "short", "", CPU)
    expected = [values.mean(axis=0) for values in trunk.embed([sequence[:10] for sequence in REFERENCES])]
    np.testing.assert_allclose(trunk.fingerprint, expected, atol=1e-5)


def test_precision_does_not_matter():
    whole = Trunk(network_of(), "one", "", CPU)
    reduced = Trunk(network_of(), "one", "", CPU, precision=torch.bfloat16)
    assert np.array_equal(whole.fingerprint, reduced.fingerprint)
    for dtype in (torch.float16, torch.bfloat16):
        stored = Trunk(network_of().to(dtype).float(), "another name", "another file", CPU)
        assert 0 < distance(whole.fingerprint, stored.fingerprint) < TOLERANCE
        require_same_behaviour(whole.fingerprint, "one", stored, "head")


def test_the_heads_of_a_checkpoint_do_not_matter():
    network = network_of()
    bare = copy.deepcopy(network)
    bare.lm_head = None
    require_same_behaviour(Trunk(network, "one", "", CPU).fingerprint, "one", Trunk(bare, "bare", "", CPU), "head")


def test_others_are_refused_by_name():
    known = Trunk(network_of(), "one", "", CPU).fingerprint
    other = Trunk(network_of(seed=1), "two", "", CPU)
    with pytest.raises(FoldgraftError, match=r"x\.safetensors was trained on the trunk one, and two is another: its"):
        require_same_behaviour(known, "one", other, "x.safetensors")
    tuned = network_of()
    with torch.no_grad():
        tuned.layers[1].fc2.weight *= 1.2
    with pytest.raises(FoldgraftError, match=r"differ by \d+ %|differ by \d+%"):
        require_same_behaviour(known, "one", Trunk(tuned, "tuned", "", CPU), "head")
    wide = Trunk(network_of(Architecture(2, 32, 4)), "wide", "", CPU)
    with pytest.raises(FoldgraftError, match="its embeddings are 32 wide, not 24"):
        require_same_behaviour(known, "one", wide, "head")


def test_distance_by_hand():
    one = np.array([[0.0, 0.0], [6.0, 8.0]])
    # its rows are (3, 4) from their mean on either side, so its spread is the root of 2 * 25
    other = one + np.array([[0.0, 0.5], [0.0, 0.5]])
    assert distance(one, other) == pytest.approx(0.1)
    assert distance(one, one) == 0 and distance(one, one[:1]) == float("inf")
    assert distance(np.full((2, 2), np.nan), one) != 0
