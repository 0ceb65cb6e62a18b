"""The checks before training: they pass for heads that work, and fail, each by its name, for heads that do not."""

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from foldgraft.errors import FoldgraftError
from foldgraft.models.heads.build import BODIES, build, reads
from foldgraft.models.heads.layers import Head
from foldgraft.models.heads.sequence import MLP
from foldgraft.models.heads.settings import HeadChoice, MLPSettings
from foldgraft.tasks.examples import Batch
from foldgraft.tasks.task import BUILT_IN, SOLUBILITY, Task
from foldgraft.train.checks import parameter_table, run_checks, summary
from foldgraft.train.losses import build_loss
from foldgraft.train.settings import Experiment

WIDTH = 24
VALUE = Task(name="fitness", level="protein", kind="value")
SETTINGS = TypeAdapter(HeadChoice)
CASES = [(level, name, task) for level, name in BODIES for task in
         {"protein": (SOLUBILITY, VALUE), "residue": (BUILT_IN["ss3"], BUILT_IN["torsions"]),
          "pair": (BUILT_IN["contact"], BUILT_IN["distogram"])}[level]]  # fmt: skip


@pytest.fixture
def trunk(folder):
    return folder.trunk()


def truth_of(task, count) -> torch.Tensor:
    number = torch.arange(count)
    if task.kind == "angles":
        angles = torch.stack([number * 1.3, number * 0.7], dim=1)
        return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
    values = {"binary": number % 4 == 0, "value": number * 3.0, "classes": number % min(3, task.target.outputs)}
    return values[task.kind].float()[:, None]


def examples(level, name, task, n=16) -> Batch:
    torch.manual_seed(0)
    mask = torch.ones(n, 12, dtype=torch.bool)
    kind = reads(level, SETTINGS.validate_python(name))
    inputs = {
        "pooled": (torch.randn(n, WIDTH),),
        "pairs": (torch.randn(n, WIDTH),),
        "residues": (torch.randn(n, 12, WIDTH), mask),
        "tokens": (torch.randint(1, 21, (n, 12)), mask),
        "map": (torch.randn(WIDTH, 12, 12), torch.zeros(12, 0), torch.zeros(12, 0)),
    }[kind]
    count = {"protein": n, "residue": 12 * n, "pair": n if kind == "pairs" else 144}[level]
    truth = truth_of(task, count)
    truth[1] = torch.nan
    return Batch(inputs, (truth,))


def started(head: Head, task, batch) -> Head:
    for layer in head.out:
        with torch.no_grad():
            layer.bias.copy_(task.target.fit(batch.truth[0]).bias(batch.truth[0]))
    return head


def check(head, trunk, batch, task=SOLUBILITY, **training):
    loss = build_loss(Experiment(task=task.name, training=training), [task], batch.truth)
    return run_checks(head, batch, loss, batch.truth, trunk)


@pytest.mark.parametrize(("level", "name", "task"), CASES, ids=lambda case: getattr(case, "name", case))
def test_working_heads_pass(trunk, level, name, task):
    torch.manual_seed(0)
    batch = examples(level, name, task)
    head = started(build(level, SETTINGS.validate_python(name), (WIDTH, 0), [task.target.outputs]), task, batch)
    before = {key: tensor.clone() for key, tensor in head.state_dict().items()}
    checks = check(head, trunk, batch, task)
    assert {c.name for c in checks} == {
        "output shape",
        "output range",
        "untrained loss",
        "finite gradients",
        "overfit one batch",
        "trunk frozen",
    }
    assert all((before[key] == tensor).all() for key, tensor in head.state_dict().items())


def mlp(kind=MLP) -> tuple[Head, Batch]:
    torch.manual_seed(0)
    batch = examples("protein", "mlp", SOLUBILITY)
    return started(Head(kind(WIDTH, MLPSettings(hidden=16)), [1]), SOLUBILITY, batch), batch


@pytest.mark.parametrize("training", [{"loss": "mse"}, {"label_smoothing": 0.1}, {"class_weights": "balanced"}])
def test_other_losses_pass(trunk, training):
    head, batch = mlp()
    if "class_weights" in training:
        with pytest.raises(FoldgraftError, match="untrained loss"):  # its base rate is another one
            started(head, SOLUBILITY, batch).out[0].bias.data += 3
            check(head, trunk, batch, **training)
        head, batch = mlp()
    check(head, trunk, batch, **training)


def test_fractions_can_be_learnt_by_heart(trunk):
    head, batch = mlp()
    batch = batch._replace(truth=(batch.truth[0] * 0.6 + 0.1,))
    check(started(head, SOLUBILITY, batch), trunk, batch)


class Deaf(MLP):
    """Does not hear its inputs."""

    def forward(self, inputs):
        return super().forward(inputs * 0)


class Short(MLP):
    """Loses an example."""

    def forward(self, inputs):
        return super().forward(inputs)[1:]


class Infinite(MLP):
    """Divides by zero."""

    def forward(self, inputs):
        return super().forward(inputs) / 0


class Loose(MLP):
    """Has a parameter that nothing uses."""

    def __init__(self, *args):
        super().__init__(*args)
        self.loose = nn.Parameter(torch.zeros(3))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Deaf, "overfit one batch"),
        (Short, "output shape"),
        (Infinite, "output range"),
        (Loose, "finite gradients: body.loose"),
    ],
)
def test_broken_heads_are_stopped(trunk, kind, message):
    head, batch = mlp(kind)
    with pytest.raises(FoldgraftError, match=message):
        check(head, trunk, batch)


def test_a_head_that_starts_far_from_the_base_rate_is_stopped(trunk):
    head, batch = mlp()
    nn.init.constant_(head.out[0].bias, 5.0)
    with pytest.raises(FoldgraftError, match="untrained loss"):
        check(head, trunk, batch)


def test_a_head_that_holds_trunk_tensors_is_stopped(trunk):
    head, batch = mlp()
    head.borrowed = trunk.network.emb_layer_norm_after.requires_grad_(True)
    with pytest.raises(FoldgraftError, match=r"borrowed|trunk frozen"):
        check(head, trunk, batch)


def test_a_thawed_trunk_is_stopped(trunk):
    trunk.network.requires_grad_(True)
    head, batch = mlp()
    with pytest.raises(FoldgraftError, match="trunk frozen"):
        check(head, trunk, batch)


def test_a_changed_trunk_is_noticed_after_training(trunk):
    head, _ = mlp()
    before = trunk.state_sha256()
    with torch.no_grad():
        trunk.network.emb_layer_norm_after.bias[3] += 1e-6
    with pytest.raises(FoldgraftError, match="have changed"):
        summary([], head, trunk, before, trunk.state_sha256())


def test_parameter_table_counts_everything(trunk):
    head, _ = mlp()
    table = parameter_table(head, trunk)
    assert sum(r["parameters"] for r in table if r["part"] == "head") == sum(p.numel() for p in head.parameters())
    frozen = [r for r in table if r["part"] == "trunk"]
    assert sum(r["parameters"] for r in frozen) == sum(p.numel() for p in trunk.network.parameters())
    assert {"layers.0", "layers.1", "embed_tokens"} <= {r["name"] for r in frozen}
