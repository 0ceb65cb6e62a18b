"""A small random trunk and heads with random weights."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from foldgraft.models.feature_pairs import Layout
from foldgraft.models.head_contact import build_contact
from foldgraft.models.head_file import HeadInfo, Member, Shape, save_head
from foldgraft.models.heads import build
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.fingerprint import Identity
from foldgraft.models.trunk.tensors import build_network
from foldgraft.records.files import file_sha256, write_json

ARCHITECTURE = Architecture(layers=2, width=24, heads=3)


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

    def solubility_head(
        self, head: str, members: int = 3, name: str | None = None, trunk: Identity | None = None
    ) -> Path:
        torch.manual_seed(0)
        return self._save(
            name or head,
            [spread(build(head, ARCHITECTURE.width, 8, 0.3)) for _ in range(members)],
            {"task": "solubility", "head": head, "shape": Shape(width=ARCHITECTURE.width, hidden=8)},
            trunk,
        )

    def contact_head(self, head: str, features: list[str], name: str | None = None) -> Path:
        torch.manual_seed(0)
        layout = Layout(features, ARCHITECTURE.layers, ARCHITECTURE.heads)
        embedding = ARCHITECTURE.width if "embedding" in features else 0
        shape = Shape(width=layout.width, embedding=embedding, hidden=8, rank=4)
        built = spread(build_contact(head, layout.width, embedding, 8, 4, 0.3))
        about = {"task": "contact", "head": head, "shape": shape, "features": features, "columns": layout.names}
        return self._save(name or head, [built], about, None)

    def _save(self, name, members, about, trunk) -> Path:
        values = {
            "name": name,
            "features": [],
            "columns": [],
            "members": [Member(seed=n, fold=None, best_epoch=1, temperature=1.0 + n) for n in range(len(members))],
            "threshold": 0.5,
            "normalisation": "",
            "trunk": trunk or Identity.of(self.trunk()),
            "experiment": {},
            "versions": {},
        }
        path = self.path / f"{name}.safetensors"
        save_head(path, members, HeadInfo(**{**values, **about}))
        return path


def spread(head):
    """Give the last layer weights that tell proteins apart."""
    torch.nn.init.normal_(head.out.weight)
    return head


@pytest.fixture
def folder(tmp_path) -> Folder:
    weights, description = tmp_path / "model.safetensors", tmp_path / "trunk.json"
    torch.manual_seed(0)
    save_file(build_network(ARCHITECTURE).state_dict(), weights)
    about = {"name": "small", "sha256": file_sha256(weights), "architecture": ARCHITECTURE.as_dict()}
    write_json(description, about)
    return Folder(tmp_path, weights, description)
