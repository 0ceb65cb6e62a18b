"""Embeddings by a trunk of the same shape that has learnt nothing: what the shape alone gives."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import build_network
from foldgraft.progress import progress
from foldgraft.records.files import read_json

TOGETHER = 256
"""Sequences that are embedded in one call."""


def random_trunk(description: Path, seed: int) -> Trunk:
    """A trunk of the architecture that `trunk/trunk.json` states, its weights drawn by the seed."""
    architecture = Architecture.read(read_json(description)["architecture"], str(description))
    torch.manual_seed(seed)
    return Trunk(build_network(architecture), "untrained", "")


def pooled(description: Path, sequences: Sequence[str], seed: int, longest: int | None = None) -> np.ndarray:
    """Mean embeddings of the last layer, shape (N, D); NaN of sequences longer than `longest`, if it is given, and of
    those that are empty or have a letter that the trunk does not read."""
    trunk = random_trunk(description, seed)
    found = np.full((len(sequences), trunk.width), np.nan)
    rows = [number for number, one in enumerate(sequences) if _read(one, longest)]
    starts = range(0, len(rows), TOGETHER)
    for start in progress(starts, "sequences through an untrained trunk", len(starts)):
        some = rows[start : start + TOGETHER]
        found[some] = [embedded.pooled[-1] for embedded in trunk.embed_layers([sequences[row] for row in some])]
    return found


def _read(sequence: str, longest: int | None) -> bool:
    return 0 < len(sequence) <= (longest or len(sequence)) and not alphabet.illegal(sequence)
