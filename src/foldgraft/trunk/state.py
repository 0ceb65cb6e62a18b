"""A pretraining on its way, and the file from which it goes on."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk.esm2 import Architecture, Network
from foldgraft.models.trunk.tensors import fill_network
from foldgraft.records.files import atomic
from foldgraft.trunk.masking import Place
from foldgraft.trunk.settings import PretrainSettings

BETAS = (0.9, 0.98)
FORMAT = 1
MOMENTS = {"exp_avg": "mean.", "exp_avg_sq": "square."}


@dataclass
class Learner:
    """A network, its optimizer, and how far they are.

    Attributes
    ----------
    step, tokens, seconds
        since the very beginning.
    place
        of the next batch in the stream.
    history
        rows of `pretrain.HISTORY`.
    losses
        of the steps since the last row.
    legs
        what each leg did, see `leg.leg`.
    """

    network: Network
    optimizer: torch.optim.Optimizer
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    place: Place = field(default_factory=Place)
    history: list[dict[str, float | None]] = field(default_factory=list)
    losses: list[Tensor] = field(default_factory=list)
    legs: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, network: Network, settings: PretrainSettings, device: torch.device) -> "Learner":
        """A network about to learn; weight decay is for matrices alone."""
        network = network.to(device).train()
        matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
        others = [parameter for parameter in network.parameters() if parameter.ndim == 1]
        groups = [
            {"params": matrices, "weight_decay": settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return cls(network, torch.optim.AdamW(groups, lr=settings.learning_rate, betas=BETAS, fused=True))


def write_state(path: Path, learner: Learner, digest: str, compact: bool = False) -> None:
    """Write all that a pretraining needs to go on from here: tensors, and the rest as JSON in the file's header.

    Parameters
    ----------
    digest
        of what it is a pretraining of: settings, text, and the weights it began with.
    compact
        half the size, to be carried to another machine: second moments in bfloat16 and no first moments, which the
        optimizer gathers anew in some ten steps, during which its steps are short.
    """
    tensors = {f"weights.{name}": tensor for name, tensor in learner.network.state_dict().items()}
    tensors |= {name: moment.bfloat16() if compact else moment for name, moment in _moments(learner, compact)}
    about = {
        "format": FORMAT,
        "digest": digest,
        "architecture": learner.network.architecture.as_dict(),
        "step": learner.step,
        "tokens": learner.tokens,
        "seconds": learner.seconds,
        "place": learner.place,
        "history": learner.history,
        "losses": torch.stack(learner.losses).tolist() if learner.losses else [],
        "legs": learner.legs,
    }
    with atomic(path) as temporary:
        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(plain, temporary, metadata={"pretraining": json.dumps(about)})


def _moments(learner: Learner, compact: bool) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in learner.network.named_parameters():
        for key, prefix in MOMENTS.items():
            if key in learner.optimizer.state[parameter] and not (compact and key == "exp_avg"):
                yield prefix + name, learner.optimizer.state[parameter][key]


def read_state(path: Path, settings: PretrainSettings, device: torch.device, digest: str) -> Learner | None:
    """The pretraining that goes on from a file; None if it is one of something else than `digest` says.

    Raises
    ------
    FoldgraftError
        if the file is not one that `write_state` wrote.
    """
    about, tensors = _read(path)
    if about["digest"] != digest:
        return None
    weights = {name.removeprefix("weights."): t for name, t in tensors.items() if name.startswith("weights.")}
    network = fill_network(weights, Architecture.read(about["architecture"], str(path)), str(path))
    learner = Learner.of(network.requires_grad_(True), settings, device)
    for name, parameter in learner.network.named_parameters():
        if MOMENTS["exp_avg_sq"] + name in tensors:
            blank = torch.zeros_like(parameter)
            moments = {key: tensors.get(prefix + name, blank) for key, prefix in MOMENTS.items()}
            state = {key: moment.to(device, torch.float32) for key, moment in moments.items()}
            learner.optimizer.state[parameter] = {"step": torch.tensor(float(about["step"]), device=device), **state}
    learner.step, learner.tokens, learner.seconds = about["step"], about["tokens"], about["seconds"]
    learner.place, learner.history, learner.legs = Place(*about["place"]), about["history"], about["legs"]
    learner.losses = list(torch.tensor(about["losses"], device=device))
    return learner


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["pretraining"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
        known = about["format"]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise FoldgraftError(f"{path}: cannot be read as the state of a pretraining ({error}); remove it") from None
    if known != FORMAT:
        raise FoldgraftError(f"{path}: is the state of another version of Foldgraft; remove it and begin anew")
    return about, tensors
