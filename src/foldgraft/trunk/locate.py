"""What a checkpoint on disk consists of, found before any tensor is read."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldgraft.errors import FoldgraftError

CONFIG, DESCRIPTION = "config.json", "trunk.json"
WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""Where a Hugging Face folder keeps its weights; the first that is there is read."""
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
INDEX = ".index.json"
SHARD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.(safetensors|bin)")
TENSOR_FILES = {".safetensors", ".bin", ".pt", ".pth"}
POINTER = b"version https://git-lfs.github.com/spec/"
MODEL_TYPES = ("esm", "esmc")


@dataclass(frozen=True)
class Located:
    """The files of one checkpoint.

    Attributes
    ----------
    name
        of the model, after its folder or file.
    weights
        one file of tensors, or all shards.
    config
        of a Hugging Face layout, parsed; None for others.
    beside
        the other files: config, index, description, contact regression.
    """

    name: str
    weights: tuple[Path, ...]
    config: dict[str, Any] | None
    beside: tuple[Path, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        return (*self.weights, *self.beside)

    @property
    def description(self) -> Path | None:
        """The description of a trunk of Foldgraft."""
        return next((path for path in self.beside if path.name == DESCRIPTION), None)

    @property
    def regression(self) -> Path | None:
        """The contact regression that fair-esm keeps in a file of its own."""
        return next((path for path in self.beside if path.suffix == ".pt"), None)


def locate(checkpoint: Path) -> Located:
    """The files of a checkpoint, from its folder or one of its files.

    Raises
    ------
    FoldgraftError
        if there is no checkpoint, a file of it is missing or stands for one that was not fetched, or its `config.json`
        is of a model that cannot be a trunk.
    """
    if checkpoint.is_dir():
        located = _folder(checkpoint)
    elif checkpoint.is_file():
        located = _file(checkpoint)
    else:
        raise FoldgraftError(f"{checkpoint.absolute()} does not exist; name a checkpoint, its folder or a file of it")
    for path in located.files:
        _check_pointer(path)
    return located


def locate_adapter(folder: Path) -> Located:
    """The files of a PEFT adapter.

    Raises
    ------
    FoldgraftError
        if one is missing, or stands for one that was not fetched.
    """
    config = folder / ADAPTER_CONFIG
    if not config.is_file():
        raise FoldgraftError(f"{folder}: is no PEFT adapter: it has no {ADAPTER_CONFIG}")
    weights = next((folder / name for name in ADAPTER_WEIGHTS if (folder / name).is_file()), None)
    if weights is None:
        raise FoldgraftError(f"{folder}: its adapter has no weights ({' or '.join(ADAPTER_WEIGHTS)}); fetch them, too")
    for path in (config, weights):
        _check_pointer(path)
    return Located(_name(folder), (weights,), read_config(config), (config,))


def read_config(path: Path) -> dict[str, Any]:
    """A JSON file that must hold an object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FoldgraftError(f"{path}: cannot be read ({error.strerror})") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise FoldgraftError(f"{path}: is no JSON from {where} on; if it was cut short, fetch it anew") from None
    except ValueError:
        raise FoldgraftError(f"{path}: is no text, so no JSON; fetch it anew") from None
    if not isinstance(value, dict):
        raise FoldgraftError(f"{path}: is no configuration of a model")
    return value


def _folder(folder: Path) -> Located:
    if (folder / DESCRIPTION).is_file():
        return _own(folder / WEIGHTS[0])
    if (folder / CONFIG).is_file():
        present = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
        if present is None:
            raise FoldgraftError(f"{folder}: has a {CONFIG} but no weights; one of {', '.join(WEIGHTS)} must be there")
        return _hugging_face(present)
    if (folder / ADAPTER_CONFIG).is_file():
        raise FoldgraftError(f"{folder}: is an adapter; name its base as the checkpoint, and this folder as `adapter`")
    if weights := [name for name in WEIGHTS if (folder / name).is_file()]:
        raise FoldgraftError(f"{folder}: has {weights[0]} but no {CONFIG}; fetch that, too, or of ESM C name the file")
    raise FoldgraftError(
        f"{folder}: has neither {CONFIG} (Hugging Face) nor {DESCRIPTION} (Foldgraft), so it is no checkpoint; "
        "of other layouts name the file"
    )


def _file(path: Path) -> Located:
    if path.name == DESCRIPTION:
        return _folder(path.parent)
    if path.suffix == ".safetensors" and path.with_name(DESCRIPTION).is_file():
        return _own(path)
    if path.suffix in {".safetensors", ".bin", ".json"} and path.with_name(CONFIG).is_file():
        shard = any(path.name in shard_names(index) for index in path.parent.glob(f"*{INDEX}"))
        return _folder(path.parent) if path.name == CONFIG or shard else _hugging_face(path)
    if path.suffix not in TENSOR_FILES:
        raise FoldgraftError(f"{path}: is no file of tensors ({', '.join(sorted(TENSOR_FILES))})")
    regression = path.with_name(f"{path.stem}-contact-regression.pt")
    return Located(path.stem, (path,), None, (regression,) if regression.is_file() else ())


def _own(weights: Path) -> Located:
    if not weights.is_file():
        raise FoldgraftError(f"{weights}: there is no such file beside its {DESCRIPTION}")
    return Located(weights.stem, (weights,), None, (weights.with_name(DESCRIPTION),))


def _hugging_face(weights: Path) -> Located:
    config = weights.with_name(CONFIG)
    content = read_config(config)
    _check_model_type(config, content)
    if not weights.name.endswith(INDEX):
        return Located(_name(weights.parent), (weights,), content, (config,))
    shards = tuple(weights.with_name(name) for name in shard_names(weights))
    for shard in shards:
        if not shard.is_file():
            raise FoldgraftError(f"{shard}: this part of the checkpoint is missing ({weights.name} names it); fetch it")
    return Located(_name(weights.parent), shards, content, (config, weights))


def shard_names(index: Path) -> list[str]:
    """Names of the shards of an index, each once, sorted."""
    parts = read_config(index).get("weight_map")
    names = sorted(set(parts.values())) if isinstance(parts, dict) and parts else []
    if not names or not all(isinstance(name, str) and SHARD.fullmatch(name) for name in names):
        raise FoldgraftError(f"{index}: is no index of shards: its weight_map must name files of this folder")
    return names


def _check_model_type(path: Path, config: dict[str, Any]) -> None:
    kind = config.get("model_type")
    if config.get("quantization_config"):
        raise FoldgraftError(f"{path}: the checkpoint is quantised, so its weights are not exact; take the full ones")
    if kind == "esm" and (config.get("is_folding_model") or config.get("esmfold_config")):
        raise FoldgraftError(f"{path}: is of ESMFold; its language model alone is esm2_t36_3B_UR50D, take that")
    if kind not in MODEL_TYPES:
        raise FoldgraftError(
            f"{path}: model_type is {kind!r}; a trunk is an ESM-2, ESM-1b or ESM-1v ('esm') or an ESM C ('esmc')"
        )


def _check_pointer(path: Path) -> None:
    with path.open("rb") as handle:
        if handle.read(len(POINTER)) == POINTER:
            raise FoldgraftError(f"{path}: is a Git LFS pointer, not the file itself; run `git lfs pull` in its folder")


def _name(folder: Path) -> str:
    """That of the model: its folder's, or in the hub's cache (models--owner--name/snapshots/revision) the model's."""
    folder = folder.absolute()
    return folder.parent.parent.name.split("--")[-1] if folder.parent.name == "snapshots" else folder.name
