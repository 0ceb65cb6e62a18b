"""A published model wherever it lies on this machine, and brought where it does not."""

import os
from collections.abc import Iterator
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.trunk.choice import RESOURCES, checkpoints
from foldgraft.trunk.download import download
from foldgraft.trunk.hub import download_hub
from foldgraft.trunk.locate import CONFIG, DESCRIPTION
from foldgraft.trunk.settings import TrunkSettings

OWNER = "facebook"


def cache() -> Path:
    """The folder that keeps trunks for this user: `trunks` in $FOLDGRAFT_CACHE, by default ~/.cache/foldgraft."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("FOLDGRAFT_CACHE") or Path(base) / "foldgraft") / "trunks"


def within(folder: Path, name: str) -> Path | None:
    """The checkpoint of a published model in a folder that is none itself."""
    if any((folder / file).is_file() for file in (CONFIG, DESCRIPTION)):
        return None
    return _first(_in_folder(folder, name))


def find(name: str, *folders: Path) -> Path | None:
    """The checkpoint of a published model.

    Parameters
    ----------
    name
        of fair-esm, such as esm2_t6_8M_UR50D.
    folders
        where to look first; each may hold fair-esm's file, or the hub's folder of the model. Then the caches of the
        Hugging Face hub and of torch are looked into.
    """
    return _first([place for folder in folders for place in _in_folder(folder, name)] + list(_in_caches(name)))


def _first(places: list[Path]) -> Path | None:
    return next((place for place in places if place.is_file() or (place / CONFIG).is_file()), None)


def _in_folder(folder: Path, name: str) -> list[Path]:
    return [folder / f"{name}.pt", folder / name, folder / OWNER / name]


def _in_caches(name: str) -> Iterator[Path]:
    home = Path.home() / ".cache"
    hub = Path(os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME") or home / "huggingface") / "hub")
    yield from sorted((hub / f"models--{OWNER}--{name}" / "snapshots").glob("*"))
    yield Path(os.environ.get("TORCH_HOME") or home / "torch") / "hub" / "checkpoints" / f"{name}.pt"


def provide(name: str) -> Path:
    """The checkpoint of a published model, downloaded if it is not on this machine.

    A checkpoint of another name that lies in this user's folder or in `resources/` is taken for it: who reads it
    compares what it computes.

    Raises
    ------
    FoldgraftError
        if neither fair-esm's server nor the hub can be reached, saying what to put where.
    """
    kept, addresses = cache(), TrunkSettings()
    found = find(name, kept, RESOURCES / "store" / "trunks")
    if found:
        return found
    if others := checkpoints(kept) + checkpoints(RESOURCES):
        return others[0]
    try:
        return download(name, kept, addresses.url)[0]
    except FoldgraftError:
        try:
            return download_hub(f"{OWNER}/{name}", kept, addresses.hub)
        except FoldgraftError:
            raise FoldgraftError(
                f"the trunk {name} is not on this machine and could not be downloaded: put the file "
                f"{addresses.url}/models/{name}.pt, or the folder of {addresses.hub}/{OWNER}/{name}, into {kept}, or "
                "name its place with --trunk"
            ) from None
