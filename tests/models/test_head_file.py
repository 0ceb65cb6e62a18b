"""Heads on disk: what is written is read, and what is no head is refused by name."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from foldgraft.errors import FoldgraftError
from foldgraft.models.head_contact import build_contact
from foldgraft.models.head_file import HeadInfo, Member, Shape, load_head, save_head
from foldgraft.models.heads import HEADS, build
from foldgraft.models.trunk.fingerprint import Identity


def info(task="solubility", head="mlp", members=2, **change) -> HeadInfo:
    values = {
        "name": "trial",
        "task": task,
        "head": head,
        "shape": Shape(width=6, embedding=0, hidden=5, rank=2),
        "features": [],
        "columns": [],
        "members": [Member(seed=n, fold=None, best_epoch=1, temperature=1.0 + n) for n in range(members)],
        "threshold": 0.5,
        "normalisation": "",
        "trunk": Identity(name="small", sha256="0" * 64, fingerprint=[[0.0]]),
        "experiment": {},
        "versions": {},
    }
    return HeadInfo(**{**values, **change})


def members(head="mlp", count=2):
    torch.manual_seed(0)
    return [build(head, 6, 5, 0.3) for _ in range(count)]


@pytest.mark.parametrize("head", HEADS)
def test_solubility_heads_come_back(tmp_path, head):
    path, heads = tmp_path / "head.safetensors", members(head)
    save_head(path, heads, info(head=head))
    trained = load_head(path)
    assert trained.info == info(head=head) and len(trained.members) == 2
    for written, read in zip(heads, trained.members, strict=True):
        assert not read.training
        assert all((read.state_dict()[name] == tensor).all() for name, tensor in written.state_dict().items())


def test_contact_heads_come_back(tmp_path):
    path = tmp_path / "head.safetensors"
    heads = [build_contact("pair", 6, 4, 5, 2, 0.3)]
    about = info("contact", "pair", 1, shape=Shape(width=6, embedding=4, hidden=5, rank=2))
    save_head(path, heads, about)
    assert set(load_head(path).members[0].state_dict()) == set(heads[0].state_dict())


def test_probabilities_are_scaled_and_shifted_by_member(tmp_path):
    path = tmp_path / "head.safetensors"
    about = info()
    moved = about.model_copy(update={"members": [about.members[0], about.members[1].model_copy(update={"shift": 1.0})]})
    save_head(path, members(), moved)
    logits = torch.tensor([[0.0, 2.0], [0.0, 2.0]])
    expected = torch.sigmoid(torch.tensor([[0.0, 2.0], [1.0, 2.0]]))
    assert torch.allclose(load_head(path).probabilities(logits), expected)


def damaged(path, change_info=None, change_tensors=None):
    save_head(path, members(), info())
    tensors = load_file(path)
    about = json.loads(info().model_dump_json())
    if change_info:
        change_info(about)
    if change_tensors:
        change_tensors(tensors)
    save_file(tensors, path, metadata={"foldgraft": json.dumps(about)})


@pytest.mark.parametrize(
    ("change_info", "change_tensors", "message"),
    [
        (lambda a: a.update(head="oracle"), None, "no solubility head 'oracle'; known: linear"),
        (lambda a: a.update(task="stability"), None, "is no trained head .task"),
        (lambda a: a["shape"].update(width=7), None, "do not fit"),
        (lambda a: a["shape"].update(hidden=10**9), None, "is no trained head .shape.hidden"),
        (lambda a: a.update(members=[]), None, "is no trained head .members"),
        (None, lambda t: t.pop("members.1.out.bias"), "do not fit"),
        (None, lambda t: t.update({"members.0.more": torch.zeros(1)}), "do not fit"),
    ],
)
def test_damaged_heads_are_refused(tmp_path, change_info, change_tensors, message):
    path = tmp_path / "head.safetensors"
    damaged(path, change_info, change_tensors)
    with pytest.raises(FoldgraftError, match=message):
        load_head(path)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FoldgraftError, match="cannot be read as a trained head"):
        load_head(tmp_path / "absent.safetensors")
    (tmp_path / "text").write_text("not tensors")
    with pytest.raises(FoldgraftError, match="cannot be read as a trained head"):
        load_head(tmp_path / "text")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(FoldgraftError, match="is no trained head"):
        load_head(tmp_path / "other.safetensors")
