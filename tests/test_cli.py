"""The command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from foldgraft import cli
from foldgraft.cli import COMMANDS
from foldgraft.records.lock import write_piece


def foldgraft(*arguments):
    return subprocess.run([sys.executable, "-m", "foldgraft", *arguments], capture_output=True, text=True)


def test_help_lists_every_stage():
    done = foldgraft("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


def test_commands_that_do_without_torch_start_without_it():
    """A run starts hundreds of jobs of such stages, and torch takes seconds to import."""
    stages = ("cluster", "curate", "embed", "evaluate", "fetch", "msa", "report", "targets")
    program = f"import sys, {', '.join(f'foldgraft.{stage}.command' for stage in stages)}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "foldgraft.msa.command" in done.stdout.split()
    assert not {"torch", "sklearn", "matplotlib"} & set(done.stdout.split())


@pytest.mark.parametrize("stage", COMMANDS)
def test_every_stage_has_help(stage):
    done = foldgraft(stage, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: foldgraft" in done.stdout


def test_an_unknown_stage_is_an_error():
    done = foldgraft("fold")
    assert done.returncode == 2
    assert "fold" in done.stderr


def test_bad_settings_are_one_line_without_a_traceback():
    done = foldgraft("curate", "summary", "--settings", '{"min_lenght": 3}')
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_place_that_cannot_be_written_is_one_line_without_a_traceback(tmp_path):
    lock = tmp_path / "lock.parquet"
    write_piece(lock, "files-00000", [])
    done = foldgraft(
        *("curate", "shard", "--lock", lock, "--store", tmp_path, "--chains", tmp_path / "c.parquet"),
        *("--rejects", "/sys/rejects.csv", "--atoms", tmp_path / "a.csv"),
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: /sys/") and "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_an_error_is_told_where_the_log_lies_on_a_full_disk():
    words = ("targets", "shard", "--chains", "none.parquet", "--targets", "t.parquet", "--audit", "a.csv")
    with Path("/dev/full").open("w") as log:
        command = [sys.executable, "-m", "foldgraft", *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert done.returncode == 2
    assert done.stdout.startswith("error: none.parquet: cannot be read as a parquet table")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), "a file that this command writes: No space left"),
        (OSError(28, "No space left on device", "x.csv"), "x.csv: No space left on device"),
        (IsADirectoryError(21, "Is a directory", "results"), "results: Is a directory"),
        (MemoryError("1 GB"), "not enough memory (1 GB)"),
        (ImportError("libx.so: failed to map segment from shared object"), "not enough memory (libx.so"),
    ],
)
def test_what_a_machine_lacks_is_told_as_such(error, told, monkeypatch, capsys):
    def failing(*words, **options):
        raise error

    monkeypatch.setattr(typer.main, "get_command", lambda app: failing)
    with pytest.raises(SystemExit):
        cli.main()
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("cores", ["1", "16"])
def test_a_job_uses_the_threads_of_its_rule_whatever_the_cores(cores):
    """Snakemake hands a job no more threads than there are cores; sums must not depend on that."""
    code = "import foldgraft.cli as c, sys; c._fix_threads(sys.argv[1:]); import torch; print(torch.get_num_threads())"
    command = [sys.executable, "-c", code, "--made-from", "0123@2:abc", "trunk"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": cores})
    assert done.stdout == "2\n", done.stderr
