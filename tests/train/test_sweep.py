"""Sweeps: a grid becomes one experiment per combination."""

import pytest
import yaml

from foldgraft.config import load
from foldgraft.errors import FoldgraftError
from foldgraft.models.optimizers import OPTIMIZERS
from foldgraft.train.sweep import expand

BASE = {"task": "solubility", "head": "mlp", "training": {"epochs": 3}}
TABLE = {"run": "r", "solubility": {"table": "l.csv"}}


def test_a_grid_is_the_product_of_its_values():
    grid = {"training.optimizer.name": ["sgd", "adam"], "head.hidden": [8, 16]}
    found = expand({"a": {**BASE, "grid": grid}, "b": BASE})
    assert list(found) == ["a_sgd_8", "a_sgd_16", "a_adam_8", "a_adam_16", "b"]
    assert found["a_adam_8"] == {
        "task": "solubility",
        "head": {"name": "mlp", "hidden": 8},
        "training": {"epochs": 3, "optimizer": {"name": "adam"}},
    }
    assert found["b"] == BASE and "optimizer" not in BASE["training"]


def test_the_configuration_knows_the_members_as_experiments():
    grid = {"training.optimizer.lr": [0.1, 0.001]}
    config = load({**TABLE, "experiments": {"rate": {**BASE, "grid": grid}}})
    assert list(config.experiments) == ["rate_0_1", "rate_0_001"]
    assert config.resolved("rate_0_001").training.optimizer.lr == 0.001


@pytest.mark.parametrize(
    ("experiments", "words"),
    [
        ({"a": {**BASE, "grid": {"seed": []}}}, "a list of values"),
        ({"a": {**BASE, "grid": {"seed": 3}}}, "a list of values"),
        ({"a": {**BASE, "grid": {"seed": [1, 1]}}}, "one name"),
        ({"a_1": BASE, "a": {**BASE, "grid": {"seed": [1]}}}, "another experiment"),
        ({"a": {**BASE, "grid": {"training.optimizer.name": ["lion"]}}}, "experiments.a_lion.training.optimizer.name"),
    ],
)
def test_a_grid_that_cannot_be_is_said_in_a_line(experiments, words):
    with pytest.raises(FoldgraftError) as error:
        load({**TABLE, "experiments": experiments})
    assert words in str(error.value)


def test_the_comparison_of_optimizers_has_them_all(root):
    config = load(yaml.safe_load((root / "config/examples/optimizers.yaml").read_text()))
    compared = {config.experiments[name].training.optimizer.name for name in config.experiments}
    assert compared == set(OPTIMIZERS)
