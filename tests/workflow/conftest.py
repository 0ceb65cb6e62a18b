"""One small real run of the whole workflow, made once and looked at by many tests."""

from pathlib import Path

import pytest
import yaml
from running import ABROAD, SMALL, TOY, copy_checkout, snakemake, with_toy_task


@pytest.fixture(scope="session")
def small_config(tmp_path_factory) -> Path:
    """A configuration of a synthetic proteome that runs in a minute or two."""
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(yaml.safe_dump({**SMALL, **ABROAD, "experiments": SMALL["experiments"] | TOY}))
    return path


@pytest.fixture(scope="session")
def small_run(tmp_path_factory, small_config) -> Path:
    """A checkout with a task more, in which `small_config` has been run."""
    folder = with_toy_task(copy_checkout(tmp_path_factory.mktemp("run") / "checkout"))
    done = snakemake(folder, "--cores", "2", "--configfile", str(small_config), "--show-failed-logs")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return folder
