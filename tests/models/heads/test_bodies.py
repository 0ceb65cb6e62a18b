"""Bodies of heads: padding changes nothing, sizes are those described, and formulas are those written out by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from foldgraft.models.heads.build import BODIES, build, reads
from foldgraft.models.heads.layers import Head, Standardise, masked_softmax, without_dropout
from foldgraft.models.heads.pair import logistic_outputs, symmetric
from foldgraft.models.heads.settings import HEADS, HeadChoice
from foldgraft.models.heads.tokens import TOKENS, UNKNOWN, tokens
from foldgraft.residues import AMINO_ACIDS
from foldgraft.tasks.sequences import collate

WIDTH = 6
LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=4)
SEQUENCE_HEADS = [key for key in BODIES if key[0] != "pair"]
SETTINGS = TypeAdapter(HeadChoice)


def ready(level, name, outputs=(2,), covariates=0, **values) -> Head:
    torch.manual_seed(1)
    small = {} if name in ("linear", "logistic") else {"hidden": 5}
    head = build(level, SETTINGS.validate_python({"name": name, **small, **values}), (WIDTH, 0), outputs, covariates)
    if head.body.normalise is not None:
        head.body.normalise.fit(torch.randn(50, WIDTH) * 2 + 1)
    for layer in head.out:
        torch.nn.init.normal_(layer.weight)
    return head.eval()


def items(level, name, lengths, seed=0):
    rng = np.random.default_rng(seed)
    kind = reads(level, SETTINGS.validate_python(name))
    make = {
        "pooled": lambda n: rng.normal(size=WIDTH).astype(np.float32),
        "residues": lambda n: rng.normal(size=(n, WIDTH)).astype(np.float32),
        "tokens": lambda n: rng.integers(1, TOKENS, n),
    }[kind]
    return [make(n) for n in lengths]


def test_every_head_has_a_body():
    assert {level: tuple(name for at, name in BODIES if at == level) for level in HEADS} == HEADS


@pytest.mark.parametrize(("level", "name"), SEQUENCE_HEADS)
@settings(max_examples=15)
@given(LENGTHS, st.integers(0, 1000))
def test_padding_never_changes_the_outputs(level, name, lengths, seed):
    head, proteins = ready(level, name), items(level, name, lengths, seed)
    together = head(collate(proteins))[0]
    alone = torch.cat([head(collate([protein]))[0] for protein in proteins])
    assert together.shape == (sum(lengths) if level == "residue" else len(lengths), 2)
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize(("level", "name"), [("protein", "light_attention"), ("residue", "convolution")])
def test_what_stands_in_the_padding_is_not_read(level, name):
    head = ready(level, name)
    inputs, mask = collate(items(level, name, [30, 12]))
    spoilt = inputs.clone()
    spoilt[1, 12:] = 7
    assert torch.allclose(head((inputs, mask))[0], head((spoilt, mask))[0], atol=1e-5)


@settings(max_examples=30)
@given(LENGTHS)
def test_masked_softmax_is_softmax_of_what_is_there(lengths):
    torch.manual_seed(0)
    scores = torch.randn(len(lengths), 3, max(lengths))
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    weights = masked_softmax(scores, mask[:, None])
    for row, length in enumerate(lengths):
        exact = np.exp(scores[row, :, :length].double().numpy())
        assert np.allclose(weights[row, :, :length], exact / exact.sum(axis=-1, keepdims=True), atol=1e-6)
        assert not weights[row, :, length:].any()


def test_light_attention_by_hand():
    """One protein: the attended mean and the maximum, from convolutions written as sums."""
    head = ready("protein", "light_attention")
    x = np.random.default_rng(1).normal(size=(20, WIDTH)).astype(np.float32)
    state = {name: tensor.double().numpy() for name, tensor in head.state_dict().items()}
    z = (x - state["body.normalise.mean"]) / state["body.normalise.std"]
    padded = np.pad(z, ((4, 4), (0, 0)))
    windows = np.stack([padded[k : k + 9] for k in range(20)])  # (L, 9, F)

    def convolve(part):
        return np.einsum("lkd,cdk->lc", windows, state[f"body.{part}.weight"]) + state[f"body.{part}.bias"]

    values, scores = convolve("values"), np.exp(convolve("attention"))
    pooled = np.concatenate([(values * scores / scores.sum(axis=0)).sum(axis=0), values.max(axis=0)])
    hidden = np.maximum(state["body.last.weight"] @ pooled + state["body.last.bias"], 0)
    expected = state["out.0.weight"] @ hidden + state["out.0.bias"]
    assert head(collate([x]))[0][0].tolist() == pytest.approx(expected.tolist(), abs=1e-5)


def test_ss3_mlp_reads_one_hot_windows():
    """A residue's output is that of a layer on the one-hot letters around it, the window cut at the ends."""
    head = ready("residue", "ss3_mlp", window=5)
    numbers = tokens("MKTAYIAKQR")
    weight, bias = head.body.first.weight.detach().numpy(), head.body.first.bias.detach().numpy()
    outputs = head(collate([numbers]))[0].detach().numpy()
    for place in range(len(numbers)):
        hidden = bias.copy()
        for offset in range(-2, 3):
            if 0 <= place + offset < len(numbers):
                hidden += weight[:, numbers[place + offset], offset + 2]
        expected = head.out[0].weight.detach().numpy() @ np.maximum(hidden, 0) + head.out[0].bias.detach().numpy()
        assert outputs[place] == pytest.approx(expected, abs=1e-5)


def test_from_scratch_has_the_sizes_of_its_description():
    head = build("protein", SETTINGS.validate_python("cnn_from_scratch"), (0, 0), [1])
    assert head.body.embedding.weight.shape == (TOKENS, 64)
    assert head.body.first.weight.shape == (128, 64, 5) and head.body.second.weight.shape == (128, 128, 5)
    assert head.out[0].weight.shape == (1, 128) and head.body.dropout.p == 0.3


def test_covariates_join_the_output_layer_in_their_own_standard_deviations():
    head = ready("protein", "linear", covariates=2)
    known = torch.tensor([[1.0, 100.0], [0.0, 300.0], [1.0, 200.0]])
    head.covariates.fit(known)
    x = torch.randn(3, WIDTH)
    scaled = (known - known.mean(0)) / known.std(0, correction=0)
    joined = torch.cat([head.body(x), scaled], dim=1)
    assert torch.allclose(head((x,), known)[0], joined @ head.out[0].weight.T + head.out[0].bias, atol=1e-5)


def test_standardised_features_have_mean_0_and_deviation_1():
    values = torch.randn(200, 4) * torch.tensor([1.0, 5, 0.1, 0]) + 3
    layer = Standardise(4)
    layer.fit(values)
    scaled = layer(values)
    assert torch.allclose(scaled.mean(dim=0), torch.zeros(4), atol=1e-4)
    assert torch.allclose(scaled.std(dim=0, correction=0), torch.tensor([1.0, 1, 1, 0]), atol=1e-4)


def test_values_that_come_in_parts_are_standardised_as_at_once():
    values = torch.randn(300, 5) * torch.tensor([1.0, 50, 0.1, 0, 3]) + torch.tensor([100.0, 0, 5, 2, -3])
    whole, parts = Standardise(5), Standardise(5)
    whole.fit(values)
    parts.fit_parts(values.split([1, 120, 3, 176]))
    assert torch.allclose(whole.mean, values.mean(0), atol=1e-5)
    assert torch.allclose(parts.mean, whole.mean) and torch.allclose(parts.std, whole.std)


def test_without_dropout_is_a_copy_that_drops_nothing():
    head = ready("protein", "mlp").train()
    inputs = collate(items("protein", "mlp", [5, 5]))
    quiet = without_dropout(head)
    assert torch.equal(quiet.train()(inputs)[0], quiet.eval()(inputs)[0])
    assert head.body.dropout.p == 0.3


def test_amino_acids_have_numbers_of_their_own():
    assert tokens(AMINO_ACIDS + "XBU-").tolist() == [*range(1, 21), *[UNKNOWN] * 4]
    inputs, mask = collate([tokens("AC"), tokens("A")])
    assert inputs.tolist() == [[1, 2], [1, 0]] and mask.tolist() == [[True, True], [True, False]]


def test_a_logistic_head_in_blocks_is_the_head_at_once():
    head, features = ready("pair", "logistic", outputs=(1, 4)), torch.randn(30, WIDTH)
    blocks = [(0, features[:, :2].T), (2, features[:, 2:].T)]
    _, streamed = logistic_outputs([ready("pair", "logistic"), head], iter(blocks))
    for whole, parts in zip(head((features,)), streamed, strict=True):
        assert torch.allclose(whole, parts, atol=1e-5)


@pytest.mark.parametrize("embedding", [0, 8])
def test_the_residual_network_is_symmetric_and_the_same_in_blocks(embedding):
    torch.manual_seed(0)
    settings = SETTINGS.validate_python({"name": "residual", "hidden": 6, "blocks": 3, "rank": 3})
    head = build("pair", settings, (WIDTH, embedding), [2]).eval()
    values = torch.randn(WIDTH, 12, 12)
    values, residues = values + values.transpose(1, 2), torch.randn(12, embedding)
    whole = head((values, residues, residues))[0].reshape(12, 12, 2)
    first = head.body.first_bias(12) + head.body.columns(0, values[:4]) + head.body.columns(4, values[4:])
    parts = head.out[0](head.body.finish(first, residues, residues)).reshape(12, 12, 2)
    assert torch.allclose(whole, parts, atol=1e-5)
    (packed,) = symmetric([whole.reshape(-1, 2)], 12)
    i, j = np.triu_indices(12, 1)
    assert torch.allclose(packed, (whole[i, j] + whole[j, i]) / 2)
