"""Exactly one source, and what is refused before any job runs."""

import pytest
from pydantic import ValidationError

from foldgraft.trunk.settings import DEFAULT_MODEL, PretrainSettings, TrunkSettings


def test_default_is_the_smallest_model():
    settings = TrunkSettings()
    assert (settings.model, settings.source) == (DEFAULT_MODEL, "model")
    assert TrunkSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ({"model": "esm2_t12_35M_UR50D"}, "model"),
        ({"checkpoint": "x.pt"}, "checkpoint"),
        ({"pretrain": {}}, "pretrain"),
    ],
)
def test_each_source_survives_json(given, source):
    settings = TrunkSettings(**given)
    assert settings.source == source
    assert TrunkSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"model": DEFAULT_MODEL, "pretrain": {}}, "only one of"),
        ({"model": "esm1b_t33_650M_UR50S"}, "ESM-1b trunks cannot be used yet"),
        ({"model": "esm2_t6"}, "may be one of esm2_t6_8M_UR50D"),
        ({"url": "file:///etc"}, "url"),
        ({"pretrain": {"width": 30, "heads": 4}}, "even multiple"),
        ({"pretrain": {"width": 20, "heads": 4}}, "even multiple"),
        ({"pretrain": {"dim": 128}}, "dim"),
    ],
)
def test_refused(given, reason):
    with pytest.raises(ValidationError, match=reason):
        TrunkSettings(**given)


def test_pretraining_is_always_bounded():
    assert PretrainSettings().minutes == 5
    assert PretrainSettings(steps=3).minutes is None
    assert (PretrainSettings(steps=3, minutes=2).minutes, PretrainSettings(steps=0).steps) == (2, 0)
