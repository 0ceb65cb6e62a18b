"""Faults of the machine: a full disk, a folder that cannot be written, damaged files, two runs on one store.

Snakemake, the commands and the disks are real; those are small file systems in memory, which only root may mount.
`make test` tries some; FOLDGRAFT_FAULTS=all every rule and every kind of file.
"""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from running import ROOT, content, copy_checkout, snakemake

ALL = os.environ.get("FOLDGRAFT_FAULTS") == "all"
FULL = "No space left on device"


def mount(folder: Path, *options: str) -> bool:
    """Whether a file system in memory could be mounted there."""
    if shutil.which("mount") is None or os.geteuid() != 0:
        return False
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "foldgraft-test", str(folder)]
    return subprocess.run(command, capture_output=True).returncode == 0


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    if not mount(folder, f"size={size}"):
        pytest.skip("a file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def jobs(run: Path, config: Path) -> dict[tuple[str, str], list[Path]]:
    """The outputs of each job of a finished run, by its rule and log."""
    done = snakemake(run, "default", "--detailed-summary", "--configfile", str(config))
    assert done.returncode == 0, done.stderr
    made: dict[tuple[str, str], list[Path]] = {}
    for row in csv.DictReader(done.stdout.splitlines(), delimiter="\t"):
        if row["output_file"].startswith("results/"):
            made.setdefault((row["rule"], row["log-file(s)"]), []).append(run / row["output_file"])
    return made


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def fill(disk: Path, left: int) -> Path:
    """Leave so many bytes of a disk free."""
    usage = shutil.disk_usage(disk)
    filler = disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, usage.free - left)
    return filler


@pytest.fixture(scope="module")
def on_a_small_disk(small_run, small_config, tmp_path_factory):
    """A copy of the small run whose results lie on a disk of their own."""
    run = tmp_path_factory.mktemp("disk") / "checkout"
    shutil.copytree(small_run, run, ignore=lambda folder, names: ["results"] if Path(folder) == small_run else [])
    with mounted(run / "results", "200M") as disk:
        shutil.copytree(small_run / "results", disk, dirs_exist_ok=True)
        yield run


@pytest.mark.skipif(not ALL, reason="FOLDGRAFT_FAULTS=all fills the disk for every rule")
def test_a_full_disk_is_named_with_its_file(on_a_small_disk, small_config):
    """Downstream first, since a job that fails loses its outputs; the disk is also that of the log."""
    run, seen, silent = on_a_small_disk, set(), []
    made = jobs(run, small_config)
    latest_first = sorted(made, key=lambda job: made[job][0].stat().st_mtime, reverse=True)
    for rule, log in latest_first:
        if rule in seen:
            continue
        seen.add(rule)
        outputs = made[rule, log]
        for path in [*outputs, run / log]:
            remove(path)
        filler = fill(run / "results", 0)
        done = snakemake(
            run, str(outputs[0].relative_to(run)), "--cores", "2", "--configfile", str(small_config), "--nolock"
        )
        filler.unlink()
        told = [line for line in (done.stdout + done.stderr).splitlines() if FULL in line and "results/" in line]
        if done.returncode == 0 or not told:
            silent.append((rule, done.stderr[-2000:]))
        print(f"{rule}: {told[:1]}")
    assert not silent
    again = snakemake(run, "--cores", "2", "--configfile", str(small_config))
    assert again.returncode == 0, again.stderr[-3000:]


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder on a file system that is mounted read-only."""
    bind = subprocess.run(["mount", "--bind", str(folder), str(folder)], capture_output=True)
    if bind.returncode != 0:
        pytest.skip("a file system cannot be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("place", [".", "results"])
def test_a_folder_that_cannot_be_written_is_told_before_any_job(place, tmp_path):
    folder = copy_checkout(tmp_path / "checkout")
    (folder / "results").mkdir()
    with read_only(folder / place):
        done = snakemake(folder, "--cores", "1")
    assert done.returncode != 0
    assert f"error: {(folder / place).resolve()}" in done.stderr and "cannot be written to" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_runs_may_fill_one_store_at_once(tmp_path):
    """Each ends as it does alone."""
    data = tmp_path / "data"
    shutil.copytree(ROOT / "tests/curate/cases", data)
    (data / "labels.csv").write_text(
        "id,sequence,label\n" + "".join(f"p{k},{'MKV' * (k + 9)},{k % 2}\n" for k in range(20))
    )
    words = ("fetch", "--cores", "2", "--configfile", "config.yaml")
    config = {
        "run": "shared",
        "data": str(data),
        "structures": {"files": ["*.cif", "*.pdb"]},
        "solubility": {"table": "labels.csv"},
        "trunk": {"model": "esm2_t6_8M_UR50D"},
        "experiments": {"solubility": {"task": "solubility"}},
        "fetch": {"shard_size": 10},
    }
    folders = [copy_checkout(tmp_path / name) for name in ("first", "second", "alone")]
    for folder in folders:
        store = tmp_path / ("other" if folder.name == "alone" else "store")
        (folder / "config.yaml").write_text(yaml.safe_dump(config | {"store": str(store)}))
    both = [
        subprocess.Popen([sys.executable, "-m", "snakemake", *words], cwd=folder, stderr=subprocess.PIPE, text=True)
        for folder in folders[:2]
    ]
    said = [run.communicate()[1][-2000:] for run in both]
    assert [run.returncode for run in both] == [0, 0], said
    assert snakemake(folders[2], *words).returncode == 0
    stored = [
        sorted(file.name for file in (tmp_path / name).rglob("*") if file.is_file()) for name in ("store", "other")
    ]
    assert stored[0] == stored[1] != []
    tables = [content(folder / "results/shared/fetch/labels/solubility-00000.parquet") for folder in folders]
    assert tables[0] == tables[1] == tables[2]
