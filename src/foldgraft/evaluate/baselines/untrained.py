"""Embeddings by a trunk of the same shape that has learnt nothing: what the shape alone gives."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from foldgraft.models.trunk import Trunk
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


def pooled(description: Path, sequences: Sequence[str], seed: int) -> np.ndarray:
    """Mean embeddings of the last layer, shape (N, D)."""
    trunk, found = random_trunk(description, seed), []
    starts = range(0, len(sequences), TOGETHER)
    for start in progress(starts, "sequences through an untrained trunk", len(starts)):
        some = trunk.embed_layers(list(sequences[start : start + TOGETHER]))
        found += [embedded.pooled[-1] for embedded in some]
    return np.array(found, dtype=np.float64)
