"""A small random trunk and heads with random weights."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter
from safetensors.torch import save_file

from foldgraft.models.heads.build import build
from foldgraft.models.heads.settings import HeadChoice
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.identity import Identity
from foldgraft.models.trunk.tensors import build_network
from foldgraft.records.files import file_sha256, write_json
from foldgraft.tasks.calibration import Calibration
from foldgraft.tasks.pair_features import Layout
from foldgraft.tasks.task import BUILT_IN, SOLUBILITY
from foldgraft.tasks.trained import HeadInfo, MemberInfo, Scale, save_head

ARCHITECTURE = Architecture(layers=2, width=24, heads=3)
TASKS = {**BUILT_IN, "solubility": SOLUBILITY}
HEAD = TypeAdapter(HeadChoice)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@dataclass(frozen=True)
class Folder:
    """A run's trunk and heads."""

    path: Path
    weights: Path
    description: Path

    def trunk(self) -> Trunk:
        return Trunk.load(self.weights, self.description, torch.device("cpu"))

    def head(self, tasks, head, features=(), layers=(2,), members=3, **change) -> Path:
        """A head with random weights on disk; its name is that of its file."""
        torch.manual_seed(0)
        settings, found = HEAD.validate_python(head), [TASKS[name] for name in tasks.split()]
        layout = Layout(features, self.trunk()) if features else None
        width = len(layers) * ARCHITECTURE.width
        widths = (layout.width, width if "embedding" in features else 0) if layout else (width, 0)
        built = [build(found[0].level, settings, widths, [t.target.outputs for t in found]) for _ in range(members)]
        for member in built:
            for layer in member.out:
                torch.nn.init.normal_(layer.weight)
        about = {
            "name": tasks.replace(" ", "_"),
            "tasks": found,
            "head": settings,
            "widths": widths,
            "layers": list(layers),
            "covariates": [],
            "features": list(features),
            "columns": layout.names if layout else [],
            "members": [
                MemberInfo(
                    seed=number,
                    test_fold=0,
                    valid_fold=1,
                    best_epoch=1,
                    penalty=None,
                    scales=[Scale() for _ in found],
                    calibrations=[Calibration(temperature=1.0 + number) for _ in found],
                )
                for number in range(members)
            ],
            "trunk": Identity.of(self.trunk()),
            "experiment": {},
            "versions": {},
        }
        info = HeadInfo(**{**about, **change})
        path = self.path / f"{info.name}.safetensors"
        save_head(path, built, info)
        return path


@pytest.fixture
def folder(tmp_path) -> Folder:
    weights, description = tmp_path / "model.safetensors", tmp_path / "trunk.json"
    torch.manual_seed(0)
    save_file(build_network(ARCHITECTURE).state_dict(), weights)
    about = {"name": "small", "sha256": file_sha256(weights), "architecture": ARCHITECTURE.as_dict()}
    write_json(description, about)
    return Folder(tmp_path, weights, description)
