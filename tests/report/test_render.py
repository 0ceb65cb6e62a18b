"""The whole page: what it says, what it never does, and what is left of it when stages did not run."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from foldgraft.errors import FoldgraftError
from foldgraft.records import lock
from foldgraft.records.files import read_json, sealed, write_json
from foldgraft.records.rejects import write_rejects
from foldgraft.records.tables import write_frame
from foldgraft.report.settings import ReportSettings
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
    assert len(Outline(still).found("script")) == 1  # the page's own


def test_a_hostile_title_is_escaped(run_folder, made_up):
    assert made_up.HOSTILE not in page(run_folder, None, ReportSettings(title=f'"{made_up.HOSTILE}'))


def test_every_figure_has_words_for_those_who_do_not_see_it(still):
    outline = Outline(still)
    pictures = [one for one in outline.found("div") if one.get("role") == "img"]
    assert len(pictures) == len(outline.found("figure")) == len(outline.found("figcaption")) >= 10
    assert all(len(one["aria-label"]) > 40 for one in pictures)
    assert still.count("<b>In this run.</b>") == len(pictures)


def test_ids_on_the_page_are_unique(still):
    ids = re.findall(r'\sid="([^"]*)"', still)
    assert len(ids) == len(set(ids))


def test_the_same_run_gives_the_same_page(run_folder, still):
    assert page(run_folder, None, ReportSettings()) == still


def test_the_answer_is_said_once_and_in_neutral_words(still, run_folder):
    comparison = pd.read_csv(run_folder / "evaluate/comparison.csv")
    best = comparison.query("metric == 'roc_auc' and split == 'test' and baseline == 'baseline_composition'")
    assert set(best["experiment"]) == {"attention", "linear"}
    assert still.count("solubility: attention") == 1
    assert re.search(r"ss3: own_ss3 is better than the strongest baseline: Q3 0\.\d+ against", still)
    assert "does NOT" not in still
    assert "hardly more than letter frequencies" in still
    assert "The split of solubility is clean" in still


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
    text = page(run, None, ReportSettings())
    assert re.search(
        r'<li class="note">solubility: the test proteins \(1 cluster\) are too few to tell attention from a baseline: '
        r"[^<]*each tested once by cross-validation\)",
        text,
    )


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
        r'<li class="bad">The split of solubility leaks[^<]*this run&#39;s own; a lower `cluster.min_id', text
    )
    columns = {"solubility": {"columns": {"fold": "partition"}}, "cluster": {"use_published_folds": True}}
    experiments = {"attention": {}, "linear": {}}
    write_json(run / "provenance.json", {"config": {**columns, "experiments": experiments}})
    text = page(run, None, ReportSettings())
    assert "the table&#39;s own column `partition`; `cluster.use_published_folds: false`" in text


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


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FoldgraftError, match=r"nowhere: there is no such folder"):
        page(tmp_path / "nowhere", None, ReportSettings())


def test_without_the_viewer_a_still_picture_and_a_way_to_it(still, tmp_path, run_folder):
    assert "resources/3Dmol-min.js" in still
    assert page(run_folder, tmp_path / "missing.js", ReportSettings()) == still


def test_the_viewer_is_inlined_without_its_loader(run_folder, viewer):
    text = page(run_folder, viewer, ReportSettings())
    assert "jsdelivr" not in text
    assert "loadScriptAsync('" not in text
    assert text.count("</script>") == 3
    assert "foldgraft" in re.search(r'<div id="(3dmolviewer_\w+)"', text).group(1)


def test_a_script_that_would_end_its_element_is_defused(run_folder, tmp_path):
    path = Path(tmp_path) / "viewer.js"
    path.write_text("var a = '</script><b>';")
    assert "</script><b>" not in page(run_folder, path, ReportSettings())
