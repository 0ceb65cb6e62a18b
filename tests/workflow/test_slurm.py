"""The README's command on a real Slurm of two virtual nodes, without accounting; and jobs that Slurm kills.

Needs root and Debian's Slurm, which changes /etc/slurm while it runs; FOLDGRAFT_SLURM names the folder of the plugin
for Slurm, as .ci/run makes it. The plugin is not in the environment of the tests, where each Snakemake would load it.
"""

import os
import re
import subprocess
import sys
import time

import pytest
import yaml
from running import ROOT, copy_checkout
from slurm import Slurm

PLUGIN = os.environ.get("FOLDGRAFT_SLURM", "")
pytestmark = pytest.mark.skipif(not PLUGIN, reason="FOLDGRAFT_SLURM names no folder of Snakemake's plugin for Slurm")

DEMO = {
    "run": "tiny",
    "synth": {"families": 6, "structures_per_family": 2, "homologs_per_family": 30, "labels": 120, "constructs": 2},
    "trunk": {"pretrain": {"layers": 1, "width": 32, "heads": 2, "steps": 10}},
    "experiments": {"solubility": {"task": "solubility"}},
    "evaluate": {"resamples": 100},
    "predict": {"sequences": {"new": "results/tiny/synth/constructs.fasta"}},
}
KILLED = """
rule all:
    input: "slow.txt", "never.txt", "cancelled.txt", expand("small/{n}.txt", n=range(3))

rule slow:
    output: "slow.txt"
    log: "slow.log"
    resources: mem_mb=1000, runtime=lambda wildcards, attempt: attempt
    shell: "[ {resources.runtime} -gt 1 ] || sleep 300; echo {resources.runtime} >{output}"

rule never:
    output: "never.txt"
    log: "never.log"
    resources: mem_mb=lambda wildcards, attempt: 300 * attempt
    shell: "echo what it said >{log}; python -c 'import time; b = bytearray(2_000_000_000); time.sleep(60)'"

rule cancelled:
    output: "cancelled.txt"
    log: "cancelled.log"
    resources: mem_mb=600, tries=lambda wildcards, attempt: attempt
    shell: "[ {resources.tries} -gt 1 ] || {{ scancel $SLURM_JOB_ID; sleep 60; }}; echo {resources.tries} >{output}"

rule small:
    output: "small/{n}.txt"
    resources: mem_mb=600
    shell: "echo $SLURM_ARRAY_JOB_ID $SLURM_ARRAY_TASK_ID >{output}"
"""
HELD = f"""
include: "{ROOT}/workflow/rules/common.smk"

rule all:
    input: "held.txt"
    default_target: True

rule held:
    output: "held.txt"
    resources: mem_mb=600
    shell: "touch begun; sleep 30; echo $SLURM_JOB_ID >{{output}}"
"""
"""The rules that all runs begin with, and a job that outlives an absence of the controller."""
POLLING = ("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2")
GPU = {"trunk_pretrain", "embed_shard", "train_experiment", "predict_sequences"}


def start(folder, *words):
    """Start the README's command in a folder; what it says goes to a file."""
    profile = str(ROOT / "workflow/profiles/slurm")
    command = [sys.executable, "-m", "snakemake", "--profile", profile, *words, *POLLING]
    with (folder / "said.txt").open("w") as said:
        environment = {**os.environ, "PYTHONPATH": PLUGIN}
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    cluster = Slurm(tmp_path_factory.mktemp("slurm"))
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def runs(slurm, tmp_path_factory):
    """The demo and the jobs that are killed, at the same time, ended: return code and what was said, of each."""
    checkout, killed = copy_checkout(tmp_path_factory.mktemp("demo") / "checkout"), tmp_path_factory.mktemp("killed")
    (checkout / "tiny.yaml").write_text(yaml.safe_dump(DEMO))
    (killed / "Snakefile").write_text(KILLED)
    started = {
        checkout: start(checkout, "--configfile", "tiny.yaml"),
        killed: start(killed, "--slurm-array-jobs", "small"),
    }
    try:
        return [(folder, run.wait(timeout=1800), (folder / "said.txt").read_text()) for folder, run in started.items()]
    finally:
        for run in started.values():
            run.terminate()


def test_the_demo_runs_to_its_end_and_gpu_jobs_where_the_gpu_is(slurm, runs):
    (folder, code, said), _ = runs
    assert code == 0, said[-4000:]
    assert (folder / "results/tiny/report/index.html").is_file()
    names = {number: name for name, number in re.findall(r"slurm_logs/(?:rule|group)_(\w+)/.*?(\d+)\.log", said)}
    ran = {job["JobId"]: job for job in slurm.jobs() if job["JobId"] in names}
    assert len(ran) > 20 and {job["JobState"] for job in ran.values()} == {"COMPLETED"}
    nodes = {name: ran[number]["NodeList"] for number, name in names.items() if number in ran}
    assert {name for name, node in nodes.items() if node == "gpu01"} == GPU
    print("\n".join(said.splitlines()[-12:]))


def test_a_killed_job_is_given_more_and_else_shown_with_its_log(slurm, runs):
    _, (folder, code, said) = runs
    assert code == 1
    assert (folder / "slow.txt").read_text() == "2\n"
    assert re.search(r"SLURM-job '\d+' failed, SLURM status is: 'TIMEOUT'", said)
    asked = {job["MinMemoryNode"] for job in slurm.jobs() if "rule_never" in job.get("StdOut", "")}
    assert asked == {"300M", "600M", "900M"}
    assert not (folder / "never.txt").exists()
    told = re.split(r"Error in rule never:\n +message: SLURM", said)[1:]
    assert len(told) == 3 and all("what it said" in one and "exceeded memory limit" in one for one in told)


def test_a_cancelled_job_is_tried_again_and_small_jobs_go_as_an_array(slurm, runs):
    _, (folder, _, _) = runs
    assert (folder / "cancelled.txt").read_text() == "2\n"
    assert "CANCELLED" in {job["JobState"] for job in slurm.jobs() if "rule_cancelled" in job.get("StdOut", "")}
    told = [(folder / f"small/{n}.txt").read_text().split() for n in range(3)]
    assert len({array for array, _ in told}) == 1 and {task for _, task in told} == {"1", "2", "3"}


def test_a_controller_that_goes_away_for_a_while_costs_no_job(slurm, tmp_path):
    (tmp_path / "Snakefile").write_text(HELD)
    run = start(tmp_path)
    try:
        wait(run, lambda: (tmp_path / "begun").exists())
        with slurm.away():
            wait(run, lambda: "Slurm does not answer: 1 jobs" in (tmp_path / "said.txt").read_text())
            assert not run.poll()
        assert run.wait(timeout=240) == 0, (tmp_path / "said.txt").read_text()[-3000:]
    finally:
        run.terminate()
    job = (tmp_path / "held.txt").read_text().strip()
    said = (tmp_path / "said.txt").read_text()
    assert re.findall(r"submitted with SLURM jobid (\d+)", said) == [job] and "Slurm answers again" in said


def wait(run, seen):
    """Wait until something is seen of a run that has not ended, at most two minutes."""
    for _ in range(240):
        if seen() or run.poll() is not None:
            break
        time.sleep(0.5)
    assert seen() and run.poll() is None
