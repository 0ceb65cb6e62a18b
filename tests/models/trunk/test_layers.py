"""All layers of a trunk: those of fair-esm, the last after its norm, and their means over the residues."""

import esm
import numpy as np
import pytest
import torch

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import build_network, fill_network

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
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("batch_tokens", [4096, 30])
def test_every_layer_is_that_of_fair_esm(fair, batch_tokens, packed):
    convert = fair.alphabet.get_batch_converter()
    trunk = trunk_of(fair, batch_tokens=batch_tokens)
    trunk.packed = packed
    found = list(trunk.embed_layers(SEQUENCES, [1, 3, DEPTH]))
    for sequence, embedded in zip(SEQUENCES, found, strict=True):
        tokens = convert([("", sequence)])[2]
        states = fair(tokens, repr_layers=range(1, DEPTH + 1))["representations"]
        expected = torch.stack([states[layer][0, 1:-1] for layer in range(1, DEPTH + 1)], dim=1).numpy()
        np.testing.assert_allclose(embedded.residues, expected[:, [0, 2, 3]], atol=1e-5)
        np.testing.assert_allclose(embedded.pooled, expected.mean(axis=0), atol=1e-5)


SHAPES = {
    "ESM-2": Architecture(2, 24, 4),
    "ESM-1b": Architecture(2, 24, 4, family="ESM-1b", max_tokens=64, norm_before=True),
    "ESM C": Architecture(2, 24, 4, family="ESM C", hidden=32),
}


@torch.no_grad()
@pytest.mark.parametrize("family", SHAPES)
def test_packed_sequences_are_as_padded_ones(family):
    torch.manual_seed(0)
    network = build_network(SHAPES[family]).eval()
    texts = [torch.from_numpy(alphabet.batch([alphabet.encode(text)])[0]) for text in SEQUENCES]
    texts[0][3:5] = alphabet.MASK  # token dropout counts the masked tokens of each sequence
    padded = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=alphabet.PAD)
    for packed, rows in zip(network.packed_states(texts), network.states(padded), strict=True):
        parts = packed[0].split([len(text) for text in texts])
        for part, row in zip(parts, rows, strict=True):
            torch.testing.assert_close(part, row[: len(part)], atol=1e-5, rtol=1e-5)


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
