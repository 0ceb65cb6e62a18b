"""Batches and masks."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.models.trunk import alphabet
from foldgraft.residues import AMINO_ACIDS
from foldgraft.trunk.pretraining.batches import (
    Cursor,
    buckets,
    corrupt,
    crop,
    endless_batches,
    epoch_batches,
    masked,
    pad,
    select,
)
from foldgraft.trunk.pretraining.corpus import Corpus
from foldgraft.trunk.pretraining.settings import PretrainSettings


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(10, 300))
def test_buckets_keep_their_budget_and_lose_nothing(lengths, tokens):
    lengths = np.array(sorted(lengths, reverse=True))
    found = list(buckets(lengths, tokens))
    assert all(b - a == 1 or (b - a) * (lengths[a] + 2) <= tokens for a, b in found)
    assert [number for a, b in found for number in range(a, b)] == list(range(len(lengths)))


@given(st.lists(st.integers(1, 80), min_size=1, max_size=30), st.integers(0, 3))
def test_an_epoch_takes_every_sequence_once(lengths, number):
    corpus = Corpus.of(["M" * length for length in lengths])
    plan = epoch_batches(corpus, PretrainSettings(batch_tokens=64, crop_length=40), number)
    assert sorted(row for rows in plan for row in rows) == list(range(len(lengths)))
    padded = [len(rows) * (2 + max(min(40, lengths[row]) for row in rows)) for rows in plan]
    assert all(len(rows) == 1 or size <= 64 for rows, size in zip(plan, padded, strict=True))


@pytest.mark.parametrize("tokens", [1024, 65536])
def test_little_of_a_batch_is_padding(tokens):
    lengths = np.clip(np.random.default_rng(0).lognormal(5.55, 0.6, 30_000), 50, 1022).astype(int)
    corpus = Corpus(np.zeros(lengths.sum(), np.uint8), np.concatenate([[0], lengths.cumsum()]))
    plan = epoch_batches(corpus, PretrainSettings(batch_tokens=tokens, crop_length=1022), 0)
    assert sum(len(rows) * lengths[rows].max() for rows in plan) < 1.04 * lengths.sum()


@given(st.text(alphabet.LETTERS, min_size=1, max_size=30), st.integers(1, 40))
def test_a_crop_is_a_stretch(sequence, length):
    found = crop(alphabet.encode(sequence), length, np.random.default_rng(0))
    assert len(found) == min(length, len(sequence))
    assert "".join(alphabet.TOKENS[token] for token in found) in sequence


def test_padding():
    found = pad([alphabet.encode("MKT"), alphabet.encode("A")])
    m, k, t, a = (alphabet.TOKENS.index(letter) for letter in "MKTA")
    assert found.tolist() == [[0, m, k, t, 2], [0, a, 2, 1, 1]]


def test_batches_go_on_after_an_epoch_and_crop_anew():
    corpus = Corpus.of(["ACDEFGHIKLMNPQRSTVWY" * 3, "MKT"])
    settings = PretrainSettings().model_copy(update={"batch_tokens": 12, "crop_length": 10})
    batches = [batch for _, batch in islice(endless_batches(corpus, settings, Cursor()), 20)]
    texts = []
    for batch in batches:
        tokens = batch.inputs.copy()
        tokens.reshape(-1)[batch.positions] = batch.targets
        texts.append(tokens.tobytes())
    long = {text for text in texts if len(text) == 12}
    assert len(long) > 2 and sum(len(text) == 5 for text in texts) == 10
    assert sum(batch.tokens for batch in batches) == 10 * (12 + 5)


def test_the_stream_can_be_entered_anywhere():
    generator = np.random.default_rng(0)
    corpus = Corpus.of(["".join(generator.choice(list(AMINO_ACIDS), length)) for length in range(20, 60)])
    settings = PretrainSettings(batch_tokens=256, crop_length=40)
    whole = list(islice(endless_batches(corpus, settings, Cursor()), 30))
    assert max(cursor.epoch for cursor, _ in whole) >= 2
    for number in (1, 7, 29):
        cursor, batch = next(endless_batches(corpus, settings, whole[number - 1][0]))
        assert cursor == whole[number][0]
        assert all(np.array_equal(a, b) for a, b in zip(batch, whole[number][1], strict=True))
    assert len({batch.inputs.tobytes() for _, batch in whole}) == 30


def test_shares_of_selected_masked_replaced_and_kept():
    generator = np.random.default_rng(0)
    tokens = pad([generator.integers(4, 24, 400).astype(np.uint8) for _ in range(200)])
    selected = select(tokens, generator)
    corrupted = corrupt(tokens, selected, generator)
    residues = tokens >= alphabet.FIRST_LETTER
    assert abs(selected[residues].mean() - 0.15) < 0.005 and not selected[~residues].any()
    assert (corrupted[~selected] == tokens[~selected]).all()
    hidden = corrupted[selected] == alphabet.MASK
    kept = corrupted[selected] == tokens[selected]
    assert abs(hidden.mean() - 0.8) < 0.01
    assert abs(kept.mean() - (0.1 + 0.1 / 20)) < 0.01
    replaced = corrupted[selected][~hidden & ~kept]
    assert {alphabet.TOKENS[token] for token in replaced} == set(AMINO_ACIDS)


def test_what_is_to_be_guessed_stands_at_its_position():
    tokens = pad([alphabet.encode("MKT"), alphabet.encode("A")])
    selected = np.array([[0, 0, 1, 0, 0], [0, 1, 0, 0, 0]], dtype=bool)
    batch = masked(tokens, tokens, selected)
    assert batch.positions.tolist() == [2, 6] and batch.tokens == 8
    assert "".join(alphabet.TOKENS[letter] for letter in batch.targets) == "KA"


@given(st.integers(0, 1000))
def test_something_is_always_selected(seed):
    tokens = pad([alphabet.encode("MK")])
    selected = select(tokens, np.random.default_rng(seed))
    assert selected.any() and not selected[0, 0] and not selected[0, -1]
