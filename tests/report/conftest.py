"""Runs to make a report of."""

from pathlib import Path
from types import ModuleType

import made_up_run
import pytest

from foldgraft.report.settings import ReportSettings
from foldgraft.report.whole import page


@pytest.fixture(scope="session")
def made_up() -> ModuleType:
    """What makes up runs: `make_run`, `make_chain`, `make_targets`, `fold`, and `HOSTILE`."""
    return made_up_run


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory) -> Path:
    """A run with both tasks."""
    return made_up_run.make_run(tmp_path_factory.mktemp("both"))


@pytest.fixture(scope="session")
def still(run_folder) -> str:
    """The page of that run without 3Dmol.js."""
    return page(run_folder, None, ReportSettings())
