"""What every experiment leaves behind besides its predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml
from safetensors.torch import save_file

from foldgraft import __version__
from foldgraft.models.heads.layers import Head
from foldgraft.models.heads.settings import Lora
from foldgraft.models.heads.tuned import adapter_config, load_trained
from foldgraft.records.files import atomic, sealed, write_json
from foldgraft.records.text_tables import write_frame
from foldgraft.tasks.target import Calibration
from foldgraft.tasks.trained import HeadInfo, save_head
from foldgraft.train.ensemble import Member
from foldgraft.train.settings import Experiment

HISTORY = ["member", "epoch", "train_loss", "valid_loss", "valid_metric", "lr", "seconds"]
"""valid_metric: see `foldgraft.train.measure.headline`. A head that is solved for has one row, of epoch 0."""


@dataclass(frozen=True)
class Outputs:
    """Paths of an experiment's results; `predictions` is a folder with a table per task."""

    head: Path
    last: Path
    history: Path
    config: Path
    checks: Path
    layers: Path
    adapters: Path
    predictions: Path

    @classmethod
    def of(cls, folder: Path) -> "Outputs":
        """The results in a folder, by the names that the workflow gives them."""
        return cls(
            head=folder / "head.safetensors",
            last=folder / "last.safetensors",
            history=folder / "history.csv",
            config=folder / "experiment.yaml",
            checks=folder / "checks.json",
            layers=folder / "layers.csv",
            adapters=folder / "adapters",
            predictions=folder / "predictions",
        )

    @property
    def folder(self) -> Path:
        """Where the results lie."""
        return self.head.parent


def versions() -> dict[str, str]:
    """Of the packages that weights depend on."""
    return {"foldgraft": __version__, "torch": torch.__version__, "safetensors": version("safetensors")}


def write_adapters(folder: Path, heads: Sequence[Head], lora: Lora, base: str) -> None:
    """Write each member's LoRA as PEFT keeps it: `member-<n>/adapter_model.safetensors` and its configuration."""
    for number, head in enumerate(heads):
        member_folder = folder / f"member-{number}"
        tensors = {name: tensor.cpu().contiguous() for name, tensor in head.body.adapter().items()}
        with atomic(member_folder / "adapter_model.safetensors") as temporary:
            save_file(tensors, temporary)
        write_json(member_folder / "adapter_config.json", adapter_config(lora, base, head.body.network))


def write_last(path: Path, members: Sequence[Member], info: HeadInfo) -> None:
    """Write the members as the last epoch left them, in place of the best, and without calibration; their heads keep
    these weights."""
    about = []
    for member, known in zip(members, info.members, strict=True):
        if member.last is not None:
            epoch, weights = member.last
            load_trained(member.head, weights)
            known = known.model_copy(
                update={"best_epoch": epoch, "calibrations": [Calibration() for _ in known.calibrations]}
            )
        about.append(known)
    save_head(path, [member.head for member in members], info.model_copy(update={"members": about}))


def write_results(
    outputs: Outputs,
    members: Sequence[Head],
    info: HeadInfo,
    history: Sequence[dict[str, Any]],
    experiment: Experiment,
    checks: dict[str, Any],
) -> None:
    """Write the head, its history, the experiment as resolved, and the checks."""
    save_head(outputs.head, list(members), info)
    with sealed(outputs.history) as temporary:
        write_frame(temporary, pd.DataFrame(list(history), columns=HISTORY))
    with sealed(outputs.config) as temporary:
        temporary.write_text(yaml.safe_dump({info.name: experiment.stated()}, sort_keys=False))
    write_json(outputs.checks, checks)
