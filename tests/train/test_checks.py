"""The checks before training: they pass for heads that work, and fail, each by its name, for heads that do not."""

import pytest
import torch
from torch import nn

from foldgraft.errors import FoldgraftError
from foldgraft.models.heads import HEADS, MLP, build
from foldgraft.train.checks import parameter_table, run_checks, summary
from foldgraft.train.loop import Batch
from foldgraft.train.losses import logit
from foldgraft.train.settings import Optimizer

WIDTH = 24


@pytest.fixture
def trunk(folder):
    return folder.trunk()


def examples(reads="pooled", n=16) -> Batch:
    torch.manual_seed(0)
    mask = torch.ones(n, 1 if reads == "pooled" else 12, dtype=torch.bool)
    inputs = {
        "pooled": torch.randn(n, WIDTH),
        "residue": torch.randn(n, 12, WIDTH),
        "letters": torch.randint(1, 21, (n, 12)),
    }[reads]
    return Batch((inputs, mask), (torch.arange(n) % 4 == 0).float(), torch.zeros(n))


def started(head):
    nn.init.constant_(head.out.bias, logit(0.25))
    return head


def check(head, trunk, batch=None, loss="bce"):
    return run_checks(head, batch or examples(), loss, 0.25, Optimizer(), trunk)


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("loss", ["bce", "mse"])
def test_working_heads_pass(trunk, name, loss):
    torch.manual_seed(0)
    head = started(build(name, WIDTH, 16, 0.3))
    before = {key: tensor.clone() for key, tensor in head.state_dict().items()}
    checks = check(head, trunk, examples(head.reads), loss)
    assert {c.name for c in checks} == {
        "output shape",
        "output range",
        "untrained loss",
        "finite gradients",
        "overfit one batch",
        "trunk frozen",
    }
    assert all((before[key] == tensor).all() for key, tensor in head.state_dict().items())


def test_fractions_can_be_learnt_by_heart(trunk):
    batch = examples()
    check(started(build("mlp", WIDTH, 16, 0.3)), trunk, batch._replace(labels=batch.labels * 0.6 + 0.1))


class Deaf(MLP):
    """Does not hear its inputs."""

    def forward(self, inputs, mask):
        return super().forward(inputs * 0, mask)


class Column(MLP):
    """Forgets to drop the last axis."""

    def forward(self, inputs, mask):
        return super().forward(inputs, mask)[:, None]


class Infinite(MLP):
    """Divides by zero."""

    def forward(self, inputs, mask):
        return super().forward(inputs, mask) / 0


class Loose(MLP):
    """Has a parameter that nothing uses."""

    def __init__(self, *args):
        super().__init__(*args)
        self.loose = nn.Parameter(torch.zeros(3))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Deaf, "overfit one batch"),
        (Column, "output shape"),
        (Infinite, "output range"),
        (Loose, "finite gradients: loose"),
    ],
)
def test_broken_heads_are_stopped(trunk, kind, message):
    with pytest.raises(FoldgraftError, match=message):
        check(started(kind(WIDTH, 16, 0.3)), trunk)


def test_a_head_that_starts_far_from_the_base_rate_is_stopped(trunk):
    head = build("mlp", WIDTH, 16, 0.3)
    nn.init.constant_(head.out.bias, 5.0)
    with pytest.raises(FoldgraftError, match="untrained loss"):
        check(head, trunk)


def test_a_head_that_holds_trunk_tensors_is_stopped(trunk):
    head = started(build("mlp", WIDTH, 16, 0.3))
    head.borrowed = trunk.network.emb_layer_norm_after
    with pytest.raises(FoldgraftError, match="trunk frozen: 2 trunk tensors"):
        check(head, trunk)


def test_a_thawed_trunk_is_stopped(trunk):
    trunk.network.requires_grad_(True)
    with pytest.raises(FoldgraftError, match="trunk frozen"):
        check(started(build("mlp", WIDTH, 16, 0.3)), trunk)


def test_a_changed_trunk_is_noticed_after_training(trunk):
    head = build("linear", WIDTH, 1, 0.0)
    before = trunk.state_sha256()
    with torch.no_grad():
        trunk.network.emb_layer_norm_after.bias[3] += 1e-6
    with pytest.raises(FoldgraftError, match="have changed"):
        summary([], head, trunk, before, trunk.state_sha256())


def test_parameter_table_counts_everything(trunk):
    head = build("mlp", WIDTH, 16, 0.3)
    table = parameter_table(head, trunk)
    assert sum(r["parameters"] for r in table if r["part"] == "head") == sum(p.numel() for p in head.parameters())
    frozen = [r for r in table if r["part"] == "trunk"]
    assert sum(r["parameters"] for r in frozen) == sum(p.numel() for p in trunk.network.parameters())
    assert {"layers.0", "layers.1", "embed_tokens"} <= {r["name"] for r in frozen}
