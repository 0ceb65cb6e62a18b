"""The three commands, one after the other, as the rules call them."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from foldgraft.cluster.command import app
from foldgraft.cluster.settings import ClusterSettings
from foldgraft.errors import FoldgraftError
from foldgraft.records.files import read_json
from foldgraft.records.split import LEAKAGE, SPLIT
from foldgraft.records.tables import read_frame


def call(*arguments):
    CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def run(folder, index, labels, settings, *tried):
    given = ("--index", index, "--labels", labels, "--settings", settings.model_dump_json())
    call("group", *given, "--clusters", folder / "clusters.parquet")
    clusters, rest = (
        folder / "clusters.parquet",
        ("--rejects", folder / "rejects.csv", "--summary", folder / "split.json"),
    )
    call("split", *given, *tried, "--clusters", clusters, "--split", folder / "split.parquet", *rest)
    tables = ("--leakage", folder / "leakage.parquet", "--verdict", folder / "verdict.json")
    call("audit", *given, "--split", folder / "split.parquet", *tables)


def test_planted_families_are_split_cleanly(families, labelled, write_inputs, tmp_path):
    run(tmp_path, *write_inputs(families, labelled), ClusterSettings())
    split = read_frame(tmp_path / "split.parquet", SPLIT)
    assert split.groupby("set").size().to_dict() == {"structures": len(families), "labels": len(labelled)}
    family = split.id.str[:2]
    assert (split.groupby(["set", family]).split.nunique() == 1).all()
    leakage = read_frame(tmp_path / "leakage.parquet", LEAKAGE)
    assert len(leakage) == (split.split == "test").sum() and not leakage.leak.any()
    verdict = read_json(tmp_path / "verdict.json")
    assert {name: entry["verdict"] for name, entry in verdict.items()} == {"structures": "clean", "labels": "clean"}
    assert {path.suffix for path in tmp_path.glob(".*")} <= {".sha256"}


def test_a_leaking_published_split_fails_after_its_tables_are_written(families, labelled, write_inputs, tmp_path):
    leaky = labelled.assign(fold=pd.Series([k % 3 for k in range(len(labelled))], dtype="Int64"))
    with pytest.raises(FoldgraftError, match=r"labels: .* test proteins"):
        run(tmp_path, *write_inputs(families, leaky), ClusterSettings(on_leak="fail"))
    leakage = read_frame(tmp_path / "leakage.parquet", LEAKAGE)
    assert leakage[leakage["set"] == "labels"].leak.all()
    assert read_json(tmp_path / "verdict.json")["labels"]["verdict"] == "leaks"


@pytest.mark.parametrize(
    ("together", "columns"),
    [(True, {"split": "test"}), (True, {}), (False, {})],
    ids=["all for test", "three rows", "three rows alone"],
)
def test_a_table_from_which_no_head_learns_may_be_of_any_roles(
    families, labelled, write_inputs, tmp_path, together, columns
):
    few = labelled if "split" in columns else labelled.iloc[:3]  # three of one family
    inputs = write_inputs(families, few.assign(**columns))
    settings = ClusterSettings(together=together)
    run(tmp_path, *inputs, settings, "--tried", "labels")
    found = read_frame(tmp_path / "split.parquet", SPLIT)
    assert set(found.id[found["set"] == "labels"]) == set(few.id)
    assert set(found.split[found["set"] == "structures"]) == {"train", "valid", "test"}
    assert {entry["verdict"] for entry in read_json(tmp_path / "verdict.json").values()} == {"clean"}


def test_an_id_given_twice_is_named(families, labelled, write_inputs, tmp_path):
    twice = pd.concat([labelled, labelled.iloc[[0]]])
    index, labels = write_inputs(families, twice)
    with pytest.raises(FoldgraftError, match="labels: the id 'f0m0'"):
        call("group", "--index", index, "--labels", labels, "--clusters", tmp_path / "clusters.parquet")


def test_labels_alone_are_enough(families, labelled, write_inputs, tmp_path):
    _, labels = write_inputs(families, labelled)
    call("group", "--labels", labels, "--clusters", tmp_path / "clusters.parquet")
    assert (tmp_path / "clusters.parquet").exists()
