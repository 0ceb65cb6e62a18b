"""The state of a pretraining, and the checkpoint file from which it goes on."""

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
from foldgraft.models.optimizers import new_optimizer
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.network import Network
from foldgraft.models.trunk.tensors import fill_network
from foldgraft.records.files import atomic
from foldgraft.trunk.pretraining.batches import Cursor
from foldgraft.trunk.pretraining.settings import PretrainSettings

BETAS = (0.9, 0.98)
FORMAT = 2
MOMENTS = {"exp_avg": "mean.", "exp_avg_sq": "square."}
"""AdamW's names of its moments, and the prefixes of their tensors in the file."""


@dataclass
class TrainingState:
    """A network, its optimizer, and how far they are.

    Attributes
    ----------
    step, tokens, seconds
        since the first step.
    cursor
        of the next batch.
    history
        rows of `training.HISTORY`.
    losses
        of the steps since the last row.
    """

    network: Network
    optimizer: torch.optim.Optimizer
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    cursor: Cursor = field(default_factory=Cursor)
    history: list[dict[str, float | None]] = field(default_factory=list)
    losses: list[Tensor] = field(default_factory=list)

    @classmethod
    def of(cls, network: Network, settings: PretrainSettings, device: torch.device) -> "TrainingState":
        """A network before its first step; weight decay is for matrices alone."""
        network = network.to(device).train()
        rates = [(parameter, settings.learning_rate) for parameter in network.parameters()]
        return cls(network, new_optimizer("adamw", rates, settings.weight_decay, betas=BETAS, fused=True))


def write_checkpoint(path: Path, state: TrainingState, digest: str) -> None:
    """Write all that a pretraining needs to go on from here: tensors, and the rest as JSON in the file's header.

    Parameters
    ----------
    digest : str
        of what it is a pretraining of: settings, corpus, and the weights it began with.
    """
    tensors = {f"weights.{name}": tensor for name, tensor in state.network.state_dict().items()}
    tensors |= dict(_moments(state))
    about = {
        "format": FORMAT,
        "digest": digest,
        "architecture": state.network.architecture.as_dict(),
        "step": state.step,
        "tokens": state.tokens,
        "seconds": state.seconds,
        "cursor": state.cursor,
        "history": state.history,
        "losses": torch.stack(state.losses).tolist() if state.losses else [],
    }
    with atomic(path) as temporary:
        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(plain, temporary, metadata={"pretraining": json.dumps(about)})


def _moments(state: TrainingState) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in state.network.named_parameters():
        for key, prefix in MOMENTS.items():
            if key in state.optimizer.state[parameter]:
                yield prefix + name, state.optimizer.state[parameter][key]


def read_checkpoint(path: Path, settings: PretrainSettings, device: torch.device, digest: str) -> TrainingState | None:
    """The pretraining that goes on from a file; None if it is one of something else than `digest` says.

    Raises
    ------
    FoldgraftError
        if the file is not one that `write_checkpoint` wrote.
    """
    about, tensors = _read(path)
    if about["digest"] != digest:
        return None
    weights = {name.removeprefix("weights."): t for name, t in tensors.items() if name.startswith("weights.")}
    network = fill_network(weights, Architecture.read(about["architecture"], str(path)), str(path))
    state = TrainingState.of(network.requires_grad_(True), settings, device)
    for name, parameter in state.network.named_parameters():
        moments = {key: tensors[prefix + name] for key, prefix in MOMENTS.items() if prefix + name in tensors}
        if moments:
            step = torch.tensor(float(about["step"]), device=device)
            on_device = {key: moment.to(device) for key, moment in moments.items()}
            state.optimizer.state[parameter] = {"step": step, **on_device}
    state.step, state.tokens, state.seconds = about["step"], about["tokens"], about["seconds"]
    state.cursor, state.history = Cursor(*about["cursor"]), about["history"]
    state.losses = list(torch.tensor(about["losses"], device=device))
    return state


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["pretraining"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
        known = about["format"]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise FoldgraftError(f"{path}: cannot be read as a checkpoint of a pretraining ({error}); remove it") from None
    if known != FORMAT:
        raise FoldgraftError(f"{path}: is a checkpoint of another version of Foldgraft; remove it and begin anew")
    return about, tensors
