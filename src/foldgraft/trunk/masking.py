"""Batches of crops, and the masks that make a language model of a network (Devlin et al. 2019)."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from foldgraft.models import alphabet
from foldgraft.residues import AMINO_ACIDS
from foldgraft.trunk.corpus import Corpus, crops

SELECTED = 0.15
MASKED, REPLACED = 0.8, 0.1
CROPS_AT_ONCE = 4096
RANDOM_LETTERS = alphabet.encode(AMINO_ACIDS)


def endless_batches(corpus: Corpus, length: int, tokens: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Batches of random crops without end, pass after pass over the corpus; each of shape (B, T), uint8."""
    while True:
        stream = crops(corpus, length, generator)
        while pool := list(islice(stream, CROPS_AT_ONCE)):
            batches = list(buckets(pool, tokens))
            for number in generator.permutation(len(batches)):
                yield batches[number]


def buckets(pool: Iterable[np.ndarray], tokens: int) -> Iterator[np.ndarray]:
    """Padded batches of crops of like length, with at most `tokens` tokens each, or one row."""
    batch: list[np.ndarray] = []
    for crop in sorted(pool, key=len, reverse=True):
        if batch and (len(batch[0]) + 2) * (len(batch) + 1) > tokens:
            yield pad(batch)
            batch = []
        batch.append(crop)
    if batch:
        yield pad(batch)


def pad(batch: list[np.ndarray]) -> np.ndarray:
    """Tokens between <cls> and <eos>, padded to the longest; shape (B, T), uint8."""
    padded = np.full((len(batch), 2 + max(map(len, batch))), alphabet.PAD, dtype=np.uint8)
    for row, crop in zip(padded, batch, strict=True):
        row[0], row[1 : 1 + len(crop)], row[1 + len(crop)] = alphabet.CLS, crop, alphabet.EOS
    return padded


def select(tokens: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Positions whose letters are to be guessed, 15 % of the residues and at least one; shape (B, T), bool."""
    residue = tokens >= alphabet.FIRST_LETTER
    chance = np.where(residue, generator.random(tokens.shape), 1.0)
    return (chance < SELECTED) | (chance == chance.min())


def corrupt(tokens: np.ndarray, selected: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Of the selected positions 80 % become <mask>, 10 % a random amino acid, and the rest stay; shape (B, T)."""
    fate = generator.random(tokens.shape)
    letters = generator.choice(RANDOM_LETTERS, tokens.shape)
    corrupted = np.where(selected & (fate < MASKED), alphabet.MASK, tokens)
    return np.where(selected & (fate >= MASKED) & (fate < MASKED + REPLACED), letters, corrupted)
