"""The training loop: what it keeps, when it stops, how it weighs, what it refuses."""

from itertools import pairwise

import pytest
import torch

from foldgraft.errors import FoldgraftError
from foldgraft.models.heads.layers import Body, Head
from foldgraft.models.optimizers import OPTIMIZERS
from foldgraft.tasks.examples import Batch
from foldgraft.tasks.target import Binary, Classes, Value
from foldgraft.tasks.task import BUILT_IN, SOLUBILITY
from foldgraft.train import loop
from foldgraft.train.engine import Engine
from foldgraft.train.loop import Run, Score
from foldgraft.train.losses import Loss, build_loss
from foldgraft.train.optimizers import Schedule, build_optimizer
from foldgraft.train.settings import Experiment, Training
from foldgraft.train.settings import Schedule as ScheduleSettings

NAN = float("nan")


class Itself(Body):
    """Reads its inputs as they are."""

    reads = "pooled"

    def __init__(self, width=1):
        super().__init__()
        self.hidden, self.normalise = width, None

    def forward(self, x):
        return x


def line(width=1, outputs=(1,)) -> Head:
    """The smallest head there is, at zero."""
    head = Head(Itself(width), outputs)
    for layer in head.out:
        torch.nn.init.zeros_(layer.weight)
    return head


def batch(n=64) -> Batch:
    x = torch.linspace(-1, 1, n)[:, None]
    return Batch((x,), ((x > 0).float(),))


def fit(head, batches, validate, loss, training):
    engine = Engine(precision=training.precision, kind="cpu")
    return loop.fit(head, batches, validate, loss, training, Run(engine))


BCE = Loss([Binary()], ["bce"], [1.0], [None])


def training(**change) -> Training:
    values = {
        "epochs": 10,
        "patience": 3,
        "gradient_clip": 1e6,
        "monitor": "metric",
        "optimizer": {"name": "sgd", "lr": 1.0, "weight_decay": 0.0},
    }
    return Training.model_validate({**values, **change})


def scripted(metrics, seen, losses=None):
    """A score that follows a script, and the weights at which it was asked for."""
    numbers = iter(range(len(metrics)))

    def validate(head):
        assert not head.training
        n = next(numbers)
        seen.append(head.out[0].weight.item())
        return Score(losses[n] if losses else 1.0, metrics[n])

    return validate


def test_best_weights_are_kept_and_patience_ends_it():
    head, seen = line(), []
    result = fit(head, [batch()], scripted([0.1, 0.5, 0.3, 0.4, 0.2, 0.9], seen), BCE, training())
    assert result.best_epoch == 2
    assert len(result.history) == 5  # three epochs without improvement after the second
    assert head.out[0].weight.item() == seen[1] != seen[-1] == result.last["out.0.weight"].item()
    assert not head.training


def test_ties_of_the_metric_are_broken_by_the_loss():
    result = fit(line(), [batch()], scripted([0.5] * 3, [], [0.7, 0.4, 0.6]), BCE, training(epochs=3))
    assert result.best_epoch == 2


def test_the_loss_can_be_watched():
    watched = training(monitor="loss", epochs=3)
    assert fit(line(), [batch()], scripted([0.1, 0.2, 0.3], [], [0.2, 0.4, 0.6]), BCE, watched).best_epoch == 1


def test_one_step_is_the_gradient_by_hand():
    head, one = line(), batch()
    fit(head, [one], lambda head: Score(0.0, 0.0), BCE, training(epochs=1))
    x, y = one.inputs[0], one.truth[0]
    assert head.out[0].weight.item() == pytest.approx(((y - 0.5) * x).mean().item(), abs=1e-6)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_steps_nearly_as_the_whole_does(monkeypatch, precision):
    monkeypatch.setattr("foldgraft.train.engine._check", lambda *_: None)  # a CPU has float16, if slowly
    heads = [line(3), line(3)]
    _, whole = uneven()
    for head, one in zip(heads, ("float32", precision), strict=True):
        fit(head, whole, lambda head: Score(0.0, 0.0), BCE, training(epochs=5, patience=5, precision=one))
    exact, rough = (head.out[0].weight for head in heads)
    assert torch.allclose(exact, rough, atol=0.02) and not torch.equal(exact, rough) and rough.dtype == torch.float32


def test_a_float16_step_that_overflows_is_left_out_and_the_scale_is_taken_up(monkeypatch):
    monkeypatch.setattr("foldgraft.train.engine._check", lambda *_: None)
    engine, head = Engine(precision="float16", kind="cpu"), line()
    optimizer = engine.setup(torch.optim.SGD(head.parameters(), lr=1.0))
    first = engine.scaler["scale"]
    engine.backward(head((torch.ones(2, 1),))[0].sum() * 1e38)
    engine.step(head, optimizer, 1.0)
    assert not head.out[0].weight.any() and engine.scaler["scale"] == first / 2
    kept = engine.scaler
    engine.setup(torch.optim.SGD(head.parameters(), lr=1.0))
    assert engine.scaler["scale"] == first  # each head begins anew
    engine.setup(torch.optim.SGD(head.parameters(), lr=1.0), kept)
    assert engine.scaler == kept


def test_gradients_are_clipped():
    head = line()
    fit(head, [batch()], lambda head: Score(0.0, 0.0), BCE, training(epochs=1, gradient_clip=0.01))
    step = torch.cat([p.detach().flatten() for p in head.parameters()])
    assert step.norm().item() == pytest.approx(0.01, rel=1e-4)


def uneven():
    """Batches of other sizes, with other numbers of examples masked; and all of it as one batch."""
    torch.manual_seed(0)
    x = torch.randn(23, 3)
    y = (torch.randn(23, 1) > 0).float()
    y[[0, 1, 2, 3, 9, 20]] = NAN
    bounds = [0, 7, 12, 20, 23]
    parts = [slice(start, stop) for start, stop in pairwise(bounds)]
    return [Batch((x[p],), (y[p],)) for p in parts], [Batch((x,), (y,))]


def test_accumulated_batches_weigh_what_one_batch_would():
    """Whatever is masked in each, and however many the last group has."""
    parts, whole = uneven()
    heads = [line(3), line(3), line(3)]
    settings = training(epochs=1, accumulate=4)
    for head, batches in zip(heads, (parts, whole, parts), strict=True):
        fit(head, batches, lambda head: Score(0.0, 0.0), BCE, settings)
        settings = training(epochs=1, accumulate=4 if head is heads[0] else 3)
    assert torch.allclose(heads[0].out[0].weight, heads[1].out[0].weight, atol=1e-7)
    known = ~torch.isnan(parts[3].truth[0])
    assert known.sum() == 2  # the last group of three and one, alone: a step of its own mean
    by_hand = line(3)
    for group in (parts[:3], parts[3:]):
        x = torch.cat([b.inputs[0] for b in group])
        y = torch.cat([b.truth[0] for b in group])
        rows = ~torch.isnan(y[:, 0])
        value = torch.nn.functional.binary_cross_entropy_with_logits(by_hand((x[rows],))[0], y[rows])
        by_hand.zero_grad()
        value.backward()
        with torch.no_grad():
            for parameter in by_hand.parameters():
                parameter -= parameter.grad
    assert torch.allclose(heads[2].out[0].weight, by_hand.out[0].weight, atol=1e-6)


def test_tasks_share_the_loss_by_their_weights():
    x = torch.randn(8, 2)
    truth = (torch.tensor([[0.0], [1.0], [NAN], [NAN]] * 2), torch.tensor([[1.0], [2.0], [0.0], [NAN]] * 2))
    loss = Loss([Binary(), Classes(("a", "b", "c"))], ["bce", "ce"], [2.0, 0.5], [None, None])
    head = line(2, (1, 3))
    value = loss.of_batch(head, Batch((x,), truth))
    assert value.item() == pytest.approx(
        2.0 * 0.693147 + 0.5 * 1.098612, abs=1e-5
    )  # log 2 and log 3 of knowing nothing


def test_balanced_classes_weigh_alike():
    truth = torch.tensor([[0.0]] * 6 + [[1.0]] * 2 + [[NAN]])
    experiment = Experiment(task="solubility", training={"class_weights": "balanced"})
    loss = build_loss(experiment, [SOLUBILITY], [truth])
    outputs = torch.randn(9, 1, requires_grad=True)
    weights = torch.tensor([8 / 12] * 6 + [8 / 4] * 2)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(outputs[:8], truth[:8], weight=weights[:, None])
    assert loss.mean([outputs], [truth]).item() == pytest.approx(expected.item(), rel=1e-5)
    ss3 = build_loss(experiment, [BUILT_IN["ss3"]], [torch.tensor([[0.0], [0.0], [2.0], [NAN]])])
    assert ss3.classes[0].tolist() == pytest.approx([0.75, 0.0, 1.5])


def test_a_loss_that_is_no_number_is_refused():
    bad = batch()._replace(inputs=(torch.full((64, 1), torch.inf),))
    with pytest.raises(FoldgraftError, match=r"lower training\.optimizer\.lr"):
        fit(line(), [bad], lambda head: Score(NAN, NAN), BCE, training())


def test_a_score_that_is_never_a_number_is_named():
    with pytest.raises(FoldgraftError, match=r"set training\.monitor: loss"):
        fit(line(), [batch()], scripted([NAN] * 3, []), BCE, training(epochs=3))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_lowers_the_loss(name):
    rate = {"adadelta": 10.0, "sgd": 1.0}.get(name, 0.1)
    settings = training(monitor="loss", patience=10, optimizer={"name": name, "lr": rate})
    history = fit(line(), [batch()], lambda head: Score(BCE.of_batch(head, batch()).item(), 0.0), BCE, settings).history
    assert history[-1]["valid_loss"] < min(0.69, history[0]["valid_loss"] + 1e-9)


def test_an_l1_penalty_takes_useless_weights_to_zero():
    torch.manual_seed(0)
    x = torch.randn(200, 5)
    y = (x[:, :1] > 0).float()
    weights = []
    for l1 in (0.0, 0.05):
        head = line(5)
        settings = training(epochs=200, patience=200, l1=l1, optimizer={"name": "adam", "lr": 0.01, "weight_decay": 0})
        scores = iter(range(200))
        fit(head, [Batch((x,), (y,))], lambda head, scores=scores: Score(0.0, next(scores)), BCE, settings)
        weights.append(head.out[0].weight.detach().abs()[0, 1:].mean().item())
    assert weights[1] < 0.3 * weights[0]


def rates(schedule, steps, epochs=(), **optimizer):
    kind = build_optimizer(line(), training(optimizer={"lr": 1.0, **optimizer}))
    follow, seen = Schedule(kind, ScheduleSettings.model_validate(schedule), steps), []
    for _ in range(steps):
        seen.append(kind.param_groups[0]["lr"])
        follow.step()
    for goodness in epochs:
        follow.epoch(goodness)
        seen.append(kind.param_groups[0]["lr"])
    return seen


def test_warmup_rises_linearly_and_cosine_falls_to_zero():
    assert rates({"warmup_steps": 4}, 7) == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0])
    cosine = rates({"name": "cosine", "warmup_steps": 2}, 10)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8)
    expected = []
    for _ in range(8):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()
    assert cosine == pytest.approx([1 / 2, 1.0, *expected], abs=1e-6)


def test_a_plateau_lowers_the_rate():
    seen = rates({"name": "plateau", "factor": 0.1, "patience": 2}, 0, [1.0, 0.9, 0.9, 2.0, 1.0, 1.0, 1.0])
    assert seen == pytest.approx([1.0, 1.0, 0.1, 0.1, 0.1, 0.01, 0.01])


def test_biases_do_not_decay():
    groups = build_optimizer(line(), training(optimizer={"weight_decay": 0.3})).param_groups
    assert [(len(g["params"]), g["weight_decay"]) for g in groups] == [(1, 0.3), (1, 0.0)]


def test_values_are_learnt_in_their_own_unit():
    truth = torch.tensor([[1000.0], [3000.0], [2000.0], [NAN]])
    target = Value("nM").fit(truth)
    assert (target.average, target.scale) == (2000.0, pytest.approx(816.4966))
    loss = Loss([target], ["mse"], [1.0], [None])
    assert loss.mean([torch.zeros(4, 1)], [truth]).item() == pytest.approx(1.0)
