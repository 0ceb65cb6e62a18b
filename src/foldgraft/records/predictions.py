"""What experiments and baselines say of validation and test proteins."""

from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from foldgraft.errors import FoldgraftError
from foldgraft.settings import Settings

_COMMON = [
    pa.field("id", pa.string(), nullable=False),
    pa.field("sequence_sha256", pa.string(), nullable=False),
    pa.field("split", pa.string(), nullable=False),
    pa.field("fold", pa.int64(), nullable=False),
]
_ABOUT_COMMON = {
    "split": "valid or test: as what the protein served the members that scored it; one row for each",
    "fold": "the protein's fold",
}
_SCORES = pa.list_(pa.float32())

PROTEIN = pa.schema(
    [
        *_COMMON,
        pa.field("truth", pa.float64(), nullable=False),
        pa.field("score", _SCORES, nullable=False),
        pa.field("low", _SCORES, nullable=False),
        pa.field("high", _SCORES, nullable=False),
    ],
    metadata={
        **_ABOUT_COMMON,
        "truth": "0 to 1 for a binary target, a number in its unit for a value, the number of the class for classes",
        "score": "(K,) mean over the ensemble: the probability (K = 1) of a binary target, the value (K = 1), or the "
        "probabilities of the classes",
        "low": "(K,) least of the ensemble's members, and high the greatest",
    },
)

RESIDUE = pa.schema(
    [
        *_COMMON,
        pa.field("length", pa.int64(), nullable=False),
        pa.field("truth", _SCORES, nullable=False),
        pa.field("score", _SCORES, nullable=False),
    ],
    metadata={
        **_ABOUT_COMMON,
        "truth": "(length, T), NaN where it is not known; T = 1, or 2 for each angle: its sine and cosine",
        "score": "(length, K) mean over the ensemble: probability, value, probabilities of the classes, or sine and "
        "cosine of each angle on the unit circle",
    },
)

PAIR = pa.schema(
    [
        *_COMMON,
        pa.field("length", pa.int64(), nullable=False),
        pa.field("score", _SCORES, nullable=False),
    ],
    metadata={
        **_ABOUT_COMMON,
        "score": "(length * (length - 1) / 2,) probability of a contact, packed as foldgraft.records.pairs packs it; "
        "zero for pairs fewer than six residues apart. The truth is in targets/<shard>.parquet",
    },
)

DISTOGRAM = pa.schema(
    [*PAIR, pa.field("distance", _SCORES, nullable=False), pa.field("cross_entropy", pa.float64())],
    metadata={
        **{key.decode(): value.decode() for key, value in PAIR.metadata.items()},
        "distance": "(length * (length - 1) / 2,) expected distance, angstrom; NaN for pairs fewer than six apart",
        "cross_entropy": "mean over the chain's known pairs that are six residues and more apart, nats; null where "
        "there is none",
    },
)


class About(Settings):
    """What a file of predictions states of itself, so that it is read without a configuration."""

    task: str
    """Name of the task."""
    experiment: str
    """Name of the experiment or baseline."""
    level: Literal["protein", "residue", "pair"]
    """What has a prediction of its own."""
    target: dict[str, Any]
    """The target: its kind, its classes or angles as `names`, its `unit`."""


def schema_of(about: About) -> pa.Schema:
    """The schema of a file of predictions, with what it states of itself in the metadata."""
    distances = about.level == "pair" and about.target["kind"] == "classes"
    schema = {"protein": PROTEIN, "residue": RESIDUE, "pair": DISTOGRAM if distances else PAIR}[about.level]
    return schema.with_metadata({**schema.metadata, "predictions": about.model_dump_json()})


def read_about(path: Path) -> About:
    """What a file of predictions states of itself.

    Raises
    ------
    FoldgraftError
        if it is no file of predictions.
    """
    try:
        metadata = pq.read_schema(path).metadata or {}
        return About.model_validate_json(metadata[b"predictions"])
    except (OSError, LookupError, ValidationError, pa.ArrowException):
        raise FoldgraftError(f"{path}: is no file of predictions; rerun the stage that writes it") from None
