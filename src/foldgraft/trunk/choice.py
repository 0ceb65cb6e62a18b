"""Which trunk a configuration means: where several of its parts name one, and where none does."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from foldgraft.errors import FoldgraftError
from foldgraft.trunk.locate import CONFIG, DESCRIPTION, MODEL_TYPES, read_config

SOURCES = ("model", "checkpoint", "pretrain")
"""Keys of the section `trunk` of which a run takes one."""
FILES = (".pt", ".pth")
RESOURCES = Path("resources")
"""Where a checkpoint is found that no key names, in the working directory."""


def choose(values: Mapping[str, Any], layers: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], str]:
    """The configuration with the one trunk that it means, and what a user should be told of that choice, if anything.

    Parameters
    ----------
    values : mapping
        the configuration as Snakemake merged it, key by key: where a file names one source and the command line
        another, it has both.
    layers : iterable of mapping
        what it was merged from, the strongest last: files, then the command line. Read only if that has to be known.

    Raises
    ------
    FoldgraftError
        if no key names a trunk, and several checkpoints are in `resources/`.
    """
    given = values.get("trunk") or {}
    if not isinstance(given, Mapping):
        return dict(values), ""
    named = _named(given)
    if len(named) > 1:
        naming = [layer["trunk"] for layer in layers if _named(layer.get("trunk"))]
        last = _named(naming[-1]) if naming else named
        dropped = [key for key in named if key not in last]
        if dropped and given.get("adapter") is not None and "adapter" not in naming[-1]:
            dropped.append("adapter")  # of the trunk that it was named with
        message = f"trunk: its key {last[0]}, given last, takes the place of {' and '.join(dropped)}" if dropped else ""
        return {**values, "trunk": {key: value for key, value in given.items() if key not in dropped}}, message
    if named:
        return dict(values), ""
    candidates = checkpoints(RESOURCES)
    if len(candidates) > 1:
        both = " and ".join(map(str, candidates))
        raise FoldgraftError(f"trunk: no key names one, and there are {both}; name one as trunk.checkpoint")
    if not candidates:
        return dict(values), ""
    chosen = {**given, "checkpoint": _from(Path(str(values.get("data") or ".")), candidates[0])}
    message = f"trunk: {candidates[0]}, the checkpoint in {RESOURCES}/, since no key names another"
    return {**values, "trunk": chosen}, message


def _named(section: Any) -> list[str]:
    return [key for key in SOURCES if section.get(key) is not None] if isinstance(section, Mapping) else []


def checkpoints(folder: Path) -> list[Path]:
    """Folders of checkpoints and files of fair-esm or ESM C directly in a folder, whole or not, sorted."""
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in inside if not path.name.startswith(".") and _is_checkpoint(path)]


def _is_checkpoint(path: Path) -> bool:
    if path.is_file():
        return path.suffix in FILES and not path.stem.endswith("-contact-regression")
    if (path / DESCRIPTION).is_file():
        return True
    try:
        return (path / CONFIG).is_file() and read_config(path / CONFIG).get("model_type") in MODEL_TYPES
    except FoldgraftError:  # a configuration of something else
        return False


def _from(data: Path, checkpoint: Path) -> str:
    """The path as the key takes it: from the folder of the data, so that a run that is moved as a whole stays valid."""
    if data.is_absolute() or data.is_symlink():  # what lies above is not where the run is
        return str(checkpoint.absolute())
    return os.path.relpath(checkpoint, data)
