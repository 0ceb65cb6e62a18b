"""The workflow as a user runs it: plans, a real small run, reruns."""

import json
import re

import pandas as pd
import pytest
import yaml
from running import ROOT, SMALL, planned, snakemake

QUIET = ("--cores", "2", "--quiet", "rules")


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_both_entry_points_plan_the_embedded_default(tmp_path, snakefile):
    done = snakemake(tmp_path, "--dry-run", snakefile=ROOT / snakefile)
    assert done.returncode == 0, done.stderr
    counts = planned(done.stdout + done.stderr)
    assert counts["report_render"] == 1 and counts["predict_sequences"] >= 1
    assert not (tmp_path / "results").exists()


def test_a_real_run_leaves_every_table(small_run):
    results = small_run / "results/small"
    for name in (
        "fetch/lock.parquet",
        "curate/rejects.csv",
        "cluster/split.parquet",
        "cluster/leakage.parquet",
        "trunk/trunk.json",
        "train/solubility/head.safetensors",
        "train/contacts/checks.json",
        "evaluate/metrics.csv",
        "report/index.html",
        "predict/constructs.csv",
        "provenance.json",
        "ro-crate-metadata.json",
    ):
        assert (results / name).stat().st_size > 0, name


def test_metrics_name_the_baselines_beside_the_experiments(small_run):
    metrics = pd.read_csv(small_run / "results/small/evaluate/metrics.csv")
    assert list(metrics.columns) == ["task", "experiment", "split", "metric", "value", "ci_low", "ci_high", "n"]
    solubility = set(metrics[metrics.task == "solubility"].experiment)
    contact = set(metrics[metrics.task == "contact"].experiment)
    assert {"solubility", "baseline_composition"} <= solubility
    assert {"contacts", "baseline_coevolution", "baseline_separation"} <= contact
    known = metrics.dropna(subset=["value", "ci_low", "ci_high"])
    assert len(known) > 20
    known = known[known.metric != "ece"]  # resamples are less calibrated than the whole: their error lies above its own
    assert (known.ci_low <= known.value + 1e-9).all() and (known.value <= known.ci_high + 1e-9).all()


def test_a_head_is_tried_on_a_table_that_it_did_not_learn_from(small_run):
    results = small_run / "results/small"
    metrics = pd.read_csv(results / "evaluate/metrics.csv").query("task == 'trial'")
    assert set(metrics["experiment"]) == {"transfer_solubility"} and set(metrics["split"]) == {"test"}
    assert metrics.query("metric == 'roc_auc'")["n"].tolist() == [24]
    notes = pd.read_csv(results / "evaluate/notes.csv").query("task == 'trial'")["note"]
    assert "test: 0 of 24 proteins have a relative that this head learnt from" in set(notes)
    assert "head of solubility" in (results / "report/index.html").read_text()


def test_a_new_sequence_has_its_nearest_training_protein(small_run):
    """Constructs are of the families that the labels are of."""
    found = pd.read_csv(small_run / "results/small/predict/constructs.csv")
    labels = pd.read_csv(small_run / "results/small/synth/labels.csv")
    assert found["nearest"].notna().all() and set(found["nearest"]) <= set(labels["id"])
    assert found["identity"].between(0.2, 1).all()


def test_a_task_that_was_added_in_two_files_goes_all_the_way_to_the_report(small_run):
    results = small_run / "results/small"
    metrics = pd.read_csv(results / "evaluate/metrics.csv").query("task == 'helix' and split == 'test'")
    assert set(metrics["experiment"]) == {"helices", "baseline_constant", "baseline_onehot"}
    area = metrics.query("metric == 'roc_auc'").set_index("experiment")["value"]
    assert area.notna().all() and area["baseline_constant"] == 0.5
    page = (results / "report/index.html").read_text()
    assert "helices" in page and "helix" in page


def test_coevolution_finds_the_planted_contacts(small_run):
    metrics = pd.read_csv(small_run / "results/small/evaluate/metrics.csv").set_index(["experiment", "metric"])
    found = metrics.loc["baseline_coevolution"].filter(regex="P@L/5", axis=0).value.max()
    by_chance = metrics.loc["baseline_separation"].filter(regex="P@L/5", axis=0).value.max()
    assert found > by_chance


def test_a_model_card_has_the_figures_of_the_run(small_run):
    results = small_run / "results/small"
    metrics = pd.read_csv(results / "evaluate/metrics.csv").query("experiment == 'solubility' and split == 'test'")
    area = metrics.set_index("metric")["value"]["roc_auc"]
    text = (results / "report/solubility.md").read_text()
    (line,) = re.findall(r"^\| \*\*solubility\*\* .*$", text, re.MULTILINE)
    assert float(line.split("|")[2].split()[0]) == pytest.approx(area, abs=6e-4), line
    assert "Knows nothing of real proteins." in text and "()" not in text


def test_an_entry_without_protein_is_a_reject_and_the_run_goes_on(small_run):
    rejects = pd.read_csv(small_run / "results/small/curate/rejects.csv")
    assert len(rejects) >= 1 and rejects.reason.notna().all()


def test_the_trunk_is_proved_frozen(small_run):
    results = small_run / "results/small"
    weights = json.loads((results / "trunk/trunk.json").read_text())["sha256"]
    for experiment in SMALL["experiments"]:
        checks = json.loads((results / f"train/{experiment}/checks.json").read_text())
        assert checks["trunk"]["file"] == weights
        assert checks["trunk"]["before"] == checks["trunk"]["after"]
        assert checks["trunk"]["frozen"] is True
        assert {row["part"] for row in checks["parameters"] if row["trainable"]} == {"head"}
        assert all(check["passed"] for check in checks["checks"])


def test_nothing_is_left_to_do_after_a_run(small_run, small_config):
    done = snakemake(small_run, "--dry-run", "--configfile", str(small_config))
    assert "Nothing to be done" in done.stdout + done.stderr


def test_one_stage_reruns_and_touches_nothing_else(small_run, small_config):
    results = small_run / "results/small"
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*") if path.is_file()}
    target = ("targets", "--forcerun", "targets_shard", "--configfile", str(small_config))
    done = snakemake(small_run, *target, *QUIET)
    assert done.returncode == 0, done.stderr
    changed = {path.relative_to(results).parts[0] for path, then in before.items() if path.stat().st_mtime_ns != then}
    assert changed <= {"targets", "logs", "benchmarks"} and "targets" in changed
    # The targets came out the same, so that nothing that stands on them is stale.
    after = snakemake(small_run, "--dry-run", "--configfile", str(small_config))
    assert "train_experiment" not in planned(after.stdout + after.stderr)


def test_another_shards_chains_are_refused_with_what_to_do(small_run, small_config):
    folder = small_run / "results/small/curate/chains"
    first, second = (folder / f"files-{number:05d}.parquet" for number in range(2))
    whole = first.read_bytes()
    try:
        first.write_bytes(second.read_bytes())
        target = ("targets", "--forcerun", "targets_shard", "--configfile", str(small_config))
        done = snakemake(small_run, *target, "--cores", "2")  # quietly, Snakemake would keep the job's log to itself
    finally:
        first.write_bytes(whole)
    assert done.returncode != 0
    assert "files-00000.parquet: holds the shard files-00001" in done.stderr
    assert "delete it and run the same command again" in done.stderr
    again = snakemake(small_run, "targets", "--configfile", str(small_config), *QUIET)
    assert again.returncode == 0, again.stderr


def planned_after_edit(run, config, module):
    """What a dry run plans when a source file of the checkout has one more line."""
    source = run / "src/foldgraft" / module
    text = source.read_text()
    source.write_text(text + "\n# edited\n")
    try:
        done = snakemake(run, "--dry-run", "--configfile", str(config))
    finally:
        source.write_text(text)
    return planned(done.stdout + done.stderr)


def test_an_edit_of_the_report_retrains_nothing(small_run, small_config):
    counts = planned_after_edit(small_run, small_config, "report/command.py")
    assert set(counts) == {"report_render", "report_provenance", "report_card", "report_crate", "default", "total"}


def test_an_edit_of_a_ground_floor_module_reruns_the_stages_that_use_it(small_run, small_config):
    counts = planned_after_edit(small_run, small_config, "mmseqs.py")
    assert {"cluster_group", "msa_search"} <= set(counts)
    assert not {"synth_proteome", "fetch_structures", "curate_shard", "targets_shard"} & set(counts)


def test_an_edit_of_contact_code_retrains_contacts_alone(small_run, small_config):
    counts = planned_after_edit(small_run, small_config, "tasks/pairs.py")
    assert counts["train_experiment"] == 1 and "embed_shard" not in counts


def test_a_changed_experiment_retrains_it_alone(small_run, small_config, tmp_path):
    changed = yaml.safe_load(small_config.read_text())
    changed["experiments"]["solubility"]["training"]["epochs"] = 6
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(changed))
    done = snakemake(small_run, "--dry-run", "--configfile", str(path))
    counts = planned(done.stdout + done.stderr)
    assert counts["train_experiment"] == 1
    assert not {"embed_shard", "trunk_pretrain", "curate_shard", "msa_search"} & set(counts)


def test_jobs_grow_with_shards_not_with_proteins(tmp_path):
    """Ten thousand structure files plan as many jobs per stage as there are shards."""
    folder = tmp_path / "structures"
    folder.mkdir()
    for number in range(10_000):
        (folder / f"e{number:05d}.cif").touch()
    config = {"run": "many", "structures": {"files": [str(folder / "*.cif")]}, "fetch": {"shard_size": 256}}
    (tmp_path / "many.yaml").write_text(yaml.safe_dump(config))
    arguments = ("embed", "targets", "--dry-run", "--configfile", "many.yaml")
    done = snakemake(tmp_path, *arguments, snakefile=ROOT / "Snakefile")
    counts = planned(done.stdout + done.stderr)
    assert counts["curate_shard"] == counts["targets_shard"] == counts["embed_shard"] == 40
    assert counts["total"] < 200


def rules_of_the_workflow() -> dict[str, str]:
    """The text of each rule that runs a command."""
    text = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    parts = re.split(r"^ *(?:rule|checkpoint) (\w+):$", text, flags=re.M)
    return {name: body for name, body in zip(parts[1::2], parts[2::2], strict=True) if "shell:" in body}


def test_profiles_name_only_rules_that_exist():
    for path in (ROOT / "workflow/profiles").glob("*/profile.yaml"):
        profile = yaml.safe_load(path.read_text())
        assert set(profile.get("set-resources", {})) | set(profile.get("set-threads", {})) <= set(
            rules_of_the_workflow()
        )


def test_the_rules_that_ask_for_a_gpu_are_those_that_a_cluster_runs_in_the_partition_of_its_gpus():
    profile = yaml.safe_load((ROOT / "workflow/profiles/slurm/profile.yaml").read_text())
    there = {name for name, asked in profile["set-resources"].items() if asked.get("slurm_partition") == "gpu"}
    assert there == {name for name, body in rules_of_the_workflow().items() if re.search(r"^ +gpu=", body, re.M)}


def test_time_and_memory_grow_with_the_attempt():
    for name, body in rules_of_the_workflow().items():
        for resource in ("mem_mb", "runtime"):
            growing = rf"^ +{resource}=lambda wildcards, (?:input, )?attempt: .* \* attempt,$"
            assert re.search(growing, body, re.M), (name, resource)
