"""Batches and masks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.models import alphabet
from foldgraft.residues import AMINO_ACIDS
from foldgraft.trunk.corpus import Corpus
from foldgraft.trunk.masking import buckets, corrupt, endless_batches, pad, select


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(10, 300))
def test_buckets_keep_their_budget_and_lose_nothing(lengths, tokens):
    crops = [np.full(length, 4 + number % 20, dtype=np.uint8) for number, length in enumerate(lengths)]
    found = list(buckets(crops, tokens))
    assert all(len(batch) == 1 or batch.size <= tokens for batch in found)
    assert sum((batch >= alphabet.FIRST_LETTER).sum() for batch in found) == sum(lengths)


def test_padding():
    found = pad([alphabet.encode("MKT"), alphabet.encode("A")])
    m, k, t, a = (alphabet.TOKENS.index(letter) for letter in "MKTA")
    assert found.tolist() == [[0, m, k, t, 2], [0, a, 2, 1, 1]]


def test_batches_go_on_after_a_pass_and_crop_anew():
    corpus = Corpus.of(["ACDEFGHIKLMNPQRSTVWY" * 3, "MKT"])
    stream = endless_batches(corpus, 10, 12, np.random.default_rng(0))
    batches = [next(stream) for _ in range(20)]
    long = {batch.tobytes() for batch in batches if batch.shape[1] == 12}
    assert len(long) > 2 and sum(batch.shape[1] == 5 for batch in batches) == 10


def test_shares_of_selected_masked_replaced_and_kept():
    generator = np.random.default_rng(0)
    tokens = pad([generator.integers(4, 24, 400).astype(np.uint8) for _ in range(200)])
    selected = select(tokens, generator)
    corrupted = corrupt(tokens, selected, generator)
    residues = tokens >= alphabet.FIRST_LETTER
    assert abs(selected[residues].mean() - 0.15) < 0.005 and not selected[~residues].any()
    assert (corrupted[~selected] == tokens[~selected]).all()
    masked = corrupted[selected] == alphabet.MASK
    kept = corrupted[selected] == tokens[selected]
    assert abs(masked.mean() - 0.8) < 0.01
    assert abs(kept.mean() - (0.1 + 0.1 / 20)) < 0.01
    replaced = corrupted[selected][~masked & ~kept]
    assert {alphabet.TOKENS[token] for token in replaced} == set(AMINO_ACIDS)


@given(st.integers(0, 1000))
def test_something_is_always_selected(seed):
    tokens = pad([alphabet.encode("MK")])
    selected = select(tokens, np.random.default_rng(seed))
    assert selected.any() and not selected[0, 0] and not selected[0, -1]
