"""What the page says of each task: the verdict first, what it is worth, and whether to trust it."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from page_reading import cells

from foldgraft.evaluate.predictor import Predictor
from foldgraft.records.files import sealed, write_json
from foldgraft.report.curves import calibration_error
from foldgraft.report.drawing import styled
from foldgraft.report.methods import methods
from foldgraft.report.page import Bullets, Table, Tiles
from foldgraft.report.results import Task
from foldgraft.report.run import Run
from foldgraft.report.settings import ReportSettings
from foldgraft.report.summary import opening
from foldgraft.report.tables import headline_table
from foldgraft.report.task import section
from foldgraft.report.verdicts import answer, relatives, trust
from foldgraft.report.whole import page


def test_the_answer_comes_first_and_in_neutral_words(still, run_folder):
    comparison = pd.read_csv(run_folder / "evaluate/comparison.csv")
    best = comparison.query("metric == 'roc_auc' and split == 'test' and baseline == 'baseline_composition'")
    assert set(best["experiment"]) == {"attention", "linear"}
    row = best.set_index("experiment").loc["attention"]
    said = cells(still, "solubility")
    assert said[1] == row["verdict"].replace("worse", "behind")
    assert said[2].startswith(f"ROC-AUC {row['value']:.3f} [") and said[3] == f"composition {row['baseline_value']:.3f}"
    assert said[5] == f"{row['n']:.0f} proteins, {row['clusters']:.0f} clusters"
    assert cells(still, "ss3")[1] == "better" and cells(still, "ss3")[2].startswith("Q3 0.")
    assert "does NOT" not in still
    main = still.split("<main>")[1]
    assert main.index("<table>") < main.index("The split of solubility is clean") < main.index("Where does it fail?")
    assert "hardly more than letter frequencies" in still
    assert 'class="bad"' not in main


def test_every_experiment_and_baseline_of_a_task_is_a_row_with_its_verdict(still):
    rows = re.findall(r'<td data-label="">([^<]+)</td><td data-label="verdict"[^>]*>([^<]+)</td>', still)
    said = dict(rows)
    assert {"attention", "linear", "composition", "own_ss3", "onehot", "own_torsions", "state", "contacts"} <= set(said)
    assert said["coevolution"] in ("strongest baseline", "baseline")
    assert said["attainable at best"] == "ceiling"


def test_too_few_test_proteins_are_no_defeat(tmp_path, made_up):
    run = made_up.make_run(tmp_path, structures=False)
    path = run / "evaluate/tasks/solubility/comparison.csv"
    table = pd.read_csv(path).assign(clusters=1, verdict="too few to tell")
    with sealed(path) as temporary:
        table.to_csv(temporary, index=False)
    said = cells(page(run, None, ReportSettings()), "solubility")
    assert said[1] == "too few to tell" and said[5].endswith(", 1 cluster")


def test_experiments_of_a_task_are_compared_on_one_plot(still, run_folder):
    history = pd.read_csv(run_folder / "train/attention/history.csv")
    curve = history.groupby("epoch")["valid_loss"].mean()
    assert f"attention {curve.min():.3f} at epoch {curve.idxmin()}" in still
    assert "Validation loss of 2 experiments of solubility" in still
    assert "experiments of contact" not in still


def test_guessing_is_worth_the_part_of_soluble_proteins(still, run_folder):
    path = run_folder / "train/attention/predictions/solubility.parquet"
    label = pd.read_parquet(path).query("split == 'test'")["truth"]
    assert f"{(label >= 0.5).mean():.2f} of the proteins are positive" in still


def test_a_leak_is_said_in_red_and_whose_split_it_is(tmp_path, made_up):
    run = made_up.make_run(tmp_path, structures=False, leaks=True)
    text = page(run, None, ReportSettings())
    assert re.search(
        r'<li class="bad">The split of solubility leaks[^<]*this run&#39;s own; a lower cluster.min_id', text
    )
    found = json.loads((run / "cluster/verdict.json").read_text())
    write_json(run / "cluster/verdict.json", {name: one | {"split": "published"} for name, one in found.items()})
    columns = {"solubility": {"columns": {"fold": "partition"}, "test_table": "other.csv"}}
    experiments = {"attention": {}, "linear": {}}
    write_json(run / "provenance.json", {"config": {**columns, "experiments": experiments}})
    text = page(run, None, ReportSettings())
    whose = (
        "the table&#39;s own, by its column partition (columns.fold) and its test_table; cluster.use_published_folds"
    )
    assert whose in text and "this run&#39;s own" not in text


def test_what_layers_are_worth_is_drawn_and_what_a_mix_takes_of_them(tmp_path, made_up):
    run = made_up.make_run(tmp_path, structures=False)
    table = pd.DataFrame({"layer": [1, 2, 3], "metric": "mae", "value": [30.0, 25, 28], "share": np.nan})
    for name in ("linear", "attention"):  # the same of both, so one line is drawn
        table.to_csv(run / f"train/{name}/layers.csv", index=False)
    text = page(run, None, ReportSettings())
    assert re.search(r"(linear, attention|attention, linear): layer 2 does best \(25\.000\)\.", text)
    assert "whatever the head of the experiment" in text
    assert "Shares of the layers" not in text
    table = table.assign(metric=np.nan, value=np.nan, share=[0.2, 0.7, 0.1])  # the trunk is trained along
    for name in ("linear", "attention"):
        table.to_csv(run / f"train/{name}/layers.csv", index=False)
    text = page(run, None, ReportSettings())
    assert "does best" not in text and "linear takes most of layer 2 (70 %)" in text


def test_what_calibration_did_is_told_by_figures_of_the_same_bins(run_folder):
    (task,) = (one for one in Run(run_folder).tasks if one.name == "solubility")
    row = {"task": "solubility", "n": 9, "ece_before": 0.081, "ece_after": 0.024}
    noted = [replace(one, checks=one.checks | {"calibration": [row]}) for one in task.experiments]
    value = task.values(metric="ece").loc[task.best, "value"]
    said = calibration_error(replace(task, experiments=tuple(noted)))
    assert f" is {value:.3f}, from " in said
    assert said.endswith(" (by the bins of the training 0.081 before calibration and 0.024 after it).")
    assert "before" not in calibration_error(task)


def test_a_head_that_was_tried_on_another_table_is_said_to_be_one(run_folder):
    """Alone it is the answer; beside the table's own experiments a row between them and the baselines."""
    (task,) = (one for one in Run(run_folder).tasks if one.name == "solubility")
    rows = task.tables["metrics"]
    own = rows[rows["experiment"] == "linear"].assign(experiment="transfer_other")
    alone = answer(replace(task, tables=task.tables | {"metrics": own}, experiments=()))
    value = own[(own["metric"] == "roc_auc") & (own["split"] == "test")]["value"].iloc[0]
    assert alone.said == "tried" and f"head of other {value:.3f}" in alone.value and not alone.good
    both = headline_table(replace(task, tables=task.tables | {"metrics": pd.concat([rows, own])}))
    names = [row[0] for row in both.rows]
    assert names.index("linear") < names.index("head of other") < names.index("composition")
    assert dict(zip(names, (row[1] for row in both.rows), strict=True))["head of other"] == "learnt from another table"


@pytest.fixture
def abroad(run_folder) -> Run:
    """A run that trained no head for its labelled table, on which it tried that of another."""
    run = Run(run_folder)
    (task,) = (one for one in run.tasks if one.name == "solubility")
    rows = task.tables["metrics"]
    own = rows[rows["experiment"] == "linear"].assign(experiment="transfer_other", split="test")
    tables = task.tables | {"metrics": own.drop_duplicates("metric"), "notes": noted(task, 3)}
    run.tasks = [replace(task, tables=tables, experiments=())]
    return run


def noted(task: Task, near: int, blind: int = 0) -> pd.DataFrame:
    """What the evaluate stage notes of a head of another table that was tried on 400 proteins."""
    ids = [f"lab{n:04d}" for n in range(400)]
    one = Predictor("transfer_other", {"test": pd.DataFrame({"id": ids})}, notes=["valid: no proteins"])
    method = np.where(np.arange(400) >= 400 - blind, "none", "search")
    one.note_relatives(pd.DataFrame({"leak": np.arange(400) < near, "method": method}, index=ids))
    return pd.DataFrame({"task": task.name, "experiment": one.name, "note": one.notes})


def test_a_split_that_nothing_learnt_from_is_not_what_a_tried_head_is_trusted_by(abroad):
    said = list(trust(abroad))
    assert not any("split of solubility" in text for _, text in said)
    assert any("split of structures" in text for _, text in said)
    text = (
        "The head of other, tried on solubility: 3 of 400 proteins have a relative that it learnt from (0.8%); 0.5% "
        "were allowed. Its metrics there are too good."
    )
    assert ("bad", text) in said
    with styled():
        blocks = section(abroad, "protein", ()).blocks
    bullets = [item for block in blocks if isinstance(block, Bullets) for item in block.items]
    assert ("bad", text) in bullets and ("note", "head of other: valid: no proteins.") in bullets
    assert sum("relative" in item for _, item in bullets) == 1 and not any("clean" in item for _, item in bullets)
    (task,) = abroad.tasks
    clean = replace(task, tables=task.tables | {"notes": noted(task, 0)})
    near = "The head of other, tried on solubility: 0 of 400 proteins have a relative that it learnt from (0.0%);"
    assert list(relatives(clean, 0.0)) == [("good", f"{near} 0.0% are allowed.")]
    assert [tone for tone, _ in relatives(task, 3 / 400)] == ["good"]
    blind = replace(task, tables=task.tables | {"notes": noted(task, 0, 5)})
    assert list(relatives(blind, 0.01)) == [("note", f"{near} 1.0% are allowed. Of 5 it could not be found out.")]
    unknown = replace(task, tables=task.tables | {"notes": pd.DataFrame()})
    assert [tone for tone, _ in relatives(unknown, 0.01)] == ["note"]


def test_of_a_table_on_which_heads_are_tried_all_proteins_are_to_be_tested(abroad):
    (table,) = (b for b in methods(abroad).blocks if isinstance(b, Table) and "to be tested" in b.head)
    assert [row[:3] for row in table.rows] == [("solubility", "400", "400 (all, as no head learnt from them)")]
    assert table.rows[0][5] == "400"
    page = opening(abroad)
    asked = page.blocks[0].text
    assert "that learnt from other tables predict solubility?" in asked and "have no relative" not in asked
    (tiles,) = (block for block in page.blocks if isinstance(block, Tiles))
    assert ("400", "test sequences of solubility in 200 clusters") in tiles.items


def test_rows_of_a_labelled_table_count_by_name_though_they_share_a_sequence(run_folder):
    run = Run(run_folder)
    run.tasks = [one for one in run.tasks if one.name == "solubility"]
    alike = (run.split["set"] == "solubility") & (run.split["cluster"] < 1025)
    run.split.loc[alike, "sequence_sha256"] = "0" * 64
    (table,) = (b for b in methods(run).blocks if isinstance(b, Table) and "to be tested" in b.head)
    assert table.rows == [("solubility", "400", "400 (all, by cross-validation)", "351", "0", "400", "none")]
    metrics = run.tasks[0].tables["metrics"]
    run.tasks = [replace(run.tasks[0], tables=run.tasks[0].tables | {"metrics": metrics.assign(n=395)})]
    (table,) = (b for b in methods(run).blocks if isinstance(b, Table) and "to be tested" in b.head)
    assert table.rows[0][5:] == ("395", "5 without a label or target that the task can use")
