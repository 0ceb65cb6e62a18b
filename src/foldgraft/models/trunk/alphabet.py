"""The letters that an ESM trunk reads, numbered as fair-esm's "ESM-1b" alphabet numbers them."""

from collections.abc import Sequence

import numpy as np

from foldgraft.errors import FoldgraftError

NAME = "ESM-1b"
LETTERS = "LAGVSERTIDPKQNFYMHWCXBUZO.-"
TOKENS = ("<cls>", "<pad>", "<eos>", "<unk>", *LETTERS, "<null_1>", "<mask>")
CLS, PAD, EOS = 0, 1, 2
MASK = TOKENS.index("<mask>")
FIRST_LETTER = TOKENS.index(LETTERS[0])

_ILLEGAL = 255
_NUMBER = np.full(256, _ILLEGAL, dtype=np.uint8)
_NUMBER[np.frombuffer(LETTERS.encode(), dtype=np.uint8)] = FIRST_LETTER + np.arange(len(LETTERS))


def illegal(sequence: str) -> str:
    """The characters of a sequence that are no letters of the alphabet, each once, sorted."""
    return "".join(sorted(set(sequence) - set(LETTERS)))


def batch(sequences: Sequence[np.ndarray]) -> np.ndarray:
    """Token numbers of sequences, each in a row of its own between <cls> and <eos>, padded; shape (B, T), int64."""
    tokens = np.full((len(sequences), 2 + max(map(len, sequences))), PAD, dtype=np.int64)
    for row, sequence in zip(tokens, sequences, strict=True):
        row[0], row[1 : 1 + len(sequence)], row[1 + len(sequence)] = CLS, sequence, EOS
    return tokens


def encode(sequence: str) -> np.ndarray:
    """Token numbers of a sequence without the tokens around it; shape (L,), uint8.

    U, Z, O, B, X, `.` and `-` have tokens of their own.

    Raises
    ------
    FoldgraftError
        for an empty sequence, and for characters without a token, naming them.
    """
    tokens = _NUMBER[np.frombuffer(sequence.encode("latin-1", "replace"), dtype=np.uint8)]
    if not tokens.size:
        raise FoldgraftError("a sequence is empty; the trunk reads at least one residue")
    if (tokens == _ILLEGAL).any():
        raise FoldgraftError(
            f"{sequence[:20]!r}...: the trunk has no token for {', '.join(map(repr, illegal(sequence)))}; "
            f"its letters are {LETTERS}"
        )
    return tokens
