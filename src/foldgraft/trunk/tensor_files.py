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
CALLS = re.compile(r"(?:GLOBAL|global|function|class)\s+`?([\w.]+)")
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
    _check_memory(path)
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except (SafetensorError, OSError) as error:
        raise FoldgraftError(f"{path}: is cut short or damaged ({_short(error)}); fetch it anew") from None
    except MemoryError:
        raise FoldgraftError(f"{path}: does not fit into the memory; take a machine with more") from None
    except Exception as error:  # what torch raises depends on how the file is foreign
        raise FoldgraftError(f"{path}: {_why(error)}") from None


def _why(error: Exception) -> str:
    """What torch's refusal means; it goes on to advise an unsafe way, which is left out."""
    text = " ".join(str(error).split())
    if "Unsupported" in text and (called := CALLS.search(text.split("Unsupported", 1)[1])):
        return (
            f"would call {called[1]} when it is read, and only files of tensors are: save the tensors alone, best as "
            "safetensors, where the file comes from"
        )
    if "memory" in text:
        return "does not fit into the memory; take a machine with more"
    return f"cannot be read as a PyTorch file of tensors; if it was cut short, fetch it anew ({_short(error)})"


def _short(error: Exception) -> str:
    return " ".join(str(error).split()).split(". ")[0][:160]


def _check_exact(path: Path, name: str, tensor: Tensor) -> None:
    whole = tensor.dtype in (torch.int8, torch.uint8) and tensor.ndim > 1
    odd = tensor.is_floating_point() and tensor.dtype not in EXACT
    if whole or odd or QUANTISED.search(name):
        raise FoldgraftError(
            f"{path}: is quantised ({name} is {str(tensor.dtype).removeprefix('torch.')}), so its weights are not "
            "exact; take the full checkpoint"
        )


def _check_memory(path: Path) -> None:
    size, there = path.stat().st_size, _available()
    if there is not None and size > there:
        raise FoldgraftError(
            f"{path}: its {size / 2**30:.1f} GiB do not fit into the {there / 2**30:.1f} GiB of memory that are free; "
            "take a machine with more"
        )


def _available() -> int | None:
    """Bytes of memory that can be had; None where the system does not tell."""
    if not MEMORY.is_file():
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB", MEMORY.read_text(), re.M)
    return int(found[1]) * 1024 if found else None
