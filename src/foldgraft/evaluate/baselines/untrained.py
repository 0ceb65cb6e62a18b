"""A trunk of the same shape that has learnt nothing: what the shape alone gives."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.baselines.inputs import Inputs
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import build_network
from foldgraft.progress import progress
from foldgraft.records.files import read_json


def trunk_of(inputs: Inputs) -> Trunk:
    """The untrained trunk of a baseline.

    Raises
    ------
    FoldgraftError
        if there is no description of the trunk whose shape it has.
    """
    if inputs.description is None:
        raise FoldgraftError("baseline untrained: give the trunk whose shape it has (--description)")
    return random_trunk(inputs.description, inputs.settings.seed)


def random_trunk(description: Path, seed: int) -> Trunk:
    """A trunk of the architecture that `trunk/trunk.json` states, its weights drawn by the seed."""
    architecture = Architecture.read(read_json(description)["architecture"], str(description))
    torch.manual_seed(seed)
    return Trunk(build_network(architecture), "untrained", "")


def readable(sequence: str, longest: int | None = None) -> bool:
    """Whether the embed stage takes a sequence: not empty, not too long, every letter known."""
    return 0 < len(sequence) <= (longest or len(sequence)) and not alphabet.illegal(sequence)


def embedded(trunk: Trunk, sequences: Sequence[str]) -> Iterator[np.ndarray]:
    """Residue embeddings of the last layer, shape (L, D), of one sequence after the other."""
    return progress(trunk.embed(sequences), "sequences through an untrained trunk", len(sequences))


def pooled(trunk: Trunk, sequences: Sequence[str], longest: int | None = None) -> np.ndarray:
    """Mean embeddings of the last layer, shape (N, D); NaN of sequences that are not `readable`."""
    means = np.full((len(sequences), trunk.width), np.nan)
    rows = [number for number, one in enumerate(sequences) if readable(one, longest)]
    for row, residues in zip(rows, embedded(trunk, [sequences[row] for row in rows]), strict=True):
        means[row] = residues.mean(axis=0)
    return means
