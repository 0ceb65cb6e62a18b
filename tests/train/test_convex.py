"""Heads that are solved for, against scikit-learn's solutions."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from foldgraft.models.heads.build import build
from foldgraft.models.heads.settings import LinearSettings
from foldgraft.tasks.examples import Batch
from foldgraft.tasks.target import Binary, Classes, Value
from foldgraft.train.convex import Convex
from foldgraft.train.losses import Loss

ROWS, WIDTH = 300, 12


def problem(target, truth, name):
    torch.manual_seed(0)
    x = torch.randn(ROWS, WIDTH) @ torch.randn(WIDTH, WIDTH)
    truth = truth(x)
    head = build("protein", LinearSettings(), (WIDTH, 0), [target.outputs])
    head.body.normalise.fit(x)
    loss = Loss([target.fit(truth)], [name], [1.0], [None])
    scaled = ((x - x.mean(0)) / x.std(0, correction=0)).double().numpy()
    return head, Batch((x,), (truth,)), loss, scaled


def drawn(x, classes):
    return torch.multinomial(torch.softmax(x[:, :classes] / 4, -1), 1).float()


@pytest.mark.parametrize("penalty", [1.0, 0.01, 1e-4])
def test_logistic_regression(penalty):
    head, batch, loss, x = problem(Binary(), lambda x: (x[:, :1] + torch.randn(ROWS, 1) * 3 > 1).float(), "bce")
    Convex(head, batch, loss).solve(penalty)
    y = batch.truth[0][:, 0].numpy()
    reference = LogisticRegression(C=1 / (penalty * ROWS), tol=1e-8, max_iter=2000).fit(x, y)
    assert head.out[0].weight.detach().numpy() == pytest.approx(reference.coef_, abs=5e-3)
    assert head.out[0].bias.item() == pytest.approx(reference.intercept_.item(), abs=5e-3)


def test_multinomial_regression_of_what_is_known():
    head, batch, loss, x = problem(Classes(("a", "b", "c")), lambda x: drawn(x, 3), "ce")
    truth = batch.truth[0].clone()
    truth[::7] = torch.nan
    Convex(head, batch._replace(truth=(truth,)), loss).solve(0.01)
    known = ~torch.isnan(truth[:, 0]).numpy()
    reference = LogisticRegression(C=1 / (0.01 * known.sum()), tol=1e-8, max_iter=2000)
    reference.fit(x[known], truth[known, 0].numpy())
    found = torch.softmax(head(batch.inputs)[0], -1).detach().numpy()
    assert found == pytest.approx(reference.predict_proba(x), abs=2e-3)


def test_ridge_regression():
    head, batch, loss, x = problem(Value("nM"), lambda x: 1000 + 50 * x[:, :1] + 100 * torch.randn(ROWS, 1), "mse")
    Convex(head, batch, loss).solve(0.5)
    y = batch.truth[0][:, 0].double().numpy()
    reference = Ridge(alpha=0.25 * ROWS).fit(x, y)  # ours halves the penalty, not the squared error
    found = loss.targets[0].predict(head(batch.inputs)[0], None)[:, 0].detach().numpy()
    assert found == pytest.approx(reference.predict(x), rel=1e-4, abs=1e-2 * np.std(y))


def test_an_offset_is_taken_off_again():
    """Positives drawn e^2 times too often, and told so, are not predicted too often."""
    head, batch, loss, _ = problem(Binary(), lambda x: (torch.arange(ROWS) % 2 == 0).float()[:, None], "bce")
    batch = batch._replace(inputs=(torch.zeros(ROWS, WIDTH),), offset=torch.full((ROWS, 1), 2.0))
    head.body.normalise.fit(torch.zeros(2, WIDTH))
    Convex(head, batch, loss).solve(1e-3)
    assert head((torch.zeros(1, WIDTH),))[0].item() == pytest.approx(-2.0, abs=1e-2)


@pytest.mark.parametrize("penalty", [1e-5, 1e-7, 1e-12])
def test_features_that_depend_on_each_other_and_hardly_a_penalty(penalty):
    """40 features made of three: the second derivatives are singular, whatever the rounding makes of them."""
    head, batch, loss, _ = problem(Binary(), lambda x: (x[:, :1] + torch.randn(ROWS, 1) * 3 > 1).float(), "bce")
    x = batch.inputs[0][:, :3] @ torch.randn(3, 40)
    head = build("protein", LinearSettings(), (40, 0), [1])
    head.body.normalise.fit(x)
    Convex(head, batch._replace(inputs=(x,)), loss).solve(penalty)
    scaled = ((x - x.mean(0)) / x.std(0, correction=0)).double().numpy()
    reference = LogisticRegression(C=1 / (penalty * ROWS), tol=1e-8, max_iter=5000)
    expected = reference.fit(scaled, batch.truth[0][:, 0].numpy()).predict_proba(scaled)[:, 1]
    assert torch.sigmoid(head((x,))[0])[:, 0].detach().numpy() == pytest.approx(expected, abs=5e-3)
