"""No rerun is forgotten: each rule is killed after an edit, and the same command ends as an undisturbed run does.

Snakemake, the rules and the kills are real; the stages' commands are those of `stand_in`. `make test` kills a few;
FOLDGRAFT_KILLS=all kills each in turn, after an edit of its stage's code and of a key, by the default target and by the
stage's, with one shard and with several (half an hour).
"""

import copy
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from running import ROOT, copy_checkout, planned, snakemake

OFFLINE = {
    "run": "kill",
    "synth": {"families": 2, "structures_per_family": 2, "labels": 20, "constructs": 2},
    "fetch": {"shard_size": 512, "label_shard_size": 512},
    "trunk": {"pretrain": {"steps": 4}},
    "experiments": {
        "solubility": {"task": "solubility"},
        "contacts": {"task": "contact", "head": "residual", "features": ["attention", "embedding"]},
    },
    "predict": {"sequences": {"new": "results/kill/synth/constructs.fasta"}, "experiments": ["solubility", "contacts"]},
}
REMOTE = {
    "run": "kill",
    "structures": {"rcsb": {"ids": ["1abc"], "query": {"max_entries": 1}}, "sifts": "download"},
    "solubility": {"table": "labels.csv"},
    "sequences": {"files": ["some.fasta"]},
    "trunk": {"model": "esm2_t6_8M_UR50D"},
    "experiments": {"solubility": {"task": "solubility"}},
    "evaluate": {"resamples": 200},
}
CONVERTED = REMOTE | {"trunk": {"checkpoint": "own.pt"}}
SHARDS = {"fetch": {"shard_size": 4, "label_shard_size": 10}}
KEYS = {
    "synth": ("synth", "seed", 7),
    "fetch": ("fetch", "max_file_mb", 77),
    "curate": ("curate", "min_length", 33),
    "cluster": ("cluster", "seed", 7),
    "msa": ("msa", "coevolution", {"pseudocount": 0.25}),
    "targets": ("targets", "orientations", True),
    "trunk": ("trunk", "pretrain", {"steps": 5}),
    "embed": ("embed", "batch_tokens", 999),
    "train": ("experiments", "solubility", {"task": "solubility", "head": "mlp"}),
    "evaluate": ("evaluate", "resamples", 111),
    "report": ("report", "examples", 2),
    "predict": ("predict", "min_length", 12),
}
"""A key of each stage's section, and another value for it."""
SEED = ("synth", "seed", 7)
"""Concerns all of a run: for rules that their stage's key does not reach."""
OTHERS = {
    "fetch_search": ("fetch", "refreshed_after", "2026-01-01"),
    "trunk_download": ("trunk", "model", "esm2_t12_35M_UR50D"),
    "trunk_convert": ("trunk", "checkpoint", "other.pt"),
}
WORDS = ("--cores", "4", "--rerun-incomplete", "--configfile", "config.yaml")
WHOLE = pytest.mark.skipif(os.environ.get("FOLDGRAFT_KILLS") != "all", reason="FOLDGRAFT_KILLS=all kills every rule")
SIGNALS = ("SIGINT", "SIGTERM")
SAMPLE = {
    ("trunk_pretrain", "code", "default", 1),
    ("curate_shard", "key", "curate", 1),
    ("targets_shard", "key", "default", 2),
    ("msa_search", "code", "msa", 2),
}


def rules() -> list[str]:
    """All rules and checkpoints that run a command."""
    text = "".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
    parts = re.split(r"^\s*(?:rule|checkpoint) (\w+):$", text, flags=re.M)
    return [name for name, body in zip(parts[1::2], parts[2::2], strict=True) if "shell:" in body]


def configuration(rule: str, shards: int) -> dict:
    """One whose run has the rule."""
    given = {"fetch_search": REMOTE, "fetch_sifts": REMOTE, "trunk_download": REMOTE, "trunk_convert": CONVERTED}
    values = copy.deepcopy(given.get(rule, OFFLINE))
    return values | (SHARDS if shards > 1 else {})


def cases() -> list:
    found = []
    for rule in rules():
        stage = rule.split("_")[0]
        shards = (1, 2) if "{shard}" in rule_text(rule) else (1,)
        for case in [
            (rule, edit, target, n) for n in shards for edit in ("code", "key") for target in ("default", stage)
        ]:
            marks = () if case in SAMPLE else WHOLE
            found.append(pytest.param(*case, marks=marks, id="-".join(map(str, case))))
    return found


def rule_text(rule: str) -> str:
    text = (ROOT / f"workflow/rules/{rule.split('_')[0]}.smk").read_text()
    return re.split(rf"^\s*(?:rule|checkpoint) {rule}:$", text, flags=re.M)[1].partition("shell:")[0]


class Folder:
    """A checkout whose commands are stood in for, with a run's results."""

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def made(cls, folder: Path, values: dict) -> "Folder":
        made = cls(copy_checkout(folder))
        shutil.copy(Path(__file__).with_name("stand_in.py"), folder / "src/foldgraft/__main__.py")
        (folder / "labels.csv").write_text("id,sequence,label\na,MKV,1\nb,MKL,0\n")
        (folder / "some.fasta").write_text(">a\nMKV\n")
        for name in ("own.pt", "other.pt"):
            (folder / name).write_text(f"weights of {name}\n")
        made.configure(values)
        return made

    def copied(self, folder: Path) -> "Folder":
        shutil.copytree(self.folder, folder)  # with the times of its files
        return Folder(folder)

    def configure(self, values: dict) -> None:
        (self.folder / "config.yaml").write_text(yaml.safe_dump(values))

    def edit(self, rule: str, kind: str) -> None:
        stage = rule.split("_")[0]
        if kind == "code":
            with (self.folder / f"src/foldgraft/{stage}/command.py").open("a") as module:
                module.write("# edited\n")
            return
        values = yaml.safe_load((self.folder / "config.yaml").read_text())
        section, key, value = SEED if kind == "seed" else OTHERS.get(rule) or KEYS[stage]
        values.setdefault(section, {})[key] = value
        self.configure(values)

    def run(self, target: str, *words: str, **victim: str) -> subprocess.CompletedProcess:
        return snakemake(self.folder, target, *words, *WORDS, **victim)

    def start(self, target: str, **victim: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "snakemake", target, *WORDS]
        return subprocess.Popen(command, cwd=self.folder, env=os.environ | victim, stderr=subprocess.DEVNULL)

    def plan(self) -> str:
        done = self.run("default", "--dry-run")
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def holds(self, expected: dict[str, bytes]) -> None:
        """Stop unless all these files are here, byte for byte."""
        found = self.files()
        assert {name: found.get(name) == data for name, data in expected.items()} == dict.fromkeys(expected, True)

    def files(self) -> dict[str, bytes]:
        results = self.folder / "results/kill"
        kept = [path for path in sorted(results.rglob("*")) if path.is_file()]
        shown = {str(path.relative_to(results)): path.read_bytes() for path in kept}
        return {name: data for name, data in shown.items() if name.split("/")[0] not in ("logs", "benchmarks")}


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Runs that ended well, one for each configuration."""
    made: dict[str, Folder] = {}

    def get(values: dict) -> Folder:
        name = yaml.safe_dump(values)
        if name not in made:
            made[name] = Folder.made(tmp_path_factory.mktemp("finished") / "checkout", values)
            done = made[name].run("default")
            assert done.returncode == 0, done.stderr[-3000:]
        return made[name]

    return get


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The files of a target that was made from nothing after an edit."""
    made: dict[tuple, dict[str, bytes]] = {}

    def get(values: dict, rule: str, edits: list[str], target: str) -> dict[str, bytes]:
        name = (yaml.safe_dump(values), rule if rule in OTHERS else rule.split("_")[0], *edits, target)
        if name not in made:
            folder = Folder.made(tmp_path_factory.mktemp("fresh") / "checkout", values)
            for edit in edits:
                folder.edit(rule, edit)
            done = folder.run(target)
            assert done.returncode == 0, done.stderr[-3000:]
            made[name] = folder.files()
            shutil.rmtree(folder.folder)
        return made[name]

    return get


@pytest.mark.parametrize(("rule", "edit", "target", "shards"), cases())
def test_a_killed_rerun_is_made_up_for(rule, edit, target, shards, finished, undisturbed, tmp_path):
    values = configuration(rule, shards)
    run = finished(values).copied(tmp_path / "checkout")
    edits, victim = [edit], {"FG_VICTIM": rule, "FG_SHARD": "-00001" if shards > 1 else ""}
    run.edit(rule, edit)
    killed = run.run(target, **victim)
    if edit == "key" and killed.returncode == 0:  # the key does not concern this rule
        edits.append("seed")
        run.edit(rule, "seed")
        killed = run.run(target, **victim)
    assert killed.returncode != 0 and (run.folder / "killed").read_text() == rule, killed.stderr[-3000:]
    again = run.run(target)
    assert again.returncode == 0, again.stderr[-3000:]
    run.holds(undisturbed(values, rule, edits, target))
    left = run.run(target, "--dry-run")
    assert "Nothing to be done" in left.stdout + left.stderr


@pytest.mark.parametrize("signal", [pytest.param("SIGKILL"), *(pytest.param(name, marks=WHOLE) for name in SIGNALS)])
def test_a_run_that_is_stopped_is_made_up_for(signal, finished, undisturbed, tmp_path):
    """Snakemake and its job are stopped after an edit."""
    run = finished(OFFLINE).copied(tmp_path / "checkout")
    run.edit("msa_search", "code")
    assert run.run("default", FG_VICTIM="msa_search", FG_SIGNAL=signal).returncode != 0
    if signal == "SIGKILL":
        assert "locked" in run.run("default").stderr
        assert run.run("default", "--unlock").returncode == 0
    again = run.run("default")
    assert again.returncode == 0, again.stderr[-3000:]
    run.holds(undisturbed(OFFLINE, "msa_search", ["code"], "default"))


def test_a_clock_that_was_set_back_forgets_nothing(finished, undisturbed, tmp_path):
    """All files of the first run are of the future; a rerun ends half done, and is made up for."""
    run = finished(OFFLINE).copied(tmp_path / "checkout")
    for path in (run.folder / "results").rglob("*"):
        later = path.stat().st_mtime + 3600
        os.utime(path, (later, later))
    run.edit("curate_shard", "key")
    assert run.run("default", FG_VICTIM="targets_shard").returncode != 0
    again = run.run("default")
    assert again.returncode == 0, again.stderr[-3000:]
    run.holds(undisturbed(OFFLINE, "curate_shard", ["key"], "default"))


def test_a_second_snakemake_in_one_folder_is_refused(finished, tmp_path):
    run = finished(OFFLINE).copied(tmp_path / "checkout")
    run.edit("report_render", "code")
    first = run.start("default", FG_VICTIM="report_render", FG_SIGNAL="HOLD")
    while not (run.folder / "killed").exists():
        assert first.poll() is None
        time.sleep(0.1)
    second = run.run("default")
    assert second.returncode != 0 and "locked" in second.stderr
    (run.folder / "killed").unlink()
    assert first.wait() == 0


def test_touched_inputs_and_code_rerun_nothing(finished, tmp_path):
    run = finished(REMOTE).copied(tmp_path / "checkout")
    inputs = [run.folder / "labels.csv", run.folder / "some.fasta", *(run.folder / "src").rglob("*.py")]
    for path in inputs:
        path.touch()
    assert "Nothing to be done" in run.plan()


def test_a_protein_at_the_end_of_a_list_costs_its_shard_and_what_is_about_all(finished, tmp_path):
    run = finished(REMOTE | {"fetch": {"shard_size": 1}}).copied(tmp_path / "checkout")
    longer = REMOTE["structures"] | {"rcsb": REMOTE["structures"]["rcsb"] | {"ids": ["1abc", "2abc"]}}
    run.configure(REMOTE | {"fetch": {"shard_size": 1}, "structures": longer})
    counts = planned(run.plan())
    for rule in (
        "fetch_structures",
        "curate_shard",
        "targets_shard",
        "msa_search",
        "cluster_group",
        "train_experiment",
    ):
        assert counts[rule] == 1, rule
    assert not {"fetch_labels", "fetch_sequences", "fetch_sifts", "msa_database", "trunk_download"} & set(counts)


def test_every_stage_has_a_key_to_edit():
    assert set(KEYS) == {rule.split("_")[0] for rule in rules()}
