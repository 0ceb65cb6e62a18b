"""Experiments as the configuration gives them."""

import pytest
from pydantic import TypeAdapter, ValidationError

from foldgraft.train.settings import ContactExperiment, Experiment, SolubilityExperiment

READ = TypeAdapter(Experiment).validate_python


def test_the_task_tells_them_apart():
    assert isinstance(READ({"task": "solubility", "head": "mlp"}), SolubilityExperiment)
    assert isinstance(READ({"task": "contact", "head": "pair"}), ContactExperiment)


def test_the_optimizer_follows_the_head():
    assert READ({"task": "contact"}).optimizer.name == "lbfgs"
    assert READ({"task": "contact", "head": "pair"}).optimizer.name == "adamw"
    assert READ({"task": "contact", "optimizer": {"name": "adam"}}).optimizer.name == "adam"


def test_json_and_back_is_the_same():
    for experiment in (READ({"task": "contact", "features": ["separation"]}), READ({"task": "solubility"})):
        assert type(experiment).model_validate_json(experiment.model_dump_json()) == experiment


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"task": "contact", "features": ["embedding", "attention"]}, "needs the head `pair`"),
        ({"task": "contact", "head": "pair", "features": ["embedding"]}, "needs another beside it"),
        ({"task": "contact", "features": ["attention", "attention"]}, "named twice"),
        ({"task": "contact", "features": []}, "at least 1"),
        ({"task": "contact", "head": "pair", "optimizer": {"name": "lbfgs"}}, "needs the head `logistic`"),
        ({"task": "solubility", "optimizer": {"name": "lbfgs"}}, "logistic contact heads only"),
        ({"task": "solubility", "epoch": 3}, "Extra inputs"),
        ({"task": "stability"}, "'solubility', 'contact'"),
    ],
)
def test_what_makes_no_sense_is_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        READ(values)
