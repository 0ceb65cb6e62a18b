"""Batches of crops, and the masks that make a language model of a network (Devlin et al. 2019).

Which batch comes when, its crops and its masks follow from the seed, the epoch and the number of the batch alone: a
pretraining goes on from any batch as if it had never stopped, and batches may be made ahead of their use.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from foldgraft.models.trunk import alphabet
from foldgraft.residues import AMINO_ACIDS
from foldgraft.trunk.pretraining.corpus import Corpus
from foldgraft.trunk.pretraining.settings import PretrainSettings

SELECTED = 0.15
MASKED, REPLACED = 0.8, 0.1
POOL_CROPS, POOL_BATCHES = 4096, 100
"""Crops are sorted by length within pools of at least so many crops, and of about so many batches."""
ORDER, CROPS = range(2)
"""What a random generator is for: it is seeded with the seed, the purpose, and numbers."""
RANDOM_LETTERS = alphabet.encode(AMINO_ACIDS)


class Cursor(NamedTuple):
    """The next batch: the number of its epoch, and its own within the epoch."""

    epoch: int = 0
    batch: int = 0


class Batch(NamedTuple):
    """What the network reads, and what it is to guess."""

    inputs: np.ndarray  # (B, T) uint8
    positions: np.ndarray  # (S,) int64, into the flattened inputs
    targets: np.ndarray  # (S,) int64
    tokens: int  # without padding


def endless_batches(corpus: Corpus, settings: PretrainSettings, start: Cursor) -> Iterator[tuple[Cursor, Batch]]:
    """Batches without end, from `start` on, each with the cursor of the one that follows it."""
    cursor = start
    while True:
        plan = epoch_batches(corpus, settings, cursor.epoch)
        for number in range(cursor.batch, len(plan)):
            generator = np.random.default_rng([settings.seed, CROPS, cursor.epoch, number])
            tokens = pad([crop(corpus[row], settings.crop_length, generator) for row in plan[number]])
            selected = select(tokens, generator)
            following = Cursor(cursor.epoch, number + 1)
            yield following, masked(tokens, corrupt(tokens, selected, generator), selected)
        cursor = Cursor(cursor.epoch + 1)


def epoch_batches(corpus: Corpus, settings: PretrainSettings, epoch: int) -> list[np.ndarray]:
    """The sequences of each batch of an epoch, which takes every one once; numbers of sequences, shape (B,)."""
    generator = np.random.default_rng([settings.seed, ORDER, epoch])
    lengths = np.minimum(np.diff(corpus.offsets), settings.crop_length)
    order = generator.permutation(len(corpus))
    pool = max(POOL_CROPS, int(POOL_BATCHES * settings.batch_tokens / (lengths.mean() + 2)))
    plan: list[np.ndarray] = []
    for begin in range(0, len(order), pool):
        rows = order[begin : begin + pool]
        rows = rows[np.argsort(-lengths[rows], kind="stable")]
        batches = [rows[a:b] for a, b in buckets(lengths[rows], settings.batch_tokens)]
        plan += [batches[place] for place in generator.permutation(len(batches))]
    return plan


def buckets(lengths: np.ndarray, tokens: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of batches of crops, longest first: padded, at most `tokens` tokens each, or one row."""
    start = 0
    while start < len(lengths):
        stop = start + max(1, tokens // (int(lengths[start]) + 2))
        yield start, min(stop, len(lengths))
        start = stop


def crop(tokens: np.ndarray, length: int, generator: np.random.Generator) -> np.ndarray:
    """A sequence, or of a longer one a random stretch of `length` residues."""
    start = generator.integers(0, len(tokens) - length + 1) if len(tokens) > length else 0
    return tokens[start : start + length]


def pad(batch: list[np.ndarray]) -> np.ndarray:
    """Tokens between <cls> and <eos>, padded to the longest; shape (B, T), uint8."""
    padded = np.full((len(batch), 2 + max(map(len, batch))), alphabet.PAD, dtype=np.uint8)
    for row, crop in zip(padded, batch, strict=True):
        row[0], row[1 : 1 + len(crop)], row[1 + len(crop)] = alphabet.CLS, crop, alphabet.EOS
    return padded


def select(tokens: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Positions whose letters are to be guessed, 15 % of the residues and at least one; shape (B, T), bool."""
    residue = tokens >= alphabet.FIRST_LETTER
    chance = np.where(residue, generator.random(tokens.shape, dtype=np.float32), np.float32(1))
    return (chance < SELECTED) | (chance == chance.min())


def corrupt(tokens: np.ndarray, selected: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Of the selected positions 80 % become <mask>, 10 % a random amino acid, and the rest stay; shape (B, T)."""
    corrupted = tokens.copy()
    fate = generator.random(int(selected.sum()), dtype=np.float32)
    replacements = tokens[selected]
    replacements[fate < MASKED] = alphabet.MASK
    replaced = (fate >= MASKED) & (fate < MASKED + REPLACED)
    replacements[replaced] = generator.choice(RANDOM_LETTERS, int(replaced.sum()))
    corrupted[selected] = replacements
    return corrupted


def masked(tokens: np.ndarray, inputs: np.ndarray, selected: np.ndarray) -> Batch:
    """The batch of which the selected positions are to be guessed."""
    positions = np.flatnonzero(selected)
    count = int((tokens != alphabet.PAD).sum())
    return Batch(inputs, positions, tokens.reshape(-1)[positions].astype(np.int64), count)
