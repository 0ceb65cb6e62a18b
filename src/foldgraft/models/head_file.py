"""Trained heads on disk: `train/<experiment>/head.safetensors`.

One file holds all members of an experiment; the tensors of member n are named `members.<n>.<tensor>`. The header's one
metadata key, `foldgraft`, is the JSON of a `HeadInfo`.
"""

from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from foldgraft.errors import FoldgraftError
from foldgraft.models.head_contact import CONTACT_HEADS, ContactHead, build_contact
from foldgraft.models.heads import HEADS, SolubilityHead, build
from foldgraft.models.trunk.fingerprint import Identity
from foldgraft.records.files import atomic
from foldgraft.settings import Settings, explain

LARGEST = 1 << 16  # no head is wider; keeps a damaged header from asking for all the memory there is


class Member(Settings):
    """How one member was trained."""

    seed: int
    """Seed of its initial weights and of the order of its batches."""
    fold: int | None
    """The fold that was its test set, where the experiment is cross-validated."""
    best_epoch: int
    """The epoch whose weights were kept, from 1."""
    temperature: float = Field(gt=0)
    """Its logits are divided by this before the sigmoid; fitted on validation proteins."""
    shift: float = 0.0
    """Added to them after that; fitted together with the temperature for contacts, zero for solubility."""


class Shape(Settings):
    """What determines the tensors of a head."""

    width: int = Field(ge=0, le=LARGEST)
    """Features: of an embedding for solubility, of a pair for contacts."""
    embedding: int = Field(0, ge=0, le=LARGEST)
    """Width of residue embeddings that a contact head takes beside its features."""
    hidden: int = Field(ge=1, le=LARGEST)
    """Hidden units or channels."""
    rank: int = Field(1, ge=1, le=LARGEST)
    """Width of a contact head's projected embeddings."""


class HeadInfo(Settings):
    """What must be known of a head besides its tensors."""

    name: str
    """The experiment's name."""
    task: Literal["solubility", "contact"]
    """What is predicted."""
    head: str
    """Which head."""
    shape: Shape
    """Sizes of its tensors."""
    features: list[str]
    """Solubility: what is read, `pooled`, `residue` or `letters`. Contacts: the pair features, in words."""
    columns: list[str]
    """Contacts: name of every column of the pair features."""
    members: list[Member] = Field(min_length=1)
    """How each member was trained."""
    threshold: float | None
    """Solubility: probability above which a protein is called soluble; of best MCC on validation proteins."""
    normalisation: str
    """How features are scaled before the first layer."""
    trunk: Identity
    """The trunk that it was trained on."""
    experiment: dict[str, Any]
    """The experiment's settings, all keys resolved."""
    versions: dict[str, str]
    """Of the packages that trained it."""


class Trained:
    """A trained head: what is known of it, and its members, in evaluation mode."""

    def __init__(self, info: HeadInfo, members: list[SolubilityHead] | list[ContactHead]):
        self.info = info
        self.members = members

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Of all members, from their logits, shape (M, ...) with one more axis."""
        members = self.info.members
        temperature = torch.tensor([[member.temperature] for member in members], device=logits.device)
        shift = torch.tensor([[member.shift] for member in members], device=logits.device)
        return torch.sigmoid(logits / temperature + shift)


def save_head(path: Path, members: list[nn.Module], info: HeadInfo) -> None:
    """Write all members of an experiment as one file."""
    tensors = {
        f"members.{number}.{name}": tensor.detach().cpu().contiguous()
        for number, member in enumerate(members)
        for name, tensor in member.state_dict().items()
    }
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata={"foldgraft": info.model_dump_json()})


def load_head(path: Path, device: torch.device | None = None) -> Trained:
    """Read a trained head.

    Raises
    ------
    FoldgraftError
        if the file is no head of this package, or its tensors are not those that its description calls for.
    """
    try:
        with safe_open(path, framework="pt") as handle:
            info = HeadInfo.model_validate_json((handle.metadata() or {}).get("foldgraft", "null"))
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise FoldgraftError(f"{path}: cannot be read as a trained head ({error})") from None
    except ValidationError as error:
        raise FoldgraftError(f"{path}: is no trained head ({explain(error).splitlines()[0]})") from None
    members = []
    for number in range(len(info.members)):
        prefix = f"members.{number}."
        member = _empty(path, info)
        try:
            member.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        except RuntimeError as error:
            raise FoldgraftError(f"{path}: the tensors do not fit the head {info.head!r} ({error})") from None
        members.append(member.to(device).eval())
    return Trained(info, members)


def _empty(path: Path, info: HeadInfo) -> nn.Module:
    shape = info.shape
    known = HEADS if info.task == "solubility" else CONTACT_HEADS
    if info.head not in known:
        raise FoldgraftError(f"{path}: there is no {info.task} head {info.head!r}; known: {', '.join(known)}")
    if info.task == "solubility":
        return build(info.head, shape.width, shape.hidden, dropout=0.0)
    return build_contact(info.head, shape.width, shape.embedding, shape.hidden, shape.rank, dropout=0.0)
