"""The training loop: what it keeps, when it stops, what it refuses."""

import numpy as np
import pytest
import torch
from torch import nn

from foldgraft.errors import FoldgraftError
from foldgraft.train.loop import Batch, Plan, Score, fit
from foldgraft.train.losses import floor, logit, loss
from foldgraft.train.optimizers import KINDS, build_optimizer, build_warmup
from foldgraft.train.settings import Optimizer

CPU = torch.device("cpu")


class Line(nn.Module):
    """The smallest head there is."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(1, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x):
        return self.out(x).squeeze(-1)


def batch(n=64) -> Batch:
    x = torch.linspace(-1, 1, n)[:, None]
    return Batch((x,), (x[:, 0] > 0).float(), torch.zeros(n))


def plan(**change) -> Plan:
    settings = {
        "loss": "bce",
        "optimizer": Optimizer(name="sgd", lr=1.0, weight_decay=0.0),
        "epochs": 10,
        "patience": 3,
        "gradient_clip": 1e6,
        "monitor": "metric",
    }
    return Plan(**{**settings, **change})


def scripted(metrics, seen, losses=None):
    """A score that follows a script, and the weights at which it was asked for."""
    numbers = iter(range(len(metrics)))

    def evaluate(head):
        assert not head.training
        n = next(numbers)
        seen.append(head.out.weight.item())
        return Score(losses[n] if losses else 1.0, metrics[n])

    return evaluate


def test_best_weights_are_kept_and_patience_ends_it():
    head, seen = Line(), []
    result = fit(head, [batch()], scripted([0.1, 0.5, 0.3, 0.4, 0.2, 0.9], seen), plan(), CPU)
    assert result.best_epoch == 2
    assert len(result.history) == 5  # three epochs without improvement after the second
    assert head.out.weight.item() == seen[1] != seen[-1]
    assert not head.training


def test_ties_of_the_metric_are_broken_by_the_loss():
    seen = []
    result = fit(Line(), [batch()], scripted([0.5] * 3, seen, [0.7, 0.4, 0.6]), plan(epochs=3), CPU)
    assert result.best_epoch == 2


def test_the_loss_can_be_watched():
    seen = []
    watched = plan(monitor="loss", epochs=3)
    assert fit(Line(), [batch()], scripted([0.1, 0.2, 0.3], seen, [0.2, 0.4, 0.6]), watched, CPU).best_epoch == 1


def test_one_step_is_the_gradient_by_hand():
    head, one = Line(), batch()
    fit(head, [one], lambda head: Score(0.0, 0.0), plan(epochs=1), CPU)
    x, y = one.inputs[0][:, 0], one.labels
    assert head.out.weight.item() == pytest.approx(((y - 0.5) * x).mean().item(), abs=1e-6)


def test_gradients_are_clipped():
    head = Line()
    fit(head, [batch()], lambda head: Score(0.0, 0.0), plan(epochs=1, gradient_clip=0.01), CPU)
    step = torch.cat([p.detach().flatten() for p in head.parameters()])
    assert step.norm().item() == pytest.approx(0.01, rel=1e-4)


def test_offsets_are_for_training_only():
    """All labels drawn are positive half of the time; the offset says that they were drawn e^2 times too often."""
    n = 1000
    head = Line()
    skewed = Batch((torch.zeros(n, 1),), (torch.arange(n) % 2).float(), torch.full((n,), 2.0))
    fit(head, [skewed], lambda head: Score(0.0, 0.0), plan(optimizer=Optimizer(name="lbfgs", lr=1.0)), CPU)
    assert head(torch.zeros(1, 1)).item() == pytest.approx(-2.0, abs=1e-2)


def test_lbfgs_reaches_the_penalised_optimum():
    head, one = Line(), batch()
    settings = Optimizer(name="lbfgs", lr=1.0, weight_decay=0.1)
    scores = iter(range(20))
    fit(head, [one], lambda head: Score(0.0, next(scores)), plan(optimizer=settings, epochs=20), CPU)
    w, b = head.out.weight.item(), head.out.bias.item()
    x, y = one.inputs[0][:, 0].numpy(), one.labels.numpy()
    error = 1 / (1 + np.exp(-(w * x + b))) - y
    assert (error * x).mean() + 0.1 * w == pytest.approx(0, abs=1e-5)
    assert error.mean() == pytest.approx(0, abs=1e-5)


def test_a_loss_that_is_no_number_is_refused():
    bad = batch()._replace(labels=torch.full((64,), torch.nan))
    with pytest.raises(FoldgraftError, match="lower the optimizer's lr"):
        fit(Line(), [bad], lambda head: Score(float("nan"), float("nan")), plan(), CPU)


@pytest.mark.parametrize("name", [*KINDS, "lbfgs"])
def test_every_optimizer_lowers_the_loss(name):
    rate = {"adadelta": 10.0, "sgd": 1.0}.get(name, 0.1)
    history = fit(
        Line(),
        [batch()],
        lambda head: Score(loss("bce", head(*batch().inputs), batch().labels).item(), 0.0),
        plan(optimizer=Optimizer(name=name, lr=rate), epochs=10, patience=10, monitor="loss"),
        CPU,
    ).history
    assert history[-1]["valid_loss"] < min(0.69, history[0]["valid_loss"] + 1e-9)


def test_warmup_rises_linearly():
    optimizer = build_optimizer(Line(), Optimizer(lr=1.0, warmup_steps=4))
    warmup = build_warmup(optimizer, 4)
    rates = []
    for _ in range(7):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        warmup.step()
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0])


def test_biases_do_not_decay():
    groups = build_optimizer(Line(), Optimizer(weight_decay=0.3)).param_groups
    assert [(len(g["params"]), g["weight_decay"]) for g in groups] == [(1, 0.3), (1, 0.0)]


def test_losses_of_fractions():
    labels = torch.tensor([0.2, 0.7, 1.0])
    best = torch.logit(labels.clamp(1e-6, 1 - 1e-6))
    for name in ("bce", "mse"):
        assert loss(name, best, labels).item() == pytest.approx(floor(name, labels), abs=1e-5)
        assert loss(name, best + 1, labels) > floor(name, labels)
    assert loss("mse", torch.zeros(3), labels).item() == pytest.approx(np.mean([0.09, 0.04, 0.25]))
    assert logit(0.5) == 0 and logit(0.0) == pytest.approx(np.log(1e-4 / (1 - 1e-4)))


def test_a_score_that_is_never_a_number_is_named():
    evaluate = scripted([float("nan")] * 3, [])
    with pytest.raises(FoldgraftError, match="set monitor: loss"):
        fit(Line(), [batch()], evaluate, plan(epochs=3), CPU)
