"""ESM C against the model of transformers, with the same random weights."""

import numpy as np
import pytest
import torch

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.network import attention
from foldgraft.models.trunk.tensors import build_network, fill_network

LAYERS, WIDTH, HEADS, HIDDEN = 3, 48, 3, 64
ARCHITECTURE = Architecture(LAYERS, WIDTH, HEADS, family="ESM C", hidden=HIDDEN)
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def theirs(transformers):
    torch.manual_seed(0)
    config = transformers.EsmcConfig(
        hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=HIDDEN
    )
    config._attn_implementation = "eager"  # which gives attention maps
    model = transformers.EsmcForMaskedLM(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model


@pytest.fixture(scope="module")
def network(theirs):
    state = {name.removeprefix("esmc."): tensor for name, tensor in theirs.state_dict().items()}
    return fill_network(state, ARCHITECTURE, "transformers").eval()


def tokens_of(sequences: list[str]) -> torch.Tensor:
    rows = [[alphabet.CLS, *alphabet.encode(sequence).tolist(), alphabet.EOS] for sequence in sequences]
    longest = max(map(len, rows))
    return torch.tensor([row + [alphabet.PAD] * (longest - len(row)) for row in rows])


@pytest.mark.parametrize("lengths", [(30, 30), (50, 7, 1), (1,)], ids=["unpadded", "padded", "single residue"])
@torch.no_grad()
def test_forward_is_that_of_transformers(theirs, network, lengths):
    generator = np.random.default_rng(0)
    tokens = tokens_of(["".join(generator.choice(list(alphabet.LETTERS), size)) for size in lengths])
    tokens[0, 1] = alphabet.MASK
    real = tokens != alphabet.PAD
    expected = theirs(input_ids=tokens, attention_mask=real.long(), output_hidden_states=True)
    found = network(tokens)
    assert torch.allclose(found[real], expected.hidden_states[-1][real], atol=TOLERANCE)
    assert torch.allclose(network.logits(found)[real], expected.logits[real], atol=TOLERANCE)
    assert found[real].abs().max() > 1


@torch.no_grad()
def test_maps_are_those_of_transformers(theirs, network):
    tokens = tokens_of(["MKTAYIAKQRQISFVKSHFSRQ"])
    expected = theirs(input_ids=tokens, output_attentions=True, output_hidden_states=True)
    state, rotary = network.embed(tokens), network.rotary(tokens.shape[1])
    for number, layer in enumerate(network.layers):
        plain = layer(state, rotary, attention)
        state, maps = layer.with_maps(state, rotary)
        assert torch.allclose(maps, expected.attentions[number], atol=TOLERANCE)
        assert torch.allclose(plain, state, atol=1e-5)
        if number + 1 < LAYERS:
            assert torch.allclose(state, expected.hidden_states[number + 1], atol=TOLERANCE)


@torch.no_grad()
def test_as_a_trunk_it_embeds_and_attends_and_says_what_it_lacks(theirs, network):
    trunk = Trunk(network, "esmc", "", torch.device("cpu"))
    sequence = "MKTAYIAKQR"
    (found,) = trunk.embed([sequence])
    expected = theirs.esmc(input_ids=tokens_of([sequence])).last_hidden_state[0, 1:-1]
    np.testing.assert_allclose(found, expected.numpy(), atol=TOLERANCE)
    assert [values.shape for values in trunk.attention(sequence)] == [(HEADS, 45)] * LAYERS
    with pytest.raises(FoldgraftError, match="esmc: its checkpoint has no contact regression"):
        trunk.contacts(sequence)
    bare = build_network(ARCHITECTURE, language=False)
    with pytest.raises(FoldgraftError, match="no language head"):
        bare.logits(found)


def test_the_vocabulary_is_that_of_transformers(transformers):
    from transformers.models.esmc.tokenization_esmc import EsmcTokenizer

    letters = EsmcTokenizer().get_vocab()
    ours = {token: number for number, token in enumerate(alphabet.TOKENS) if token != "<null_1>"}
    assert {token: letters[token] for token in ours} == ours
