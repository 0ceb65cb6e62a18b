"""Runs to make a report of."""

from pathlib import Path
from types import ModuleType

import made_up_run
import pytest


@pytest.fixture(scope="session")
def made_up() -> ModuleType:
    """What makes up runs: `make_run`, `make_chain`, `make_targets`, `fold`, and `HOSTILE`."""
    return made_up_run


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory) -> Path:
    """A run with both tasks."""
    return made_up_run.make_run(tmp_path_factory.mktemp("both"))
