"""A small proteome, written once through the command line as the workflow does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from foldgraft.synth.settings import SynthSettings

SETTINGS = SynthSettings(families=4, labels=402, constructs=7)


def run_command(folder: Path, settings: str, root: Path) -> subprocess.CompletedProcess:
    """`foldgraft synth proteome` into a folder, as a process of its own."""
    options = {
        "structures": folder / "structures",
        "sequences": folder / "sequences.fasta.gz",
        "labels": folder / "labels.csv",
        "constructs": folder / "constructs.fasta",
        "truth": folder / "truth.json",
        "settings": settings,
    }
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    environment = os.environ | {"PYTHONPATH": str(root / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "foldgraft", "synth", "proteome", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="session")
def proteome(tmp_path_factory, root):
    """The folder, the settings and the truth of a small proteome."""
    folder = tmp_path_factory.mktemp("proteome")
    done = run_command(folder, SETTINGS.model_dump_json(), root)
    assert done.returncode == 0, done.stderr
    return SimpleNamespace(
        folder=folder, settings=SETTINGS, truth=json.loads((folder / "truth.json").read_text()), root=root
    )


@pytest.fixture
def command():
    return run_command
