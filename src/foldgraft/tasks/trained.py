"""Trained heads on disk: `train/<experiment>/head.safetensors`.

One file holds all members of an experiment; the tensors of member n are named `members.<n>.<tensor>`. The header's one
metadata key, `foldgraft`, is the JSON of a `Header`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from foldgraft.errors import FoldgraftError
from foldgraft.models.heads.build import TrunkPart, Widths, build, build_tuned
from foldgraft.models.heads.layers import Head
from foldgraft.models.heads.settings import HEADS, HeadChoice, Unfreeze
from foldgraft.models.heads.tuned import load_trained, trained_state
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.identity import Identity
from foldgraft.records import origin
from foldgraft.records.files import atomic
from foldgraft.settings import Settings, explain
from foldgraft.tasks.calibration import Calibration
from foldgraft.tasks.target import Target, Value
from foldgraft.tasks.task import Task

LARGEST = 1 << 20  # no head is wider; keeps a damaged header from asking for all the memory there is


class Scale(Settings):
    """Mean and deviation of a value's training truth; 0 and 1 for other targets."""

    mean: float = 0.0
    """In the value's unit."""
    scale: float = Field(1.0, gt=0)
    """In the value's unit."""


class MemberInfo(Settings):
    """How one member was trained."""

    seed: int
    """Seed of its initial weights and of the order of its batches."""
    test_fold: int
    """The fold that was its test set."""
    valid_fold: int | None
    """The fold that was its validation set; null if it learnt from all folds but the test fold."""
    best_epoch: int | None
    """The epoch whose weights were kept, from 1; null for a head that was solved for."""
    penalty: float | None
    """The penalty that validation chose; null for a head that was trained."""
    scales: list[Scale]
    """Of each task."""
    calibrations: list[Calibration]
    """Of each task, fitted on validation proteins."""


class Seen(Settings):
    """What the training proteins were like, for a word of warning about one that is not."""

    shortest: int
    """Length of the shortest, residues."""
    longest: int
    """Length of the longest, residues."""
    methionine: float
    """Fraction of them that begin with methionine."""
    composition: list[float]
    """Mean fraction of each amino acid, in the order of `foldgraft.residues.AMINO_ACIDS`."""
    uneven: float
    """Distance from that composition, the sum of the absolute differences, that one in a thousand exceeds."""
    far: float | None = None
    """Distance of the embedding from their mean, in standard deviations (root of the mean square over the features),
    that one in a thousand exceeds; null for a head that reads no mean embedding."""


class HeadInfo(Settings):
    """What must be known of a head besides its tensors."""

    name: str
    """The experiment's name."""
    tasks: list[Task] = Field(min_length=1)
    """What is predicted, in the order of the output layers."""
    head: HeadChoice
    """Which head, and its settings."""
    widths: Widths
    """Width of what the head reads; for pairs that of a pair's features, and of the residue embeddings beside them; how
    many layers a learnt mix makes one of, 1 without a mix."""
    layers: list[int]
    """Layers of the trunk whose embeddings are read; none for a head that reads no embeddings."""
    unfreeze: Unfreeze = 0
    """What of the trunk was trained along."""
    covariates: list[str]
    """Name of every covariate column that is read beside the sequence."""
    features: list[str]
    """Pair features, in words."""
    columns: list[str]
    """Name of every column of the pair features."""
    members: list[MemberInfo] = Field(min_length=1)
    """How each member was trained."""
    trunk: Identity
    """The trunk that it was trained on."""
    experiment: dict[str, Any]
    """The experiment's settings, all keys resolved."""
    versions: dict[str, str]
    """Of the packages that trained it."""
    seen: Seen | None = None
    """What the training proteins were like; null where it was not noted."""

    @property
    def level(self) -> str:
        """What has an output of its own."""
        return self.tasks[0].level


class Header(Settings):
    """The one entry of the file's metadata."""

    head: HeadInfo
    """What must be known of the head."""
    sha256: str
    """Digest of that and of all tensors."""
    made_from: str
    """Digest of everything that it was made from."""


class Trained:
    """A trained head: what is known of it, and its members, in evaluation mode."""

    def __init__(self, info: HeadInfo, members: Sequence[Head]):
        self.info, self.members = info, list(members)

    def predict(self, task: int, outputs: torch.Tensor) -> torch.Tensor:
        """What a user reads, by each member: outputs (M, N, K) of the task of this number to (M, N, P)."""
        predicted = []
        for info, values in zip(self.info.members, outputs, strict=True):
            target = scaled(self.info.tasks[task].target, info.scales[task])
            predicted.append(target.predict(values, info.calibrations[task]))
        return torch.stack(predicted)


def scaled(target: Target, scale: Scale) -> Target:
    """The target with the mean and deviation that it was trained with."""
    return Value(target.unit, scale.mean, scale.scale) if isinstance(target, Value) else target


def scale_of(target: Target) -> Scale:
    """Mean and deviation of a fitted target."""
    return Scale(mean=target.average, scale=target.scale) if isinstance(target, Value) else Scale()


def save_head(path: Path, members: Sequence[Head], info: HeadInfo) -> None:
    """Write all members of an experiment as one file."""
    tensors = {
        f"members.{number}.{name}": tensor.detach().cpu().contiguous()
        for number, member in enumerate(members)
        for name, tensor in trained_state(member).items()
    }
    header = Header(head=info, sha256=_sha256(info.model_dump_json(), tensors), made_from=origin.made_from())
    with atomic(path) as temporary:  # one key, since safetensors writes several in any order
        save_file(tensors, temporary, metadata={"foldgraft": header.model_dump_json()})


def _sha256(info: str, tensors: Mapping[str, torch.Tensor]) -> str:
    """The digest of a description in JSON, as it was written, and of named tensors, with their kinds and shapes.

    Keys that a later version adds to the description leave the digest of an earlier file as it is.
    """
    digest = hashlib.sha256(json.dumps(json.loads(info), sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def load_head(path: Path, trunk: Trunk | None = None) -> Trained:
    """Read a trained head; one that trained a part of the trunk needs the trunk.

    Raises
    ------
    FoldgraftError
        if the file is no head of this package, was damaged or is another run's, or its tensors are not those that its
        description calls for.
    """
    try:
        with safe_open(path, framework="pt") as handle:
            text = (handle.metadata() or {}).get("foldgraft", "null")
            header = Header.model_validate_json(text)
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except OSError as error:
        raise FoldgraftError(f"{path}: cannot be read as a trained head ({error.strerror or error})") from None
    except SafetensorError:
        raise FoldgraftError(
            f"{path}: cannot be read as a trained head: it is no file of tensors, or was cut short; name a "
            f"head.safetensors that `foldgraft train` wrote, and if this is one, {origin.REMAKE}"
        ) from None
    except ValidationError as error:
        why = explain(error).splitlines()[0] if text != "null" else "it says nothing of one"
        raise FoldgraftError(f"{path}: is no trained head of this version ({why})") from None
    info = header.head
    if header.sha256 != _sha256(json.dumps(json.loads(text)["head"]), tensors):
        raise FoldgraftError(f"{path}: was damaged, its digest is not the one that was written; {origin.REMAKE}")
    origin.accept(path, header.made_from)
    if header.made_from and origin.made_from() and Path(path).parent.name != info.name:
        raise FoldgraftError(
            f"{path}: holds the head of the experiment {info.name}, whatever its name says; {origin.REMAKE}"
        )
    if info.head.name not in HEADS[info.level] or not _possible(info.widths):
        raise FoldgraftError(f"{path}: there is no head {info.head.name!r} of this size for {info.level} tasks")
    members = []
    for number in range(len(info.members)):
        prefix = f"members.{number}."
        member = _empty(path, info, trunk)
        try:
            load_trained(member, {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        except RuntimeError as error:
            problem = " ".join(str(error).split())[:300]
            raise FoldgraftError(f"{path}: the tensors do not fit the head {info.head.name!r} ({problem})") from None
        members.append(member.to(trunk.device if trunk else None).eval())
    return Trained(info, members)


def _possible(widths: Widths) -> bool:
    mixed = widths.mixed
    return all(0 <= width <= LARGEST for width in widths) and mixed > 0 and widths.features % mixed == 0


def _empty(path: Path, info: HeadInfo, trunk: Trunk | None) -> Head:
    outputs = [task.target.outputs for task in info.tasks]
    if info.unfreeze == 0:
        return build(info.level, info.head, info.widths, outputs, len(info.covariates))
    if trunk is None:
        raise FoldgraftError(f"{path}: the experiment {info.name} trained a part of its trunk, which is needed too")
    pairs = info.widths if info.level == "pair" else None
    part = TrunkPart(
        trunk.network, info.layers, info.unfreeze, info.widths.mixed > 1, pairs, "attention" in info.features
    )
    return build_tuned(info.level, info.head, part, outputs, len(info.covariates))
