"""The network against fair-esm's own classes of ESM-2, ESM-1b and ESM-1v, with the same random weights."""

from argparse import Namespace

import esm
import numpy as np
import pytest
import torch

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.network import attention
from foldgraft.models.trunk.tensors import build_network, fill_network

LAYERS, WIDTH, HEADS = 3, 40, 4
TOLERANCE = 1e-4


MAX_TOKENS = 52
ARCHITECTURES = {
    "ESM-2": Architecture(LAYERS, WIDTH, HEADS),
    "ESM-1b": Architecture(LAYERS, WIDTH, HEADS, family="ESM-1b", max_tokens=MAX_TOKENS, norm_before=True),
    "ESM-1v": Architecture(LAYERS, WIDTH, HEADS, family="ESM-1b", max_tokens=MAX_TOKENS),
}


def fair_network(kind: str) -> torch.nn.Module:
    if kind == "ESM-2":
        return esm.ESM2(LAYERS, WIDTH, HEADS)
    shape = Namespace(
        arch="roberta_large",
        layers=LAYERS,
        embed_dim=WIDTH,
        ffn_embed_dim=4 * WIDTH,
        attention_heads=HEADS,
        max_positions=MAX_TOKENS,
        token_dropout=True,
        emb_layer_norm_before=kind == "ESM-1b",
    )
    letters = esm.Alphabet.from_architecture("roberta_large")
    model = esm.ProteinBertModel(shape, letters)
    model.alphabet = letters
    return model


@pytest.fixture(scope="module", params=ARCHITECTURES)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def fair(kind):
    torch.manual_seed(0)
    model = fair_network(kind).eval()
    # fair-esm's fresh biases and norms are 0 and 1, which would hide a mistake in them
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    for name, buffer in model.named_buffers():
        if name.endswith("inv_freq"):
            buffer.copy_(buffer.half())  # rounded, as the published ones are
    return model


def state_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Its tensors by our names."""
    state = {name: t for name, t in model.state_dict().items() if not name.endswith(("inv_freq", "lm_head.weight"))}
    rotary = [t for name, t in model.state_dict().items() if name.endswith("inv_freq")]
    return state | ({"inv_freq": rotary[0]} if rotary else {})


@pytest.fixture(scope="module")
def network(kind, fair):
    return fill_network(state_of(fair), ARCHITECTURES[kind], "fair-esm").eval()


def tokens_of(fair, sequences: list[str]) -> torch.Tensor:
    convert = fair.alphabet.get_batch_converter()
    return convert([(str(number), sequence) for number, sequence in enumerate(sequences)])[2]


def test_alphabet_is_that_of_fair_esm(fair):
    assert list(alphabet.TOKENS) == fair.alphabet.all_toks
    assert (
        fair.alphabet.cls_idx,
        fair.alphabet.padding_idx,
        fair.alphabet.eos_idx,
        fair.alphabet.mask_idx,
    ) == (alphabet.CLS, alphabet.PAD, alphabet.EOS, alphabet.MASK)
    text = alphabet.LETTERS * 2
    assert alphabet.encode(text).tolist() == fair.alphabet.encode(text)


@pytest.mark.parametrize("lengths", [(30, 30), (50, 7, 1), (1,)], ids=["unpadded", "padded", "single residue"])
@pytest.mark.parametrize("masked", [False, True])
@torch.no_grad()
def test_forward_is_that_of_fair_esm(fair, network, lengths, masked):
    generator = np.random.default_rng(0)
    tokens = tokens_of(fair, ["".join(generator.choice(list(alphabet.LETTERS[:25]), size)) for size in lengths])
    if masked:
        tokens[:, 1] = alphabet.MASK
    expected = fair(tokens, repr_layers=[0, LAYERS])
    real = tokens != alphabet.PAD
    found = network(tokens)
    assert torch.allclose(network.embed(tokens)[real], expected["representations"][0][real], atol=TOLERANCE)
    assert torch.allclose(found[real], expected["representations"][LAYERS][real], atol=TOLERANCE)
    assert torch.allclose(network.logits(found)[real], expected["logits"][real], atol=TOLERANCE)


@pytest.mark.parametrize("masked", [False, True])
@torch.no_grad()
def test_maps_and_states_are_those_of_fair_esm(fair, network, masked):
    tokens = tokens_of(fair, ["MKTAYIAKQRQISFVKSHFSRQ"])
    if masked:
        tokens[:, 3:7] = alphabet.MASK
    expected = fair(tokens, repr_layers=range(LAYERS), need_head_weights=True)
    state, rotary = network.embed(tokens), network.rotary(tokens.shape[1])
    for number, layer in enumerate(network.layers):
        plain = layer(state, rotary, attention)
        state, maps = layer.with_maps(state, rotary)
        assert torch.allclose(maps, expected["attentions"][:, number], atol=TOLERANCE)
        assert torch.allclose(plain, state, atol=1e-5)
        if number + 1 < LAYERS:
            assert torch.allclose(state, expected["representations"][number + 1], atol=TOLERANCE)


@torch.no_grad()
def test_contacts_are_those_of_fair_esm_alone_and_in_a_padded_batch(fair, network):
    sequences = ["MKTAYIAKQRQISFVKSHFSRQLEERLGL", "MKTAYIAKQR", "XBZUO"]
    padded = fair.predict_contacts(tokens_of(fair, sequences)).numpy()
    for sequence, among in zip(sequences, padded, strict=True):
        pairs = np.triu_indices(len(sequence), k=1)
        found = Trunk(network, "fair", "").contacts(sequence)
        alone = fair.predict_contacts(tokens_of(fair, [sequence]))[0].numpy()
        np.testing.assert_allclose(found, alone[pairs], atol=TOLERANCE)
        np.testing.assert_allclose(found, among[pairs], atol=TOLERANCE)


@torch.no_grad()
def test_contacts_with_masks_are_those_of_fair_esm(fair, network, monkeypatch):
    sequence = "MKTAYIAKQRQISFVKSHFSRQ"
    tokens = tokens_of(fair, [sequence])
    tokens[0, [3, 4, 10]] = alphabet.MASK
    expected = fair.predict_contacts(tokens)[0].numpy()[np.triu_indices(len(sequence), k=1)]
    monkeypatch.setattr(alphabet, "encode", lambda _: tokens[0, 1:-1].numpy().astype(np.uint8))
    np.testing.assert_allclose(Trunk(network, "fair", "").contacts(sequence), expected, atol=TOLERANCE)


@torch.no_grad()
def test_learned_positions_are_a_hard_limit_that_windows_keep():
    torch.manual_seed(0)
    network = build_network(ARCHITECTURES["ESM-1b"]).eval()
    trunk = Trunk(network, "small", "", torch.device("cpu"))
    assert trunk.max_window == MAX_TOKENS - 2
    longest, longer = "M" * (MAX_TOKENS - 2), "MKTAYIAKQR" * 6
    assert [len(values) for values in trunk.embed([longest, longer])] == [MAX_TOKENS - 2, 60]
    assert all(values.shape == (HEADS, 60 * 59 // 2) for values in trunk.attention(longer))
    with pytest.raises(FoldgraftError, match="reads 52 tokens at once, not 53"):
        network(torch.zeros(1, MAX_TOKENS + 1, dtype=torch.int64))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"family": "ESM-1b"}, "max_tokens is for ESM-1b, and must be given there"),
        ({"max_tokens": 9}, "max_tokens is for ESM-1b"),
        ({"family": "ESM C"}, "hidden is for ESM C, and must be given there"),
        ({"hidden": 32}, "hidden is for ESM C"),
        ({"family": "BERT"}, "there is no family 'BERT'; known: ESM-2, ESM-1b, ESM C"),
        ({"width": 9}, "width 9 must be an even multiple of heads 2"),
        ({"positions": "learned"}, "architecture cannot be read"),
    ],
)
def test_what_does_not_fit_together(given, reason):
    with pytest.raises(FoldgraftError, match=f"here: {reason}"):
        Architecture.read({"layers": 1, "width": 8, "heads": 2, **given}, "here")


@pytest.mark.parametrize("given", [{"heads": 0}, {"width": -8}, {"layers": "1"}, {"layers": 1e3}, {"layers": 10**9}])
def test_sizes_that_cannot_be(given):
    with pytest.raises(FoldgraftError, match="here: the sizes of a trunk are whole numbers"):
        Architecture.read({"layers": 1, "width": 8, "heads": 2, **given}, "here")


@pytest.mark.parametrize("kind", ["ESM-2"], indirect=True)
def test_rotary_frequencies_are_those_of_the_weights(network):
    fresh = build_network(network.architecture)
    difference = (network.inv_freq - fresh.inv_freq).abs().max()
    assert 0 < difference < 1e-3
    assert torch.equal(fresh.inv_freq, esm.ESM2(1, WIDTH, HEADS).layers[0].self_attn.rot_emb.inv_freq)


def test_token_dropout_can_be_off():
    torch.manual_seed(1)
    other = esm.ESM2(1, WIDTH, HEADS, token_dropout=False).eval()
    network = fill_network(state_of(other), Architecture(1, WIDTH, HEADS, token_dropout=False), "fair-esm").eval()
    tokens = tokens_of(other, ["MKTAYIAK", "MKT"])
    tokens[:, 2] = alphabet.MASK
    real = tokens != alphabet.PAD
    with torch.no_grad():
        assert torch.allclose(
            network(tokens)[real], other(tokens, repr_layers=[1])["representations"][1][real], atol=1e-5
        )


def test_gradients_are_those_of_fair_esm(fair, network):
    tokens = tokens_of(fair, ["MKTAYIAKQRQISFVK", "MKTAYIA"])
    goal = torch.randint(4, 24, tokens.shape, generator=torch.Generator().manual_seed(0))
    real = tokens != alphabet.PAD
    network.requires_grad_(True)
    losses = network.logits(network(tokens))[real], fair(tokens)["logits"][real]
    for model, logits in zip((network, fair), losses, strict=True):
        model.zero_grad()
        torch.nn.functional.cross_entropy(logits, goal[real]).backward()
    theirs = dict(fair.named_parameters())
    for name, parameter in network.named_parameters():
        if not name.startswith("contact_head"):
            assert torch.allclose(parameter.grad, theirs[name].grad, atol=1e-5), name
    network.requires_grad_(False)
