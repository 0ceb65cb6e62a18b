"""Solubility heads: padding never shows, attention is over residues alone, the sizes are those asked for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foldgraft.models.features import LETTERS, UNKNOWN, collate, letters
from foldgraft.models.heads import HEADS, Standardise, build, logits, masked_softmax, without_dropout
from foldgraft.residues import AMINO_ACIDS

WIDTH = 8
LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=6)


def ready(name, seed=0):
    torch.manual_seed(seed)
    head = build(name, WIDTH, 16, 0.3)
    if head.normalise is not None:
        head.normalise.fit(torch.randn(50, WIDTH) * 3 + 2)  # so that padding with zeros is not neutral
    return head.eval()


def items(head, lengths, seed=0):
    rng = np.random.default_rng(seed)
    kinds = {
        "pooled": lambda n: rng.normal(size=WIDTH).astype(np.float16),
        "residue": lambda n: rng.normal(size=(n, WIDTH)).astype(np.float16),
        "letters": lambda n: rng.integers(1, LETTERS, n),
    }
    return [kinds[head.reads](n) for n in lengths]


@pytest.mark.parametrize("name", HEADS)
@settings(max_examples=25, deadline=None)
@given(LENGTHS, st.integers(0, 1000))
def test_padding_never_changes_the_output(name, lengths, seed):
    head = ready(name)
    proteins = items(head, lengths, seed)
    together = logits([head], *collate(proteins))[0]
    alone = torch.cat([logits([head], *collate([protein]))[0] for protein in proteins])
    assert torch.allclose(together, alone, atol=1e-5)


def test_what_stands_in_the_padding_is_not_read():
    head = ready("light_attention")
    inputs, mask = collate(items(head, [30, 12]))
    spoilt = inputs.clone()
    spoilt[1, 12:] = 7
    assert torch.allclose(head(inputs, mask), head(spoilt, mask), atol=1e-5)


@settings(max_examples=30, deadline=None)
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
    """One channel, one protein: the attended mean and the maximum, from convolutions written as sums."""
    head = ready("light_attention")
    x = np.random.default_rng(1).normal(size=(20, WIDTH)).astype(np.float32)
    state = {name: tensor.double().numpy() for name, tensor in head.state_dict().items()}
    z = (x - state["normalise.mean"]) / state["normalise.std"]
    padded = np.pad(z, ((4, 4), (0, 0)))
    windows = np.stack([padded[k : k + 9] for k in range(20)])  # (L, 9, D)

    def convolve(part):
        return np.einsum("lkd,cdk->lc", windows, state[f"{part}.weight"]) + state[f"{part}.bias"]

    values, scores = convolve("values"), np.exp(convolve("attention"))
    pooled = np.concatenate([(values * scores / scores.sum(axis=0)).sum(axis=0), values.max(axis=0)])
    hidden = np.maximum(state["hidden.weight"] @ pooled + state["hidden.bias"], 0)
    expected = state["out.weight"] @ hidden + state["out.bias"]
    assert logits([head], *collate([x]))[0].item() == pytest.approx(expected.item(), abs=1e-5)


def test_from_scratch_has_the_sizes_of_its_description():
    head = ready("cnn_from_scratch")
    assert head.embedding.weight.shape == (LETTERS, 64)
    assert head.first.weight.shape == (128, 64, 5) and head.second.weight.shape == (128, 128, 5)
    assert head.out.weight.shape == (1, 128)


def test_standardised_features_have_mean_0_and_deviation_1():
    values = torch.randn(200, 4) * torch.tensor([1.0, 5, 0.1, 0]) + 3
    layer = Standardise(4)
    layer.fit(values)
    scaled = layer(values)
    assert torch.allclose(scaled.mean(dim=0), torch.zeros(4), atol=1e-4)
    assert torch.allclose(scaled.std(dim=0, correction=0), torch.tensor([1.0, 1, 1, 0]), atol=1e-4)


def test_without_dropout_is_a_copy_that_drops_nothing():
    head = ready("mlp").train()
    inputs, mask = collate(items(head, [5, 5]))
    quiet = without_dropout(head)
    assert torch.equal(quiet.train()(inputs, mask), quiet.eval()(inputs, mask))
    assert head.dropout.p == 0.3


def test_letters_have_numbers_of_their_own():
    numbers = letters(AMINO_ACIDS + "XBU-")
    assert numbers.tolist() == [*range(1, 21), *[UNKNOWN] * 4]
    inputs, mask = collate([letters("AC"), letters("A")])
    assert inputs.tolist() == [[1, 2], [1, 0]] and mask.tolist() == [[True, True], [True, False]]
