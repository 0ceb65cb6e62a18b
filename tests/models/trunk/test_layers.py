"""All layers of a trunk: those of fair-esm, the last after its norm, and their means over the residues."""

import esm
import numpy as np
import pytest
import torch

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import fill_network

SEQUENCES = ["MKTAYIAKQRQISFVKSHFSRQ", "ACDEFGHIKLMNPQRSTVWYXBUZO", "GG", "MLSRKW"]
DEPTH = 4


@pytest.fixture(scope="module")
def fair():
    torch.manual_seed(0)
    return esm.ESM2(DEPTH, 24, 4).eval()


def trunk_of(fair, **options) -> Trunk:
    state = {name: tensor.clone() for name, tensor in fair.state_dict().items() if "inv_freq" not in name}
    state["inv_freq"] = fair.layers[0].self_attn.rot_emb.inv_freq.clone()
    del state["lm_head.weight"]
    return Trunk(fill_network(state, Architecture(DEPTH, 24, 4), "fair-esm"), "t", "", torch.device("cpu"), **options)


@torch.no_grad()
@pytest.mark.parametrize("batch_tokens", [4096, 30], ids=["padded", "each by itself"])
def test_every_layer_is_that_of_fair_esm(fair, batch_tokens):
    convert = fair.alphabet.get_batch_converter()
    found = list(trunk_of(fair, batch_tokens=batch_tokens).embed_layers(SEQUENCES, [1, 3, DEPTH]))
    for sequence, embedded in zip(SEQUENCES, found, strict=True):
        tokens = convert([("", sequence)])[2]
        states = fair(tokens, repr_layers=range(1, DEPTH + 1))["representations"]
        expected = torch.stack([states[layer][0, 1:-1] for layer in range(1, DEPTH + 1)], dim=1).numpy()
        np.testing.assert_allclose(embedded.residues, expected[:, [0, 2, 3]], atol=1e-5)
        np.testing.assert_allclose(embedded.pooled, expected.mean(axis=0), atol=1e-5)


def test_means_are_over_what_windows_average(fair):
    trunk = trunk_of(fair, max_window=10)
    for embedded in trunk.embed_layers(SEQUENCES, range(1, DEPTH + 1)):
        np.testing.assert_allclose(embedded.pooled, embedded.residues.mean(axis=0), atol=1e-6)
    (alone,) = trunk.embed(SEQUENCES[:1])
    np.testing.assert_allclose(alone, next(trunk.embed_layers(SEQUENCES, [DEPTH])).residues[:, 0], atol=1e-5)


@pytest.mark.parametrize("layer", [0, DEPTH + 1])
def test_a_layer_that_is_not_there(fair, layer):
    with pytest.raises(FoldgraftError, match=f"it has the layers 1 to 4, not {layer}"):
        next(trunk_of(fair).embed_layers(SEQUENCES, [layer]))
