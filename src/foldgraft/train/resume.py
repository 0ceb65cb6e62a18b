"""Where a training stands, on disk after every epoch, so that one that was killed goes on as if it had not been.

The files are safetensors beside the results, `.resume/member-<n>.safetensors`; they go when the experiment is done.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from foldgraft import __version__
from foldgraft.records import origin
from foldgraft.records.files import atomic
from foldgraft.tasks.examples import Examples
from foldgraft.train.settings import Experiment

FORMAT = 2
"""Of the files; one that another version of the package wrote is of another."""


def digest(experiment: Experiment, examples: Examples, trunk: str) -> str:
    """Of everything that decides about a training: settings, proteins, folds, truth, the trunk's sha256, what heads
    read, and what the job was made from, its code among it; by hand, the version of the code."""
    code = f"{__version__} {torch.__version__} {origin.made_from()}"
    state = hashlib.sha256(f"{FORMAT}\n{experiment.model_dump_json()}\n{trunk}\n{code}".encode())
    table = examples.table[["id", "sequence_sha256", "fold"]]
    state.update(table.to_csv(index=False).encode())
    for row in range(len(table)):
        for values in examples.truth(row):
            state.update(values.numpy().tobytes())
    for values in examples.read():
        state.update(values)
    return state.hexdigest()


class Resume:
    """The state of one member's training.

    Parameters
    ----------
    path : Path
    key : str
        see `digest`; a file with another one is refused.
    """

    def __init__(self, path: Path, key: str):
        self.path, self.key = path, key

    def save(self, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
        """Replace what is on disk."""
        kept = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        with atomic(self.path) as temporary:
            save_file(kept, temporary, metadata={"key": self.key, "about": json.dumps(about)})

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """What was saved; None if there is nothing, or what there is, is damaged or of another key, which is said."""
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as handle:
                metadata = handle.metadata() or {}
                if metadata.get("key") != self.key:
                    print(f"{self.path}: is of other settings, inputs or code; training starts anew", file=sys.stderr)
                    return None
                tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
                return tensors, json.loads(metadata["about"])
        except (OSError, SafetensorError, LookupError, ValueError) as error:
            print(f"{self.path}: cannot be read ({error}); training starts anew", file=sys.stderr)
            return None


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of an optimizer, by the number of the parameter and its name."""
    return {
        f"optimizer.{number}.{name}": torch.as_tensor(value)
        for number, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Take over what `optimizer_tensors` gave."""
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimizer."):
            _, number, name = key.split(".", 2)
            state.setdefault(int(number), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
