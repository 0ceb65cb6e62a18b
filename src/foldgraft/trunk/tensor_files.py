"""Tensors from foreign files: nothing of a file is run, and what cannot be read says why."""

import argparse
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from foldgraft.errors import FoldgraftError

EXACT = {torch.float64, torch.float32, torch.float16, torch.bfloat16}
QUANTISED = re.compile(r"\.(SCB|absmax|quant_map|quant_state\..*|qweight|qzeros|scales|weight_format|weight_scale)$")
CALLS = re.compile(r"unsupported .*?(?:global|function|class)\s+`?([\w.]+)", re.IGNORECASE)
"""What torch says that a file would call."""
ZIP = b"PK\x03\x04"
TOO_LARGE = "does not fit into the memory; take a machine with more"
MEMORY = Path("/proc/meminfo")


def read_all(paths: Iterable[Path]) -> dict[str, Tensor]:
    """The tensors of one file, or of all shards of a checkpoint, by name.

    Raises
    ------
    FoldgraftError
        if a file cannot be read, holds other than tensors, or is quantised.
    """
    tensors: dict[str, Tensor] = {}
    for path in paths:
        tensors |= by_name(read(path), path)
    return tensors


def by_name(content: Any, path: Path) -> dict[str, Tensor]:
    """What a file holds, if that is tensors by name.

    Raises
    ------
    FoldgraftError
        if it is not, or the tensors are quantised.
    """
    if not isinstance(content, dict) or not content:
        raise FoldgraftError(f"{path}: holds no tensors by name, so it is no checkpoint")
    for name, tensor in content.items():
        if not isinstance(name, str) or not name.isprintable() or not isinstance(tensor, Tensor):
            raise FoldgraftError(f"{path}: holds other than tensors by name ({name!r}), so it is no checkpoint")
        _check_exact(path, name, tensor)
    return content


def read(path: Path) -> Any:
    """What a file holds: tensors by name, or what PyTorch saved, of plain types and `argparse.Namespace` alone.

    Raises
    ------
    FoldgraftError
        if it cannot be read, would run code, or is larger than the memory.
    """
    _check_size(path)
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except Exception as error:  # what a library raises depends on how the file is foreign
        raise FoldgraftError(f"{path}: {_why(path, error)}") from None


def _why(path: Path, error: Exception) -> str:
    """What a library's refusal means; its own words advise an unsafe way, or speak of how it reads files."""
    if isinstance(error, SafetensorError):
        return "is cut short or damaged, or no file of safetensors; fetch it anew"
    text = " ".join(str(error).split())
    if called := CALLS.search(text):
        return (
            f"would call {called[1]} when it is read, and only files of tensors are: save the tensors alone, best as "
            "safetensors, where the file comes from"
        )
    if isinstance(error, MemoryError) or "memory" in text:
        return TOO_LARGE
    try:
        with path.open("rb") as handle:
            start = handle.read(len(ZIP))
    except OSError as denied:
        return f"cannot be read ({denied.strerror})"
    if start == ZIP and not is_zipfile(path):
        return "is cut short: it begins as a file of PyTorch does, and its end is missing; fetch it anew"
    return "is no file of tensors that PyTorch saved, or is damaged; fetch it anew, or take another"


def _check_exact(path: Path, name: str, tensor: Tensor) -> None:
    whole = tensor.dtype in (torch.int8, torch.uint8) and tensor.ndim > 1
    odd = tensor.is_floating_point() and tensor.dtype not in EXACT
    if whole or odd or QUANTISED.search(name):
        raise FoldgraftError(
            f"{path}: is quantised ({name} is {str(tensor.dtype).removeprefix('torch.')}), so its weights are not "
            "exact; take the full checkpoint"
        )


def _check_size(path: Path) -> None:
    size, there = path.stat().st_size, _available()
    if not size:
        raise FoldgraftError(f"{path}: is empty; fetch it anew")
    if there is not None and size > there:
        raise FoldgraftError(
            f"{path}: its {size / 2**30:.1f} GiB do not fit into the {there / 2**30:.1f} GiB of memory that are free; "
            "take a machine with more"
        )


def _available() -> int | None:
    """Bytes of memory that can be had; None where the system does not tell."""
    if not MEMORY.is_file():
        return None
    match = re.search(r"^MemAvailable:\s+(\d+) kB", MEMORY.read_text(), re.M)
    return int(match[1]) * 1024 if match else None
