"""The RO-Crate of a run, against what RO-Crate 1.1 demands of every crate."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from foldgraft.errors import FoldgraftError
from foldgraft.report.command import app
from foldgraft.report.crate import use
from foldgraft.report.provenance import commit

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


@pytest.fixture
def results(tmp_path):
    for name, text in {
        "report/index.html": "<html>",
        "report/figures/data/lengths/1.lengths.html": "<html>",
        "evaluate/metrics.csv": "task\n",
        "evaluate/.metrics.csv.sha256": "hidden",
        "train/a/head.safetensors": "weights",
        "curate/chains/files-00000.parquet": "a shard, which is not listed",
        "benchmarks/curate/shard/files-00000.tsv": HEAD + "1.5\t0:00:01\t100.5\t1\t1\t1\t0\t0\t50\t1\n",
        "benchmarks/curate/shard/files-00001.tsv": HEAD + "2.5\t0:00:02\t300.25\t1\t1\t1\t0\t0\t50\t1\n",
        "benchmarks/train/a.tsv": HEAD + "0.1\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    about = {
        "foldgraft": "0.1.0",
        "commit": "abc",
        "python": "3.12.1",
        "mmseqs": "18",
        "packages": {"torch": "2.13.0"},
        "config": {"run": "mine"},
    }
    (tmp_path / "provenance.json").write_text(json.dumps(about))
    return tmp_path


TOLD = {"curate_shard": "\n  foldgraft curate shard\n  --lock x", "train_experiment": "foldgraft train"}


def crate(results, told=TOLD):
    words = ["crate", "--results", str(results), "--provenance", str(results / "provenance.json"), "--commands", "-"]
    out = results / "ro-crate-metadata.json"
    done = CliRunner().invoke(app, [*words, "--out", str(out)], input=json.dumps(told), catch_exceptions=False)
    assert done.exit_code == 0
    return json.loads(out.read_text())


def test_a_crate_is_what_the_standard_demands(results):
    told = crate(results)
    assert told["@context"] == "https://w3id.org/ro/crate/1.1/context"
    by_id = {one["@id"]: one for one in told["@graph"]}
    assert len(by_id) == len(told["@graph"]) and all("@type" in one for one in told["@graph"])
    descriptor, root = by_id["ro-crate-metadata.json"], by_id["./"]
    assert descriptor["@type"] == "CreativeWork" and descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert root["@type"] == "Dataset" and {"name", "description", "datePublished", "license"} <= set(root)
    referred = {two["@id"] for one in told["@graph"] for value in one.values() for two in _references(value)}
    assert referred - {"https://w3id.org/ro/crate/1.1"} <= set(by_id)


def _references(value):
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, dict) and set(one) == {"@id"}]


def test_files_are_told_by_hash_and_jobs_by_command_time_and_memory(results):
    by_id = {one["@id"]: one for one in crate(results)["@graph"]}
    files = {name: one for name, one in by_id.items() if one["@type"] == "File"}
    pages = {"report/index.html", "report/figures/data/lengths/1.lengths.html"}
    assert set(files) == {"provenance.json", "evaluate/metrics.csv", "train/a/head.safetensors"} | pages
    assert {name: hashlib.sha256((results / name).read_bytes()).hexdigest() for name in files} == {
        name: one["sha256"] for name, one in files.items()
    }
    assert {one["@id"] for one in by_id["./"]["hasPart"]} == set(files)
    action = by_id["#curate-shard"]
    assert action["@type"] == "CreateAction" and action["description"] == "foldgraft curate shard --lock x"
    assert by_id["#train-a"]["description"] == "foldgraft train"
    values = {by_id[one["@id"]]["name"]: by_id[one["@id"]]["value"] for one in action["additionalProperty"]}
    assert values == {"jobs": 2, "seconds of wall time": 4.0, "peak resident megabytes": 300.2}
    assert by_id["#foldgraft"]["softwareVersion"] == "0.1.0 (commit abc)"
    assert by_id["#train-a-megabytes"]["value"] is None  # a job too short to be measured


def test_what_is_no_benchmark_is_named(results):
    (results / "benchmarks/train/a.tsv").write_text("nothing\n")
    with pytest.raises(FoldgraftError, match=r"train/a\.tsv: is no benchmark of Snakemake"):
        use(results / "benchmarks", {})


def test_what_an_earlier_configuration_left_behind_is_not_listed(results):
    config = {"run": "mine", "experiments": {"a": {"task": ["ss3", "torsions"]}}, "report": {"cards": {"a": {}}}}
    config["predict"] = {"sequences": {"new": "new.fasta"}, "alignments": {"mine": "mine.a3m"}}
    about = json.loads((results / "provenance.json").read_text()) | {"config": config}
    (results / "provenance.json").write_text(json.dumps(about))
    (results / "predict").mkdir()
    now = {"train/a/head.safetensors", "report/a.md", "predict/new.csv", "predict/mine.contacts.csv"}
    now |= {"evaluate/tasks/ss3/metrics.csv", "evaluate/tasks/torsions/metrics.csv"}
    left = {
        "train/removed/head.safetensors",
        "report/removed.md",
        "predict/removed.csv",
        "evaluate/tasks/tm/metrics.csv",
    }
    for name in now | left:
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text("x")
    took = HEAD + "0.1\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA\n"
    for name in ("train/removed", "evaluate/metrics/ss3", "evaluate/metrics/tm", "evaluate/baselines/tm/constant"):
        (results / f"benchmarks/{name}.tsv").parent.mkdir(parents=True, exist_ok=True)
        (results / f"benchmarks/{name}.tsv").write_text(took)
    by_id = {one["@id"]: one for one in crate(results)["@graph"]}
    files = {name for name, one in by_id.items() if one["@type"] == "File"}
    pages = {"report/index.html", "report/figures/data/lengths/1.lengths.html"}
    assert files == now | pages | {"provenance.json", "evaluate/metrics.csv"}
    assert "#train-a" in by_id and "#train-removed" not in by_id
    assert by_id["#evaluate-metrics-jobs"]["value"] == 1 and "#evaluate-baselines" not in by_id


def test_what_was_tried_on_other_tables_is_listed(results):
    config = {"run": "mine", "experiments": {"a": {"task": ["ss3"]}}, "evaluate": {"external": {"trial": ["a"]}}}
    about = json.loads((results / "provenance.json").read_text()) | {"config": config}
    (results / "provenance.json").write_text(json.dumps(about))
    now = {f"{stage}/external/trial/a.parquet" for stage in ("evaluate", "cluster")}
    now |= {"evaluate/tasks/trial/metrics.csv"}
    left = {name.replace("trial/", "removed/") for name in now}
    left |= {f"{stage}/external/trial/removed.parquet" for stage in ("evaluate", "cluster")}
    took = HEAD + "0.5\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA\n"
    jobs = {f"{job}/{table}/a" for job in ("evaluate/external", "cluster/external_audit") for table in ("trial", "tm")}
    jobs |= {"evaluate/metrics/trial", "evaluate/external/trial/removed"}
    for name, text in dict.fromkeys(now | left, "x").items() | {(f"benchmarks/{job}.tsv", took) for job in jobs}:
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text(text)
    by_id = {one["@id"]: one for one in crate(results)["@graph"]}
    files = {name for name, one in by_id.items() if one["@type"] == "File"}
    assert files >= now and not files & left
    for job in ("evaluate-external", "cluster-external_audit", "evaluate-metrics"):
        assert by_id[f"#{job}-jobs"]["value"] == 1


def test_an_empty_benchmark_is_passed_over(results):
    (results / "benchmarks/curate/shard/files-00002.tsv").touch()
    assert use(results / "benchmarks", {})["curate shard"].jobs == 2


@pytest.mark.parametrize(
    ("benchmark", "rule"),
    [
        ("evaluate/baselines/ss3/constant", "evaluate_baseline"),
        ("evaluate/metrics/ss3", "evaluate_metrics"),
        ("predict/new.csv", "predict_sequences"),
        ("predict/new.contacts", "predict_contacts"),
        ("report/a", "report_card"),
        ("report/render", "report_render"),
    ],
)
def test_each_job_has_the_command_of_its_rule(results, benchmark, rule):
    path = results / f"benchmarks/{benchmark}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + "0.1\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA\n")
    workflow = (Path(__file__).parents[2] / f"workflow/rules/{benchmark.partition('/')[0]}.smk").read_text()
    told = {name: name for name in re.findall(r"rule (\w+):", workflow)}
    assert rule in told
    name = "-".join(benchmark.split("/")[:2])
    assert {one["@id"]: one for one in crate(results, told)["@graph"]}[f"#{name}"]["description"] == rule


def test_the_commit_is_that_of_the_packages_own_checkout(root, tmp_path):
    assert commit(tmp_path) == ""
    found = commit(root / "src/foldgraft")
    assert found == "" or len(found.partition("-")[0]) == 40
