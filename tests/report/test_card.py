"""The model card: the run's figures, and what only a person knows."""

import re
import shutil
from dataclasses import replace

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from foldgraft.errors import FoldgraftError
from foldgraft.report.card import card
from foldgraft.report.run import Run
from foldgraft.report.settings import CardSettings

ABOUT = CardSettings(
    summary="Says whether it dissolves.",
    data="Measured by us.",
    licence="MIT.",
    command="make it",
    limits=("Knows nothing of mutants.",),
    tools=[{"name": "CamSol", "metric": "ROC-AUC", "value": "0.659", "source": "its paper"}],
)


@pytest.fixture
def run(run_folder, tmp_path, root):
    """A run whose head is one that ships with the package."""
    folder = shutil.copytree(run_folder, tmp_path / "run")
    shutil.copy(root / "src/foldgraft/heads/solubility.safetensors", folder / "train/linear/head.safetensors")
    return Run(folder)


def test_a_card_has_the_figures_of_the_run(run):
    text = card(run, "linear", ABOUT)
    metrics = pd.read_csv(run.folder / "evaluate/metrics.csv", dtype={"experiment": str})
    row = metrics[(metrics["experiment"] == "linear") & (metrics["split"] == "test") & (metrics["metric"] == "roc_auc")]
    value, low, high = row[["value", "ci_low", "ci_high"]].iloc[0]
    (line,) = re.findall(r"^\| \*\*linear\*\* .*$", text, re.MULTILINE)
    shown = [float(figure) for figure in re.findall(r"[\d.]+", line.split("|")[2])]
    assert shown == pytest.approx([value, low, high], abs=6e-4), line
    assert "| baseline: " in text and "| CamSol | ROC-AUC | 0.659 | its paper |" in text
    for said in (
        "Says whether it dissolves.",
        "Measured by us.",
        "- Knows nothing of mutants.",
        "make it",
        "5 members",
    ):
        assert said in text


def test_the_mean_of_the_folds_is_that_of_scikit_learn(run):
    rows = pd.read_parquet(run.folder / "train/linear/predictions/solubility.parquet").query("split == 'test'")
    areas = [roc_auc_score(part["truth"] >= 0.5, part["score"].str[0]) for _, part in rows.groupby("fold")]
    (said,) = re.findall(r"mean \*\*([\d.]+)\*\*", card(run, "linear", ABOUT))
    assert float(said) == pytest.approx(sum(areas) / len(areas), abs=6e-5)


def test_numbers_of_classes_have_no_mean(run):
    assert "- mean label " in card(run, "linear", ABOUT)
    run.labelled = [replace(one, about=one.about.model_copy(update={"kind": "classes"})) for one in run.labelled]
    assert "- mean label " not in card(run, "linear", ABOUT)


def test_an_experiment_that_is_not_there_is_named(run):
    with pytest.raises(FoldgraftError, match=r"report\.cards\.other"):
        card(run, "other", ABOUT)
