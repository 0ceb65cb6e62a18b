"""What the page says of the data, the trunk and where figures come from."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from page_reading import cells
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from foldgraft.records import lock
from foldgraft.records.files import read_json, sealed, write_json
from foldgraft.records.rejects import write_rejects
from foldgraft.records.tables import write_frame
from foldgraft.report.exploration import blocks as explored
from foldgraft.report.page import Table
from foldgraft.report.run import Run
from foldgraft.report.settings import ReportSettings
from foldgraft.report.whole import page


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


def test_rejects_are_counted_by_rule(still):
    assert re.search(r">length</td><td[^>]*>2</td><td[^>]*>shorter than 20</td><td[^>]*>9xyz_A, 9xyz_B</td>", still)


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
