"""Targets: losses against torch, NumPy and scikit-learn, masks, what knowing nothing says, calibration."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, mean_squared_log_error

from foldgraft.errors import FoldgraftError
from foldgraft.tasks.calibration import Calibration
from foldgraft.tasks.kinds import LOSSES
from foldgraft.tasks.target import Angles, Binary, Classes, Value
from foldgraft.tasks.task import BUILT_IN, SOLUBILITY, Task, task

NAN = float("nan")


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def circle(angles):
    angles = torch.as_tensor(angles, dtype=torch.float32)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


TRUTHS = {
    "binary": (Binary(), torch.tensor([[0.0], [1.0], [0.3], [NAN], [1.0]])),
    "value": (Value("kcal/mol"), torch.tensor([[3.0], [7.5], [0.3], [NAN], [1.0]])),
    "classes": (Classes(("H", "E", "C")), torch.tensor([[0.0], [2.0], [1.0], [NAN], [2.0]])),
    "angles": (
        Angles(("phi", "psi")),
        circle([[0.1, 3.0], [-2.0, 1.0], [NAN, 0.5], [NAN, NAN], [3.1, -3.1]]),
    ),
}
CASES = [(kind, name) for kind, names in LOSSES.items() for name in names]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_what_is_not_known_neither_counts_nor_trains(kind, name):
    target, truth = TRUTHS[kind]
    target = target.fit(truth)
    outputs = drawn(5, target.outputs).requires_grad_()
    loss, weight = target.loss(outputs, truth, name, 0.1 if name in ("bce", "ce") else 0.0), target.weight(truth)
    assert loss.shape == weight.shape == (5,)
    assert weight[3] == 0 and loss[3] == 0 and bool((loss >= -1e-6).all())
    loss.sum().backward()
    assert torch.isfinite(outputs.grad).all() and (outputs.grad[3] == 0).all() and (outputs.grad[:2] != 0).any()
    if kind == "angles":
        assert weight.tolist() == [2, 2, 1, 0, 2] and (outputs.grad[2, :2] == 0).all()


@pytest.mark.parametrize(("kind", "name"), CASES)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_no_head_gets_below_the_floor_and_knowing_nothing_is_best_at_the_bias(kind, name, smoothing):
    target, truth = TRUTHS[kind]
    target = target.fit(truth)
    count = float(target.weight(truth).sum())

    def mean(outputs):
        value = target.loss(torch.as_tensor(outputs, dtype=torch.float32), truth, name, smoothing)
        return float(value.sum()) / count

    floor = target.floor(truth, name, smoothing)
    for seed in range(20):
        assert mean(10 * drawn(5, target.outputs, seed=seed)) >= floor - 1e-5
    if name in ("mae", "msle") or smoothing:
        return  # the mean is not where these are least
    constant = target.bias(truth)
    best = minimize(
        lambda b: mean(np.tile(b, (5, 1))), np.zeros(target.outputs), method="Nelder-Mead", options={"maxiter": 4000}
    )
    assert mean(constant.expand(5, -1)) == pytest.approx(best.fun, abs=2e-3)


def test_losses_are_those_of_the_libraries():
    logits, labels = drawn(50, 1), (drawn(50, 1, seed=1) > 0).float()
    probability = torch.sigmoid(logits)
    binary = Binary()
    assert binary.loss(logits, labels, "bce").mean() == pytest.approx(log_loss(labels, probability), rel=1e-5)
    assert binary.loss(logits, labels, "mse").mean() == pytest.approx(float(F.mse_loss(probability, labels)), rel=1e-5)
    outputs, index = drawn(50, 4), torch.arange(50) % 4
    classes = Classes(("a", "b", "c", "d"))
    assert classes.loss(outputs, index[:, None].float(), "ce").mean() == pytest.approx(
        log_loss(index, torch.softmax(outputs, -1), labels=[0, 1, 2, 3]), rel=1e-5
    )
    shares = torch.full((50, 4), 0.05).scatter(1, index[:, None], 0.85)  # smoothing by 0.2
    divergence = F.kl_div(torch.log_softmax(outputs, -1), shares, reduction="batchmean")
    assert classes.loss(outputs, index[:, None].float(), "kl", 0.2).mean() == pytest.approx(float(divergence), rel=1e-4)
    truth, predicted = drawn(50, 1).square(), drawn(50, 1, seed=2).square()
    value = Value().fit(truth)
    assert value.loss((predicted - value.average) / value.scale, truth, "msle").mean() == pytest.approx(
        mean_squared_log_error(truth, predicted), rel=1e-4
    )
    assert value.loss((predicted - value.average) / value.scale, truth, "mse").mean() * value.scale**2 == pytest.approx(
        float(F.mse_loss(predicted, truth)), rel=1e-4
    )


@settings(max_examples=50)
@given(st.floats(-20, 20), st.floats(-20, 20), st.floats(0.01, 10))
def test_the_difference_of_angles_goes_around_the_circle(a, b, length):
    target = Angles(("phi",))
    expected = abs((a - b + np.pi) % (2 * np.pi) - np.pi)
    loss = target.loss(length * circle([[a]]), circle([[b]]), "mae")
    assert float(loss) == pytest.approx(expected, abs=2e-3)
    assert float(Angles(("chi2",), ("chi2",)).loss(circle([[a]]), circle([[b]]), "mae")) == pytest.approx(
        min(expected, np.pi - expected), abs=2e-3
    )


def test_predictions_are_what_a_user_reads():
    cold = Calibration(temperature=2.0, shift=1.0)
    assert float(Binary().predict(torch.tensor([[2.0]]), cold)) == pytest.approx(1 / (1 + np.exp(-2)))
    classes = Classes(("a", "b")).predict(torch.tensor([[2.0, 0.0]]), cold)
    assert classes[0].tolist() == pytest.approx([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))])
    assert float(Value("m", 10.0, 2.0).predict(torch.tensor([[1.5]]), Calibration())) == 13.0
    angles = Angles(("phi",))
    members = angles.predict(torch.tensor([[[3.0, 0.0]], [[0.0, 0.2]]]), Calibration())
    assert angles.mean(members)[0].tolist() == pytest.approx([2**-0.5, 2**-0.5])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_calibration_finds_the_temperature_of_classes(temperature):
    outputs = 3 * drawn(1, 6000, 3)
    index = torch.multinomial(
        torch.softmax(outputs[0] / temperature, -1), 1, generator=torch.Generator().manual_seed(1)
    )
    found = Classes(("H", "E", "C")).fit_calibration(outputs, index.float())
    assert found.temperature == pytest.approx(temperature, rel=0.1) and found.shift == 0


def test_calibration_of_a_binary_target_is_a_logistic_regression():
    logits = 2 * drawn(4000, 1)
    labels = (
        torch.rand(4000, 1, generator=torch.Generator().manual_seed(1)) < torch.sigmoid(0.4 * logits - 1.5)
    ).float()
    found = Binary().fit_calibration(logits[None], labels)
    reference = LogisticRegression(C=1e9, tol=1e-9).fit(logits, labels[:, 0])
    assert 1 / found.temperature == pytest.approx(reference.coef_.item(), abs=1e-3)
    assert found.shift == pytest.approx(reference.intercept_.item(), abs=1e-3)
    assert Binary().fit_calibration(logits[None], torch.ones(4000, 1)) == Calibration()
    assert Binary().fit_calibration(logits[None], torch.full((4000, 1), NAN)) == Calibration()


def test_calibration_looks_at_the_mean_of_the_ensemble():
    """Members that disagree are sharpened: their mean would else be timid (Rahaman and Thiery 2021)."""
    truth = (drawn(4000, 1) > 0).float()
    members = torch.stack([(2 * truth - 1) * 2 + 3 * drawn(4000, 1, seed=n) for n in range(1, 6)])
    alone, together = Binary().fit_calibration(members[:1], truth), Binary().fit_calibration(members, truth)
    assert together.temperature < alone.temperature


def test_tasks_are_known_by_name():
    disorder = Task(name="disorder", level="residue", kind="value", unit="Z-score")
    labelled = {"solubility": SOLUBILITY, "disorder": disorder}
    assert task("disorder", labelled) is disorder and disorder.target.unit == "Z-score"
    assert task("ss3", labelled).headline == "Q3" and task("solubility", labelled).headline == "roc_auc"
    assert {BUILT_IN[name].target.outputs for name in ("ss3", "torsions", "contact", "distogram")} == {3, 4, 1, 64}
    with pytest.raises(FoldgraftError, match=r"'contcat'.*contact.*solubility"):
        task("contcat", labelled)
    with pytest.raises(FoldgraftError, match="'mse' does not fit a target of kind classes; take ce or kl"):
        BUILT_IN["ss3"].target.loss(drawn(2, 3), torch.zeros(2, 1), "mse")
    assert Task.model_validate_json(disorder.model_dump_json()) == disorder
