"""No rerun is forgotten: after an edit each rule's job is killed once, and the run ends as an undisturbed one does.

Snakemake, the rules and the kills are real; the stages' commands are those of `stand_in`. `make test` does it once;
FOLDGRAFT_KILLS=all after an edit of each stage's code and of a key of each, by the default target and stage by stage,
with one shard and with several, and for every source of inputs and of the trunk.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from running import ROOT, planned, snakemake, stood_in

OFFLINE = {
    "run": "kill",
    "synth": {"families": 2, "structures_per_family": 2, "labels": 20, "constructs": 2},
    "trunk": {"pretrain": {"steps": 4}},
    "experiments": {
        "solubility": {"task": "solubility"},
        "contacts": {"task": "contact", "head": "residual", "features": ["attention", "embedding"]},
    },
    "predict": {"sequences": {"new": "results/kill/synth/constructs.fasta"}, "experiments": ["solubility", "contacts"]},
}
SEVERAL = OFFLINE | {
    "fetch": {"shard_size": 4, "label_shard_size": 10},
    "msa": {"alignments": {"files": ["some.a3m"]}},
    "predict": OFFLINE["predict"] | {"alignments": {"family": "some.a3m"}},
    "report": {
        "cards": {
            "solubility": {
                "summary": "a head",
                "data": "made up",
                "licence": "none",
                "command": "make",
                "limits": ["all"],
            }
        }
    },
}
REMOTE = {
    "run": "kill",
    "structures": {"rcsb": {"ids": ["1abc"], "query": {"max_entries": 1}}, "sifts": "download"},
    "solubility": {"table": "labels.csv"},
    "sequences": {"files": ["some.fasta"]},
    "trunk": {"model": "esm2_t6_8M_UR50D"},
    "experiments": {"solubility": {"task": "solubility"}},
}
CONVERTED = REMOTE | {
    "trunk": {"checkpoint": "own.pt"},
    "msa": {"database": "colabfold"},
    "fetch": {"contact": "me@example.org"},
}
KEYS = {
    "synth": {"seed": 7},
    "fetch": {"max_file_mb": 77, "refreshed_after": "2026-01-01"},
    "curate": {"min_length": 33},
    "cluster": {"seed": 7},
    "msa": {"coevolution": {"max_length": 999}},
    "targets": {"orientations": True},
    "trunk": {},
    "embed": {"batch_tokens": 999},
    "experiments": {"solubility": {"task": "solubility", "head": "mlp"}},
    "evaluate": {"resamples": 111},
    "report": {"examples": 2},
    "predict": {"min_length": 12},
    "solubility": {"seed": 3},
}
"""Other values for a key of each section; for `trunk`, see `TRUNKS`."""
TRUNKS = {"pretrain": {"steps": 5}, "model": "esm2_t12_35M_UR50D", "checkpoint": "other.pt"}
STAGES = ("fetch", "curate", "cluster", "msa", "targets", "trunk", "embed", "train", "evaluate", "report", "predict")
WORDS = ("--cores", "4", "--rerun-incomplete", "--configfile", "config.yaml")
WHOLE = pytest.mark.skipif(os.environ.get("FOLDGRAFT_KILLS") != "all", reason="FOLDGRAFT_KILLS=all kills every rule")


def rules() -> list[str]:
    """All rules and checkpoints that run a command."""
    text = "".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
    parts = re.split(r"^\s*(?:rule|checkpoint) (\w+):$", text, flags=re.M)
    return [name for name, body in zip(parts[1::2], parts[2::2], strict=True) if "shell:" in body]


class Folder:
    """A checkout whose commands are stood in for, with a run's results."""

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def made(cls, folder: Path, values: dict) -> "Folder":
        made = cls(stood_in(folder))
        (folder / "labels.csv").write_text("id,sequence,label\na,MKV,1\nb,MKL,0\nc,MKI,1\nd,MKW,0\ne,MKA,1\n")
        (folder / "some.fasta").write_text(">a\nMKV\n")
        (folder / "some.a3m").write_text(">a\nMKVMKVMKVMKVMKV\n>b\nMKVMKVMKVMKLMKV\n")
        for name in ("own.pt", "other.pt"):
            (folder / name).write_bytes(b"\x80" + name.encode())
        made.configure(values)
        return made

    def copied(self, folder: Path) -> "Folder":
        shutil.copytree(self.folder, folder)  # with the times of its files
        return Folder(folder)

    def configure(self, values: dict) -> None:
        (self.folder / "config.yaml").write_text(yaml.safe_dump(values))

    def edit(self, kind: str) -> None:
        """Change the code of every stage, or a key of every stage."""
        if kind == "code":
            for module in (self.folder / "src/foldgraft").glob("*/command.py"):
                module.write_text(module.read_text() + "# edited\n")
            return
        values = yaml.safe_load((self.folder / "config.yaml").read_text())
        for section, changed in KEYS.items():
            if section in values or section not in ("synth", "solubility", "predict"):
                values[section] = values.get(section, {}) | changed
        values["trunk"] = {key: TRUNKS[key] for key in values["trunk"]}
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

    def rules(self) -> set[str]:
        """The rules that have run here."""
        counts = planned(self.run("default", "--dry-run", "--forceall").stdout)
        return set(counts) - {"default", "total"}

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

    def get(values: dict, edit: str) -> dict[str, bytes]:
        name = (yaml.safe_dump(values), edit)
        if name not in made:
            folder = Folder.made(tmp_path_factory.mktemp("fresh") / "checkout", values)
            folder.edit(edit)
            done = folder.run("default")
            assert done.returncode == 0, done.stderr[-3000:]
            made[name] = folder.files()
            shutil.rmtree(folder.folder)
        return made[name]

    return get


def killed_in_turn(run: Folder, targets: Iterable[str], shards: str) -> set[str]:
    """Run targets again and again, while each rule's job dies once; returns the rules that died."""
    dead = run.folder / "dead"
    for target in targets:
        while True:
            before = len(list(dead.glob("*")))
            done = run.run(target, "--keep-going", FG_VICTIM="all", FG_SHARD=shards)
            if done.returncode == 0:
                break
            assert len(list(dead.glob("*"))) > before, done.stderr[-3000:]
    return {path.name for path in dead.glob("*")}


CASES = [
    pytest.param(
        values,
        edit,
        targets,
        "-00001" if values is SEVERAL else "",
        marks=() if (name, edit, len(targets)) == ("one", "key", 1) else WHOLE,
        id=f"{name}-{edit}-{'default' if len(targets) == 1 else 'stages'}",
    )
    for name, values in {"one": OFFLINE, "several": SEVERAL, "remote": REMOTE, "converted": CONVERTED}.items()
    for edit in ("code", "key")
    for targets in (["default"], [*STAGES, "default"])
]


@pytest.mark.parametrize(("values", "edit", "targets", "shards"), CASES)
def test_a_killed_rerun_is_made_up_for(values, edit, targets, shards, finished, undisturbed, tmp_path):
    run = finished(values).copied(tmp_path / "checkout")
    run.edit(edit)
    assert killed_in_turn(run, targets, shards) == run.rules()
    run.holds(undisturbed(values, edit))
    assert "Nothing to be done" in run.plan()


@WHOLE
@pytest.mark.parametrize("signal", ["SIGKILL", "SIGINT", "SIGTERM"])
def test_a_run_that_is_stopped_is_made_up_for(signal, finished, undisturbed, tmp_path):
    """Snakemake and its job are stopped after an edit."""
    run = finished(OFFLINE).copied(tmp_path / "checkout")
    run.edit("code")
    assert run.run("default", FG_VICTIM="msa_search", FG_SIGNAL=signal).returncode != 0
    if signal == "SIGKILL":
        assert "locked" in run.run("default").stderr
        assert run.run("default", "--unlock").returncode == 0
    again = run.run("default")
    assert again.returncode == 0, again.stderr[-3000:]
    run.holds(undisturbed(OFFLINE, "code"))


@WHOLE
def test_a_clock_that_was_set_back_forgets_nothing(finished, undisturbed, tmp_path):
    """All files of the first run are of the future; a rerun ends half done, and is made up for."""
    run = finished(OFFLINE).copied(tmp_path / "checkout")
    for path in (run.folder / "results").rglob("*"):
        later = path.stat().st_mtime + 3600
        os.utime(path, (later, later))
    run.edit("key")
    assert run.run("default", FG_VICTIM="targets_shard").returncode != 0
    again = run.run("default")
    assert again.returncode == 0, again.stderr[-3000:]
    run.holds(undisturbed(OFFLINE, "key"))


@WHOLE
def test_a_second_snakemake_in_one_folder_is_refused(finished, tmp_path):
    run = finished(OFFLINE).copied(tmp_path / "checkout")
    run.edit("code")
    first = run.start("default", FG_VICTIM="report_render", FG_SIGNAL="HOLD")
    while not (run.folder / "dead").exists():
        assert first.poll() is None
        time.sleep(0.1)
    second = run.run("default")
    assert second.returncode != 0 and "locked" in second.stderr
    shutil.rmtree(run.folder / "dead")
    assert first.wait() == 0


def test_touched_inputs_and_code_rerun_nothing(finished, tmp_path):
    run = finished(REMOTE).copied(tmp_path / "checkout")
    inputs = [run.folder / "labels.csv", run.folder / "some.fasta", *(run.folder / "src").rglob("*.py")]
    for path in inputs:
        path.touch()
    assert "Nothing to be done" in run.plan()


def test_a_protein_at_the_end_of_a_list_costs_its_shard_and_what_is_about_all(finished, tmp_path):
    def listed(*ids: str) -> dict:
        return REMOTE | {"fetch": {"shard_size": 1}, "structures": {"rcsb": {"ids": list(ids)}, "sifts": "download"}}

    run = finished(listed("1abc")).copied(tmp_path / "checkout")
    run.configure(listed("1abc", "2abc"))
    counts = planned(run.plan())
    per_shard = {"fetch_structures", "curate_shard", "targets_shard", "msa_search"}
    about_all = {"curate_summary", "cluster_group", "train_experiment", "report_render"}
    assert {counts[rule] for rule in per_shard | about_all} == {1}
    assert not {"fetch_labels", "fetch_sequences", "fetch_sifts", "msa_database", "trunk_download"} & set(counts)


@WHOLE
def test_every_rule_is_killed_somewhere(finished):
    reached = set().union(*(finished(values).rules() for values in (SEVERAL, REMOTE, CONVERTED)))
    assert reached == set(rules())
    assert {*STAGES, "synth"} == {rule.split("_")[0] for rule in rules()}
