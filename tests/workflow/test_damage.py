"""Damaged files: each command refuses each kind of file that it reads, by name, or does not depend on its bytes.

The commands are those that Snakemake would run, called in this process. `make test` tries some that are quick;
FOLDGRAFT_FAULTS=all all of them.
"""

import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from running import content, snakemake
from typer.testing import CliRunner

from foldgraft.cli import app
from foldgraft.errors import FoldgraftError
from foldgraft.records import origin

QUICK = {"curate_summary", "evaluate_collect", "report_provenance"}
ALL = os.environ.get("FOLDGRAFT_FAULTS") == "all"


class Job(NamedTuple):
    rule: str
    words: list[str]
    stdin: Path
    inputs: list[str]
    outputs: list[str]


def jobs(run: Path, config: Path) -> Iterator[Job]:
    """A job of each rule of a finished run, with the command that Snakemake would run."""
    done = snakemake(run, "--dry-run", "--forceall", "--printshellcmds", "--configfile", str(config))
    assert done.returncode == 0, done.stderr
    seen = set()
    for number, text in enumerate(re.split(r"^\[\w{3} \w{3} .*\]$", done.stdout + done.stderr, flags=re.M)):
        found = re.search(r"^(?:local)?(?:rule|checkpoint) (\w+):$", text, re.M)
        command = re.search(r"^Shell command: \n((?: {8}.*\n)+)", text, re.M)
        if not found or found[1] in seen or not command:
            continue
        seen.add(found[1])
        words = shlex.split(command[1])
        stdin = Path(f"stdin-{number}")
        stdin.write_text("".join(word[3:] for word in words if word.startswith("<<<")))
        kept = [word.replace("/dev/stdin", str(stdin)) for word in words[3:] if not word.startswith(("<<<", "2>"))]
        paths = {key: re.search(rf"^    {key}: (.*)$", text, re.M) for key in ("input", "output")}
        inputs, outputs = ([*row[1].split(", ")] if row else [] for row in paths.values())
        yield Job(found[1], kept, stdin, [path for path in inputs if path.startswith("results/")], outputs)


def files(paths: list[str]) -> list[Path]:
    """Files, and those of folders."""
    found = [Path(path) for path in paths]
    return [
        file for path in found for file in ([path] if path.is_file() else sorted(path.rglob("[!.]*"))) if file.is_file()
    ]


def kinds(paths: list[Path]) -> list[Path]:
    """A file of each folder and suffix, shards and experiments being alike."""
    kept: dict[str, Path] = {}
    for path in paths:
        if path.parent.name != "structures":  # as from outside; what `curate` says of such is tested there
            kept.setdefault(re.sub(r"(train/)\w+|\w+-\d{5}", r"\1*", str(path)), path)
    return list(kept.values())


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def swap(path: Path) -> None:
    """Put another file of the format in its place, a near one first."""
    others = [*path.parent.glob(f"*{path.suffix}"), *Path("results/small").rglob(f"[!.]*{path.suffix}")]
    other = next((other for other in others if other.read_bytes() != path.read_bytes()), None)
    if other is not None:
        path.write_bytes(other.read_bytes())


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "emptied": lambda path: path.write_bytes(b""),
    "flipped": flip,
    "swapped": swap,
}


def results(job: Job) -> dict[Path, object]:
    """What a job has written, besides how long it took."""
    timed = {"history.csv", "trunk.json"}
    return {file: content(file) for file in files(job.outputs) if file.name not in timed}


def run_again(job: Job) -> None:
    """Run a command on whole files in this process, whose threads are others than those of its rule."""
    done = CliRunner().invoke(app, job.words, input=job.stdin.read_bytes())
    assert done.exception is None, (job.rule, done.exception)


def outcome(job: Job, path: Path, damage: str) -> str:
    """What a command says of a damaged file; `TAKEN` if it takes it for data."""
    whole, before = path.read_bytes(), results(job)
    DAMAGE[damage](path)
    try:
        done = CliRunner().invoke(app, job.words, input=job.stdin.read_bytes())
    finally:
        path.write_bytes(whole)
    if isinstance(done.exception, FoldgraftError) and path.parent.name in str(done.exception):
        return str(done.exception)
    after = results(job)
    if done.exception is None and after == before:
        return "does not matter"
    if done.exception is None:
        run_again(job)
    return f"TAKEN: {done.exception!r}, changed: {[str(file) for file in after if after[file] != before[file]]}"


def test_damaged_files_are_refused_by_name(small_run, small_config, tmp_path, monkeypatch):
    run = tmp_path / "checkout"
    shutil.copytree(small_run, run)
    monkeypatch.chdir(run)
    monkeypatch.setattr(origin, "_job", origin.Job())  # which each command sets, and later tests must not find
    taken = []
    for job in jobs(run, small_config):
        if not ALL and job.rule not in QUICK:
            continue
        run_again(job)
        for path in kinds(files(job.inputs)):
            for damage in DAMAGE if ALL else ("flipped", "emptied"):
                told = outcome(job, path, damage)
                print(f"{job.rule}\t{path}\t{damage}\t{told[:200]}")
                if told.startswith("TAKEN"):
                    taken.append((job.rule, str(path), damage, told))
    assert not taken
