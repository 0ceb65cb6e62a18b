"""A published model wherever it lies on this machine, and brought where it does not."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.trunk.checkpoint import open_checkpoint
from foldgraft.trunk.choice import RESOURCES, checkpoints
from foldgraft.trunk.download import REGRESSIONLESS, download
from foldgraft.trunk.hub import download_hub
from foldgraft.trunk.locate import CONFIG, DESCRIPTION, locate
from foldgraft.trunk.settings import DEFAULT_MODEL, SIZES, TrunkSettings

OWNER = "facebook"
ARCHITECTURES = {DEFAULT_MODEL: Architecture(layers=6, width=320, heads=20)}
"""Of the models for which checkpoints of other names are taken (Lin et al. 2023, doi:10.1126/science.ade2574)."""


def cache() -> Path:
    """The folder that keeps trunks for this user: `trunks` in $FOLDGRAFT_CACHE, by default ~/.cache/foldgraft."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("FOLDGRAFT_CACHE") or Path(base) / "foldgraft") / "trunks"


def within(folder: Path, name: str) -> Path | None:
    """The checkpoint of a published model in a folder that is none itself."""
    if any((folder / file).is_file() for file in (CONFIG, DESCRIPTION)):
        return None
    return next((path for path in _in_folder(folder, name) if path.is_file() or (path / CONFIG).is_file()), None)


def find(name: str, *folders: Path) -> Path | None:
    """The whole checkpoint of a published model, its contact regression with it.

    Parameters
    ----------
    name : str
        of fair-esm, such as esm2_t6_8M_UR50D.
    folders : Path
        where to look first; each may hold fair-esm's file, or the hub's folder of the model. Then the caches of the
        Hugging Face hub and of torch are looked into.
    """
    return next((path for path in _candidates(name, *folders) if _is_whole(path)), None)


def _is_whole(path: Path) -> bool:
    """Whether all files of a checkpoint are there; an interrupted download leaves some of them."""
    try:
        located = locate(path)
    except FoldgraftError:
        return False
    return located.config is not None or located.regression is not None or path.name.startswith(REGRESSIONLESS)


def _is_alike(path: Path, name: str) -> bool:
    """Whether a checkpoint can be read and is of a model's architecture; what is too large for it is not read."""
    try:
        size = sum(path.stat().st_size for path in locate(path).weights)
        return size <= SIZES[name] and open_checkpoint(path).network.architecture == ARCHITECTURES.get(name)
    except FoldgraftError:
        return False


def _candidates(name: str, *folders: Path) -> list[Path]:
    return [path for folder in folders for path in _in_folder(folder, name)] + list(_in_caches(name))


def _in_folder(folder: Path, name: str) -> list[Path]:
    return [folder / f"{name}.pt", folder / name, folder / OWNER / name]


def _in_caches(name: str) -> Iterator[Path]:
    home = Path.home() / ".cache"
    hub = Path(os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME") or home / "huggingface") / "hub")
    yield from sorted((hub / f"models--{OWNER}--{name}" / "snapshots").glob("*"))
    yield Path(os.environ.get("TORCH_HOME") or home / "torch") / "hub" / "checkpoints" / f"{name}.pt"


def provide(name: str) -> Path:
    """The checkpoint of a published model, downloaded if it is not whole on this machine.

    A checkpoint of another name and the same architecture that lies in this user's folder or in `resources/` is taken
    for it: who reads it compares what it computes.

    Raises
    ------
    FoldgraftError
        if neither fair-esm's server nor the hub can be reached, saying what to put where.
    """
    kept, addresses = cache(), TrunkSettings()
    folders = [kept, RESOURCES / "store" / "trunks", RESOURCES]
    if path := find(name, *folders):
        return path
    others = [path for path in checkpoints(kept) + checkpoints(RESOURCES) if path.name != f"{name}.pt"]
    if alike := next((path for path in others if _is_alike(path, name)), None):
        return alike
    try:
        return download(name, kept, addresses.url)[0]
    except FoldgraftError:
        try:
            return download_hub(f"{OWNER}/{name}", kept, addresses.hub)
        except FoldgraftError:
            if path := next((path for path in _candidates(name, *folders) if path.is_file()), None):
                print(f"{path}: has no contact regression beside it, and none could be downloaded", file=sys.stderr)
                return path
            raise FoldgraftError(
                f"the trunk {name} is not on this machine and could not be downloaded: put the file "
                f"{addresses.url}/models/{name}.pt, or the folder of {addresses.hub}/{OWNER}/{name}, into {kept}, or "
                "name its place with --trunk"
            ) from None
