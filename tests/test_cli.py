"""The command line."""

import subprocess
import sys

import pytest

from foldgraft.cli import COMMANDS
from foldgraft.records.lock import write_piece


def foldgraft(*arguments):
    return subprocess.run([sys.executable, "-m", "foldgraft", *arguments], capture_output=True, text=True)


def test_help_lists_every_stage():
    done = foldgraft("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


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
