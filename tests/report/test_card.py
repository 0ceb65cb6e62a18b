"""The model card: the run's figures, and what only a person knows."""

import re
import shutil
from dataclasses import replace

import numpy as np
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


def yes_or_no(task):
    """The task of three states as if it were of two, judged by an area."""
    metrics = task.tables["metrics"].replace({"metric": {"Q3": "roc_auc"}})
    about = task.about.model_copy(update={"target": {"kind": "binary", "names": []}})
    return replace(task, about=about, tables=task.tables | {"metrics": metrics})


@pytest.mark.parametrize(("name", "metric", "title"), [("own_ss3", "Q3", "ROC-AUC"), ("contacts", "P@L all", "P@L")])
def test_cards_of_residues_and_pairs_have_figures_and_no_areas_of_folds(run, root, name, metric, title):
    """Neither has one score for each protein, though their labels are yes or no and each protein is tested once."""
    shutil.copy(root / "src/foldgraft/heads/contacts.safetensors", run.folder / f"train/{name}/head.safetensors")
    next(one for one in run.experiments if one.name == name).settings["cross_validate"] = True
    run.tasks = [yes_or_no(one) if one.name == "ss3" else one for one in run.tasks]
    text = card(run, name, ABOUT)
    metrics = pd.read_csv(run.folder / "evaluate/metrics.csv")
    rows = metrics[(metrics["experiment"] == name) & (metrics["split"] == "test") & (metrics["metric"] == metric)]
    (head, line) = re.search(rf"^(\|  \|.*)\n\| --- .*\n(\| \*\*{name}\*\* .*)$", text, re.MULTILINE).groups()
    shown = next(
        float(cell.split()[0])
        for said, cell in zip(head.split("|"), line.split("|"), strict=True)
        if said.strip().startswith(title) and ("all" in said or title != "P@L")
    )
    assert shown == pytest.approx(rows["value"].iloc[0], abs=6e-4)
    assert "each tested once" in text and "of the folds" not in text and "- 40 chains of " in text


@pytest.mark.parametrize("shard", ["files-00000", "rcsb-00000", "alphafold-00000", "query-00000"])
def test_structure_files_are_counted_wherever_they_came_from(run, root, shard):
    """19 of the 20 rows were stored; what was fetched besides structures does not count."""
    shutil.copy(root / "src/foldgraft/heads/contacts.safetensors", run.folder / "train/contacts/head.safetensors")
    others = [f"alignments_{shard}", "search", "sifts", "sequences", "solubility"]
    more = [run.lock.head(1).assign(shard=other) for other in others]
    run.lock = pd.concat([run.lock.assign(shard=shard), *more], ignore_index=True)
    assert "- 19 structure files\n" in card(run, "contacts", ABOUT)


def test_another_table_on_which_the_head_was_tried_is_told(run):
    (task,) = (one for one in run.tasks if one.name == "solubility")
    rows = task.tables["metrics"].query("experiment == 'linear'").assign(task="trial", experiment="transfer_linear")
    note = "test: 3 of 400 proteins have a relative that this head learnt from"
    notes = pd.DataFrame({"task": "trial", "experiment": ["transfer_linear"], "note": [note]})
    about = task.about.model_copy(update={"task": "trial"})
    abroad = replace(task, about=about, experiments=(), tables=task.tables | {"metrics": rows, "notes": notes})
    run.tasks = [*run.tasks, abroad]
    text = card(run, "linear", ABOUT)
    assert f"On the table trial, which it did not learn from, 400 proteins ({note}):" in text
    area = rows.query("metric == 'roc_auc' and split == 'test'")["value"].iloc[0]
    (shown,) = re.findall(r"^\| ROC-AUC \| ([\d.]+) ", text, re.MULTILINE)
    assert np.isclose(float(shown), area, atol=6e-4)
    run.tasks = run.tasks[:-1]
    assert "On the table" not in card(run, "linear", ABOUT)
