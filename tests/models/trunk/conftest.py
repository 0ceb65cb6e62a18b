"""transformers, the independent implementation of the Hugging Face models; its import takes seconds, so once."""

import os
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def transformers() -> ModuleType:
    """The package, without a word of its own and without a network."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    package = pytest.importorskip("transformers")
    package.logging.set_verbosity_error()
    return package
