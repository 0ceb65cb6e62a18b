"""What all tests share: the checkout, the data folder of real proteins, and programs that may be missing."""

import os
import shutil
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real proteins that FOLDGRAFT_DATA names; tests that need it are skipped without."""
    folder = os.environ.get("FOLDGRAFT_DATA")
    if not folder:
        pytest.skip("FOLDGRAFT_DATA names no folder of real proteins")
    return Path(folder)


@pytest.fixture(scope="session")
def program():
    """A program's path; a test that needs a missing one is skipped, except in CI, where it fails."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if not path and os.environ.get("CI"):
            pytest.fail(f"{name} is not installed, and CI is to run every test")
        if not path:
            pytest.skip(f"{name} is not installed")
        return path

    return find


@pytest.fixture(scope="session")
def transformers() -> ModuleType:
    """The independent implementation of the Hugging Face models, imported once since that takes seconds."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    package = pytest.importorskip("transformers")
    package.logging.set_verbosity_error()
    package.logging.disable_progress_bar()
    return package
