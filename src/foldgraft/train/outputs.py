"""What every experiment leaves behind besides its predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml
from torch import nn

from foldgraft import __version__
from foldgraft.models.head_file import HeadInfo, save_head
from foldgraft.records.files import atomic, write_json
from foldgraft.settings import Settings

HISTORY = ["member", "epoch", "train_loss", "valid_loss", "valid_metric", "lr", "seconds"]
"""valid_metric: ROC-AUC for solubility, precision of the top L pairs 12 and more apart for contacts."""


@dataclass(frozen=True)
class Outputs:
    """Paths of an experiment's results."""

    head: Path
    history: Path
    config: Path
    checks: Path
    predictions: Path


def versions() -> dict[str, str]:
    """Of the packages that weights depend on."""
    return {"foldgraft": __version__, "torch": torch.__version__, "safetensors": version("safetensors")}


def write_results(
    outputs: Outputs,
    members: Sequence[nn.Module],
    info: HeadInfo,
    history: Sequence[dict[str, Any]],
    experiment: Settings,
    checks: dict[str, Any],
) -> None:
    """Write the head, its history, the experiment as resolved, and the checks."""
    save_head(outputs.head, list(members), info)
    with atomic(outputs.history) as temporary:
        pd.DataFrame(list(history), columns=HISTORY).to_csv(temporary, index=False)
    with atomic(outputs.config) as temporary:
        temporary.write_text(yaml.safe_dump({info.name: experiment.model_dump(mode="json")}, sort_keys=False))
    write_json(outputs.checks, checks)
