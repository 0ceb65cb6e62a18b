"""The heads that ship with the package."""

from io import StringIO

import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import r2_score
from typer.testing import CliRunner

from foldgraft.alone import DEFAULT_HEAD, HEADS, app, shipped
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


def predicted(*words):
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return pd.read_csv(StringIO(result.stdout))


def test_the_readme_shows_what_comes_out(genuine, root):
    block = (root / "README.md").read_text().partition("```text\nid,")[2].partition("```")[0]
    shown = pd.read_csv(StringIO(f"id,{block}"))
    found = predicted(root / "docs/constructs.fasta", "--trunk", genuine)
    pd.testing.assert_frame_equal(found, shown, rtol=0, atol=1e-3)


@pytest.mark.real
def test_the_head_of_fractions_does_on_test_proteins_what_its_card_says(genuine, real_data, tmp_path):
    """R² 0.54 on all 782; here on 150 of them, which the head has not seen."""
    table = pd.read_csv(real_data / "solubility/esol_graphsol_test.csv.gz").query("sequence.str.len() < 350")[:150]
    text = "".join(f">p{row}\n{sequence}\n" for row, sequence in enumerate(table["sequence"]))
    (tmp_path / "test.fasta").write_text(text)
    found = predicted(tmp_path / "test.fasta", "--head", "solubility_fraction", "--trunk", genuine)
    score = found["solubility_fraction"]
    assert r2_score(table["solubility"], score) > 0.4
    assert spearmanr(table["solubility"], score).statistic > 0.6
