"""The heads that ship with the package."""

import pytest

from foldgraft.alone import DEFAULT_HEAD, HEADS, shipped
from foldgraft.tasks.trained import load_head
from foldgraft.trunk.settings import DEFAULT_MODEL, SIZES

MOST = 5_000_000
"""Bytes of all heads together."""


def test_there_is_a_default_head_and_all_are_small():
    assert DEFAULT_HEAD in shipped()
    assert sum(path.stat().st_size for path in HEADS.iterdir()) < MOST


@pytest.mark.parametrize("name", shipped())
def test_a_head_loads_knows_its_training_proteins_and_has_a_card(name):
    head = load_head(shipped()[name])
    assert head.info.name == name and head.info.seen is not None
    assert not head.info.features and not head.info.covariates and head.info.unfreeze == 0
    card = (HEADS / f"{name}.md").read_text()
    for section in ("What it is", "Data", "Split", "Figures", "Limits", "Licences", "Made by"):
        assert f"\n## {section}\n" in card


def test_the_heads_are_of_the_trunk_that_is_fetched_for_them():
    """ESM-2 8M has embeddings of width 320."""
    assert DEFAULT_MODEL in SIZES
    assert {len(load_head(path).info.trunk.fingerprint[0]) for path in shipped().values()} == {320}
