"""`foldgraft run` and `foldgraft demo` from a wheel, in a folder that holds nothing else."""

import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
import yaml
from running import ROOT, SMALL, planned, snakemake

from foldgraft.errors import FoldgraftError
from foldgraft.launch import arguments
from foldgraft.plan import importable
from snakemake_logger_plugin_foldgraft import where

CHAINS = "curate/chains/files-00000.parquet"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """What `pip install` of the wheel brings, without its dependencies."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    lines = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(), re.M)  # so the image has enough, too
    for path in (ROOT / name for line in lines for name in line.split()):
        if path.is_dir():
            shutil.copytree(path, source / path.name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(path, source)
    words = ["--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *words, str(source)], check=True)
    with zipfile.ZipFile(next(target.glob("*.whl"))) as wheel:
        wheel.extractall(target)
    return target


def foldgraft(installed, folder, *words):
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "foldgraft", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)


def said(done):
    """What a command said that went well."""
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(installed, tmp_path_factory):
    """A folder in which a small configuration has been run up to the targets."""
    folder = tmp_path_factory.mktemp("fresh")
    few = SMALL | {"synth": {"families": 2, "structures_per_family": 1, "labels": 20, "constructs": 2}}
    (folder / "mine.yaml").write_text(yaml.safe_dump(few))
    done = foldgraft(installed, folder, "run", "targets", "--config", "mine.yaml", "--cores", "2")
    (folder / "console.txt").write_text(said(done))
    return folder


def test_a_wheel_runs_a_configuration_and_says_a_line_a_job(installed, folder):
    assert (folder / "results/small/targets/files-00000.parquet").is_file()
    log = next((folder / ".snakemake/log").iterdir()).read_text()
    assert f"{installed}/foldgraft/shipped/workflow/Snakefile" in log
    lines = (folder / "console.txt").read_text().splitlines()
    jobs = [line for line in lines if " done; " in line]
    assert len(jobs) == log.count("Finished jobid:") and len(lines) == len(jobs) + 1
    assert lines[-1].endswith(f"all {len(jobs)} jobs done") and max(map(len, lines)) < 200
    assert any(line.endswith("done; curate_shard files-00000") for line in jobs)


def test_the_demo_of_a_wheel_is_planned_in_an_empty_folder(installed, tmp_path):
    counts = planned(said(foldgraft(installed, tmp_path, "demo", "-n")))
    assert counts["report_render"] == counts["predict_sequences"] == 1


def test_why_a_job_failed_comes_last_and_its_log_keeps_what_it_said_before(installed, folder):
    chains, log = (folder / "results/small" / name for name in (CHAINS, "logs/targets/shard/files-00000.log"))
    whole, before = chains.read_bytes(), log.read_text()
    again = ("targets", "--cores", "2", "--forcerun", "targets_shard")
    chains.write_bytes(b"no table")
    done = foldgraft(installed, folder, "run", "--config", "mine.yaml", *again)
    workflow = installed / "foldgraft/shipped/workflow/Snakefile"
    words = ("--quiet", "rules", "--configfile", "mine.yaml")
    quiet = snakemake(folder, *again, *words, snakefile=workflow, PYTHONPATH=str(installed))
    chains.write_bytes(whole)
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and lines[-1].startswith("    error: ") and CHAINS in lines[-1]
    assert any(f"failed: targets_shard files-00000, see {log.relative_to(folder)}" in line for line in lines)
    assert max(map(len, lines)) < 200
    assert quiet.returncode == 1 and lines[-1] in quiet.stderr.splitlines()
    text = log.read_text()
    assert text.startswith(before.rstrip()) and text.count("error: ") == text.count("\n--- again, ") == 2


def test_words_of_the_user_come_first_and_keys_are_told_from_files(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("run: mine\n")
    told = arguments(["targets", "-n"], [str(file), "run=again"], "3", None)
    assert told[:2] == ["targets", "-n"] and told[-3:] == ["--rerun-incomplete", "--cores", "3"]
    assert told[told.index("--configfile") + 1 : told.index("--logger")] == [str(file), "--config", "run=again"]
    assert arguments([], [str(file)], None, None)[-1] == "all"
    on_slurm = arguments([], [str(file)], None, "slurm")
    assert on_slurm[-1].endswith("workflow/profiles/slurm") and "--cores" not in on_slurm
    assert arguments([], [str(file)], "4", "workstation")[-2:] == ["--cores", "4"]
    assert arguments([], [str(file), f"title={'x' * 5000}"], None, None)


@pytest.mark.parametrize("word", ["-c4", "-j4", "--jobs=4", "--cores", "--executor=slurm", "-e"])
def test_how_many_jobs_run_is_asked_once(word, tmp_path):
    (tmp_path / "a.yaml").write_text("run: mine\n")
    assert "--cores" not in arguments([word], [str(tmp_path / "a.yaml")], None, None)[1:]
    assert "foldgraft" not in arguments(["--logger=rich"], [str(tmp_path / "a.yaml")], None, None)
    with pytest.raises(FoldgraftError, match="with --config"):
        arguments(["--configfile=b.yaml"], [str(tmp_path / "a.yaml")], None, None)


@pytest.mark.parametrize(
    ("config", "profile", "words"),
    [(["no.yaml"], None, "there is no file no.yaml"), (["a=b"], None, "name a file"), ([], "sulrm", "or workstation")],
)
def test_what_is_not_there_is_told(tmp_path, config, profile, words):
    file = tmp_path / "a.yaml"
    file.write_text("run: mine\n")
    with pytest.raises(FoldgraftError, match=words):
        arguments([], config or [str(file)], None, profile)


def test_jobs_in_environments_of_their_own_import_the_package_and_nothing_beside_it(tmp_path):
    package = tmp_path / "lib/site-packages/foldgraft"
    package.mkdir(parents=True)
    assert importable(package, tmp_path / "own", alone=False) == package.parent
    for _ in range(2):
        folder = importable(package, tmp_path / "own", alone=True)
        assert [one.resolve() for one in folder.iterdir()] == [package]
    later = tmp_path / "later/site-packages/foldgraft"
    later.mkdir(parents=True)
    assert [one.resolve() for one in importable(later, tmp_path / "own", alone=True).iterdir()] == [later]
    assert importable(tmp_path / "src/foldgraft", tmp_path / "own", alone=True) == tmp_path / "src"


def test_a_job_that_a_cluster_killed_is_told_with_its_number_and_how_it_ended():
    message = "SLURM-job '7' failed, SLURM status is: 'TIMEOUT'. Detailed failure reason unavailable."
    about = {"rule_msg": message, "aux": {"external_jobid": "7"}, "log": ["results/a.log", "7.log"]}
    assert where(about) == " (job 7 of the cluster: TIMEOUT), see results/a.log"
    assert where({"rule_msg": None, "aux": {}, "log": []}) == ""
