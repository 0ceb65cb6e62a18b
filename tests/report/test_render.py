"""The whole page: what it says, what it never does, and what is left of it when stages did not run."""

import base64
import itertools
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.predictor import Predictor
from foldgraft.records import lock
from foldgraft.records.files import read_json, sealed, write_json
from foldgraft.records.rejects import write_rejects
from foldgraft.records.tables import write_frame
from foldgraft.records.targets import read_targets
from foldgraft.report.curves import calibration_error
from foldgraft.report.drawing import styled
from foldgraft.report.exploration import blocks as explored
from foldgraft.report.linked import encoded, inside
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

VOID = {"meta", "link", "img", "br", "image", "path", "use", "rect"}


class Outline(HTMLParser):
    """Elements, attributes and balance of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def found(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def still(run_folder) -> str:
    """The page without 3Dmol.js."""
    return page(run_folder, None, ReportSettings())


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


def test_of_a_table_on_which_heads_are_tried_all_proteins_are_to_be_tested(abroad):
    (table,) = (b for b in methods(abroad).blocks if isinstance(b, Table) and "to be tested" in b.head)
    assert [row[:3] for row in table.rows] == [("solubility", "400", "400 (all, as no head learnt from them)")]
    assert table.rows[0][5] == "400"
    page = opening(abroad)
    asked = page.blocks[0].text
    assert "that learnt from other tables predict solubility?" in asked and "have no relative" not in asked
    (tiles,) = (block for block in page.blocks if isinstance(block, Tiles))
    assert ("400", "test sequences of solubility in 200 clusters") in tiles.items


def test_the_page_is_whole_and_has_every_chapter(still):
    outline = Outline(still)
    assert not outline.open
    levels = ["level-protein", "level-residue", "level-pair"]
    names = ["summary", *levels, "structures", "data", "training", "trunk", "methods"]
    assert [section["id"] for section in outline.found("section")] == names
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", still, flags=re.DOTALL).lower().split()


def test_nothing_is_asked_for_from_outside(still):
    for tag, attributes in Outline(still).tags:
        for name in ("src", "href", "xlink:href", "action", "data"):
            value = attributes.get(name) or ""
            assert value.startswith(("#", "data:")) or not value, (tag, value)
    assert "@import" not in still
    assert not re.search(r"url\(\s*['\"]?(?!#)", still)
    assert "default-src 'none'" in still


def test_ids_from_outside_do_no_harm(still, made_up):
    assert made_up.HOSTILE not in still
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in still
    assert len(Outline(still).found("script")) == 4  # the page's own, and the data of the linked views


def test_a_hostile_title_is_escaped(run_folder, made_up):
    assert made_up.HOSTILE not in page(run_folder, None, ReportSettings(title=f'"{made_up.HOSTILE}'))


def test_every_figure_has_words_for_those_who_do_not_see_it(still):
    outline = Outline(still)
    pictures = [one for one in outline.found("div") if one.get("role") == "img"]
    linked = [one for one in outline.found("div") if one.get("class") == "linked"]
    assert [one["role"] for one in linked] == ["group"]
    assert len(pictures) == len(outline.found("figure")) == len(outline.found("figcaption")) >= 10
    assert all(len(one["aria-label"]) > 40 for one in pictures)
    assert still.count("<b>In this run.</b>") == len(pictures) + len(linked)


def test_headings_skip_no_level_and_wide_tables_can_be_scrolled_by_keyboard(still):
    outline = Outline(still)
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and all(below - above <= 1 for above, below in itertools.pairwise(levels))
    boxes = [one for one in outline.found("div") if (one.get("class") or "").startswith("scroll")]
    assert len(boxes) == len(outline.found("table")) and all(one["tabindex"] == "0" for one in boxes)


def test_ids_on_the_page_are_unique(still):
    ids = re.findall(r'\sid="([^"]*)"', still)
    assert len(ids) == len(set(ids))


def test_the_same_run_gives_the_same_page(run_folder, still):
    assert page(run_folder, None, ReportSettings()) == still


def cells(text: str, first: str) -> list[str]:
    """The first table row that begins with a text."""
    row = re.search(rf"<tr><td[^>]*>{re.escape(first)}</td>.*?</tr>", text)
    return re.findall(r"<td[^>]*>([^<]*)</td>", row.group())


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


def test_experiments_of_a_task_are_compared_on_one_plot(still, run_folder):
    history = pd.read_csv(run_folder / "train/attention/history.csv")
    curve = history.groupby("epoch")["valid_loss"].mean()
    assert f"attention {curve.min():.3f} at epoch {curve.idxmin()}" in still
    assert "Validation loss of 2 experiments of solubility" in still
    assert "experiments of contact" not in still


def test_chapters_of_what_was_done_are_folded_after_the_answers(still):
    folded = re.findall(r'<details class="chapter"><summary><h2>([^<]+)</h2>', still)
    assert folded == ["Data", "Training", "Trunk", "Methods and provenance"]
    assert still.index("Residue pairs</h2>") < still.index("Data</h2>")


def test_synthetic_proteins_are_called_so(tmp_path, made_up, still):
    said = "The proteins of this run are synthetic"
    assert said not in still
    run = made_up.make_run(tmp_path, structures=False)
    path = run / "fetch/lock.parquet"
    write_frame(path, pd.read_parquet(path).assign(source="synth"), lock.SCHEMA)
    assert re.search(rf'<p class="text note">{said}', page(run, None, ReportSettings()))


def test_a_trunk_no_better_than_letter_frequencies_has_learnt_nothing(tmp_path, made_up):
    run = made_up.make_run(tmp_path, structures=False)
    trunk = read_json(run / "trunk/trunk.json")
    trunk["pretraining"]["valid_perplexity"] = trunk["pretraining"]["unigram_perplexity"]
    write_json(run / "trunk/trunk.json", trunk)
    assert "nothing beyond letter frequencies" in page(run, None, ReportSettings())


def test_what_the_checkpoint_lacked_and_the_proof_against_fair_esm_are_told(tmp_path, made_up):
    run = made_up.make_run(tmp_path, structures=False)
    proof = {"against": "fair-esm 2.0.0", "sequences": 7, "tolerance": 1e-4, "representations": 3.2e-6}
    about = {
        "language_head": False,
        "contact_regression": True,
        "proof": proof | {"logits": None, "contacts": 4.1e-7},
        "left_out": {"classifier.<b>weight": "a head for something else"},
        "source": {"kind": "checkpoint", "layout": "Hugging Face ESM", "files": {"config.json": "cd" * 32}},
        "adapter": {"name": "tuned", "matrices": 12, "rank": 8, "left_out": {}, "files": {"adapter.bin": "ef" * 32}},
    }
    write_json(run / "trunk/trunk.json", read_json(run / "trunk/trunk.json") | about)
    text = page(run, None, ReportSettings())
    assert "Its checkpoint has no language head, so it cannot guess masked residues." in text
    assert "contact regression" not in text
    assert "The largest differences: representations 3.2e-06, contacts 4.1e-07 (allowed: 0.0001)." in text
    assert "classifier.&lt;b&gt;weight" in text and "classifier.<b>" not in text
    assert "sha256 of config.json" in text and "tuned, merged into 12 matrices" in text and "ef" * 32 in text


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


def test_rejects_are_counted_by_rule(still):
    assert re.search(r">length</td><td[^>]*>2</td><td[^>]*>shorter than 20</td><td[^>]*>9xyz_A, 9xyz_B</td>", still)


def test_solubility_alone(tmp_path, made_up):
    text = page(made_up.make_run(tmp_path, structures=False), None, ReportSettings())
    assert "No structures in this run" in text
    assert "Residue pairs" not in text
    assert "This run has no structure targets" in text
    assert not Outline(text).open


def test_contacts_alone_and_without_alignments(tmp_path, made_up):
    run = made_up.make_run(tmp_path, solubility=False)
    for path in [*run.glob("msa/*/*.parquet")]:
        path.unlink()
    text = page(run, None, ReportSettings(examples=1))
    assert '<section id="level-protein">' not in text
    assert "No alignments in this run" in text
    assert "there is no alignment, hence no coevolution" in text
    assert not Outline(text).open


def test_a_bare_run_still_makes_a_page(tmp_path):
    (tmp_path / "bare").mkdir()
    text = page(tmp_path / "bare", None, ReportSettings())
    assert "This run trained no head" in text
    assert "This run has no trunk" in text
    assert not Outline(text).open


def test_what_an_earlier_configuration_left_behind_does_not_count(tmp_path, made_up):
    run = made_up.make_run(tmp_path)
    write_json(run / "provenance.json", {"config": {"experiments": {"attention": {}, "linear": {}, "contacts": {}}}})
    fresh = page(run, None, ReportSettings())
    for path, left in (
        (run / "fetch/labels/solubility-00000.parquet", "solubility-00001.parquet"),
        (run / "msa/alignments/files-00001.parquet", "files-00002.parquet"),
    ):
        table = pq.read_table(path)
        write_frame(path.with_name(left), table.to_pandas(), table.schema)
    shutil.copytree(run / "train/linear", run / "train/given_up")
    assert page(run, None, ReportSettings()) == fresh


def test_what_became_of_given_alignments_is_listed(tmp_path, made_up):
    run = made_up.make_run(tmp_path)
    columns = ["file", "part", "format", "rows", "dropped", "used", "reason", "chains", "sequence_sha256", "row"]
    columns += ["row_number", "length", "residues", "identity", "coverage"]
    rows = [
        ["deep.a3m", 1, "FASTA", 900, "2 empty", True, "", "1aba_A", "0" * 64, "q", 1, 60, 57, 0.98, 1.0],
        ["<b>.sto", 1, "Stockholm", 4, "", False, "no chain of the run resembles any of its rows", *[""] * 8],
    ]
    pd.DataFrame(rows, columns=columns).to_csv(run / "msa/given.csv", index=False)
    text = page(run, None, ReportSettings())
    assert "Alignments given: 2 files, 1 of them used, for 1 chains." in text
    cells = re.sub(r"<td[^>]*>", "<td>", text)
    assert "<td>1aba_A</td><td>57 of 60</td><td>98.0%</td><td>2 empty</td>" in cells
    assert "&lt;b&gt;.sto" in text and "no chain of the run resembles any of its rows" in text
    assert "below msa.min_coverage" in text


def test_what_the_trunk_cannot_read_is_counted(tmp_path, made_up):
    run = made_up.make_run(tmp_path, structures=False)
    rows = [("lab0003", "too_long", "12000", "longer than 10000 residues"), ("gone", "too_long", "12000", "longer")]
    write_rejects(run / "embed/rejects/solubility-00000.csv", rows)
    text = page(run, None, ReportSettings())
    assert re.search(
        r">too_long</td><td[^>]*>1</td><td[^>]*>longer than 10000 residues</td><td[^>]*>lab0003</td>", text
    )


def test_a_chain_can_be_asked_for_and_an_unknown_one_is_named(run_folder):
    split = pd.read_parquet(run_folder / "cluster/split.parquet").query("set == 'structures' and split == 'train'")
    shown = linked_data(page(run_folder, None, ReportSettings(examples=1, proteins=(split["id"].iloc[0],))))
    assert shown[1]["id"] == split["id"].iloc[0] and shown[1]["prediction"] is None
    assert "hence no prediction" in shown[1]["about"] and "P@L" in shown[0]["about"]
    with pytest.raises(FoldgraftError, match=r"report\.proteins: this run has no chain 9zzz_Z"):
        page(run_folder, None, ReportSettings(proteins=("9zzz_Z",)))


def test_where_figures_come_from_how_counts_add_up_and_what_was_predicted(tmp_path, made_up):
    run = made_up.make_run(tmp_path, structures=False)
    config = {"experiments": {"attention": {}, "linear": {}}, "predict": {"sequences": {"mine": "x.fasta"}}}
    write_json(run / "provenance.json", {"commit": "c" * 40, "config": config})
    for name, seconds in (("train/attention", 61.5), ("train/given_up", 1000), ("fetch/lock", 2.0)):
        path = run / f"benchmarks/{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\tmax_rss\n{seconds}\t512.4\n")
    with sealed(run / "predict/mine.csv") as temporary:
        temporary.write_text("id,length,solubility,reason\n=1+1,80,0.75,\n<b>,0,,empty\n")
    text = page(run, None, ReportSettings())
    assert cells(text, "commit")[1] == "c" * 40 and cells(text, "figures made")[1].endswith("UTC")
    assert cells(text, "train attention")[1:] == ["1", "61.5", "512"] and "given_up" not in text
    assert "64 seconds of jobs in all, most of them in train (62)" in text
    rows = [found for found in re.findall(r"<tr>.*?</tr>", text) if "(all, by cross-validation)" in found]
    counts = re.findall(r"<td[^>]*>([^<]*)</td>", rows[0])
    assert counts == ["solubility", "400", "400 (all, by cross-validation)", "400", "0", "400", "none"]
    assert "1 of 2 sequences scored" in text and cells(text, "=1+1")[1:] == ["80", "0.750", ""]
    assert cells(text, "evaluate/metrics.csv") and "&lt;b&gt;</td>" in text


def test_what_labels_look_like_before_learning_is_told(still, run_folder):
    table = pd.read_parquet(run_folder / "fetch/labels/solubility-00000.parquet")
    sequence = table["sequence"].str
    charge = (sequence.count("[KR]") - sequence.count("[DE]")) / sequence.len()
    shortcut = cells(still, "net charge per residue")
    assert float(shortcut[2].split()[0]) == pytest.approx(roc_auc_score(table["label"], charge), abs=6e-4)
    assert shortcut[1] == "tells of the label, greater with more"
    assert cells(still, "sequence length")[1] in ("tells little", "tells of the label, smaller with more")
    rho = spearmanr(table["label"], charge).statistic
    assert f"net charge per residue goes with the label most ({rho:.2f})" in still


def test_labels_of_one_class_are_told_by_nothing(run_folder):
    """Fractions all above the middle are many values, yet of one class."""
    run = Run(run_folder)
    (table,) = run.labelled
    assert any("shortcut" in block.head for block in explored(run, table) if isinstance(block, Table))
    above = table.rows.assign(label=np.linspace(0.6, 1, len(table.rows)))
    found = explored(run, replace(table, rows=above))
    assert not any("shortcut" in block.head for block in found if isinstance(block, Table))
    assert not any("None of these" in getattr(block, "text", "") for block in found)


def test_what_calibration_did_is_told_by_figures_of_the_same_bins(run_folder):
    (task,) = (one for one in Run(run_folder).tasks if one.name == "solubility")
    row = {"task": "solubility", "n": 9, "ece_before": 0.081, "ece_after": 0.024}
    noted = [replace(one, checks=one.checks | {"calibration": [row]}) for one in task.experiments]
    value = task.values(metric="ece").loc[task.best, "value"]
    said = calibration_error(replace(task, experiments=tuple(noted)))
    assert f" is {value:.3f}, from " in said
    assert said.endswith(" (by the bins of the training 0.081 before calibration and 0.024 after it).")
    assert "before" not in calibration_error(task)


def test_ids_of_nearest_proteins_are_no_numbers(tmp_path):
    (tmp_path / "predict").mkdir()
    (tmp_path / "predict/new.csv").write_text("id,score,nearest,identity\n7,0.5,0012,0.9\nb,0.5,1e3,0.8\n")
    assert list(Run(tmp_path).predicted("new")["nearest"]) == ["0012", "1e3"]


def test_groups_origins_and_missing_labels_are_looked_at(tmp_path, made_up):
    run = made_up.make_run(tmp_path, structures=False)
    path = run / "fetch/labels/solubility-00000.parquet"
    shard = pq.read_table(path)
    table = shard.to_pandas()
    positive = table["label"] == 1
    table["group"] = np.where(positive & (np.arange(len(table)) % 3 > 0), "yeast", "human")
    write_frame(path, table, shard.schema)
    write_rejects(
        run / "fetch/labels/rejects/solubility-00000.csv",
        [("a", "missing", "-999", "the label is missing"), ("b", "missing", "", "the label is missing")],
    )
    text = page(run, None, ReportSettings())
    mean = table.groupby("group")["label"].mean()
    assert cells(text, "yeast")[3] == "1.00" and cells(text, "human")[3] == f"{mean['human']:.2f}"
    assert cells(text, "group alone")[1].startswith("tells of the label")
    assert "2 (-999: 1, nothing: 1)" in text


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FoldgraftError, match=r"nowhere: there is no such folder"):
        page(tmp_path / "nowhere", None, ReportSettings())


def test_without_the_viewer_a_still_picture_and_a_way_to_it(still, tmp_path, run_folder):
    assert "resources/3Dmol-min.js" in still
    assert page(run_folder, tmp_path / "missing.js", ReportSettings()) == still


def test_the_viewer_is_inlined(run_folder, viewer):
    text = page(run_folder, viewer, ReportSettings())
    assert text.count("</script>") == 5
    assert all(one["still"] is None for one in linked_data(text))


def linked_data(text: str) -> list[dict]:
    """What the script of the linked views reads."""
    return json.loads(re.search(r'<script type="application/json" id="linked-data">(.*?)</script>', text)[1])


def test_linked_views_hold_the_maps_of_the_targets_and_predictions(still, run_folder):
    shown = linked_data(still)
    assert len(shown) == 3 and all(one["still"].startswith("data:image/png") for one in shown)
    split = pd.read_parquet(run_folder / "cluster/split.parquet").drop_duplicates("id").set_index("id")
    assert split.loc[[one["id"] for one in shown], "cluster"].is_unique
    predicted = pd.read_parquet(run_folder / "train/contacts/predictions/contact.parquet").set_index(["id", "split"])
    found = {one.id: one for path in (run_folder / "targets").glob("*.parquet") for one in read_targets(path)}
    for one in shown:
        true = found[one["id"]]
        distance, score = (np.frombuffer(base64.b64decode(one[name]), np.uint8) for name in ("distance", "prediction"))
        assert np.array_equal(distance == 255, ~true.pair_mask)
        assert np.array_equal((distance * 0.2 < 8.0) & true.pair_mask, true.contacts)
        assert np.abs(score / 254 - predicted.loc[(one["id"], "test"), "score"]).max() < 0.002
        score = predicted.loc[(one["id"], "test"), "score"]
        i, j = np.triu_indices(len(true.sequence), 1)
        usable = np.flatnonzero(true.pair_mask & (j - i >= 6))
        best = usable[np.argsort(-score[usable], kind="stable")][: len(true.sequence) // 2]
        rods = {(i[at], j[at], int(true.contacts[at])) for at in best}
        assert {tuple(rod) for rod in one["rods"]} == rods and len(one["rods"]) == len(rods)
        assert one["sequence"] == true.sequence and len(one["depth"]) == len(one["sequence"])


def test_only_the_ends_of_a_scale_are_said_to_be_at_most_or_at_least():
    values = np.array([-3.0, 0.0, 0.2, 127.4, 253.9, 254.0, 400.0, np.nan])
    read = np.frombuffer(base64.b64decode(encoded(values, inside)), np.uint8)
    assert read.tolist() == [0, 0, 1, 127, 253, 254, 254, 255]
    apart = np.frombuffer(base64.b64decode(encoded(np.array([50.79, 50.81, 90.0]) / 0.2, np.floor)), np.uint8)
    assert apart.tolist() == [253, 254, 254]


def test_a_script_that_would_end_its_element_is_defused(run_folder, tmp_path):
    path = Path(tmp_path) / "viewer.js"
    path.write_text("var a = '</script><b>';")
    assert "</script><b>" not in page(run_folder, path, ReportSettings())
