"""What the first and last bytes of a checkpoint's files tell, before any job and without reading its tensors."""

import json
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from foldgraft.errors import FoldgraftError

ANEW = "fetch it anew"
MAX_HEADER = 100_000_000
"""Bytes; the bound of safetensors itself."""
ZIP, PICKLE = b"PK\x03\x04", b"\x80"
"""How files of PyTorch begin, since version 1.6 and before."""
WORDS = "embeddings.word_embeddings.weight"
"""Ends the name of the matrix whose width a configuration's hidden_size gives."""


def check_files(weights: tuple[Path, ...], config: dict[str, Any] | None) -> None:
    """Stop for a file of tensors that is none or is cut short, or that is of another width than its configuration.

    Raises
    ------
    FoldgraftError
        naming the file.
    """
    for path in weights:
        size = path.stat().st_size
        if not size:
            raise FoldgraftError(f"{path}: is empty; {ANEW}")
        if path.suffix == ".safetensors":
            _check_width(path, _header(path, size), config or {})
        else:
            _check_torch(path)


def _header(path: Path, size: int) -> dict[str, Any]:
    """The header of a file of safetensors, which says where each tensor ends."""
    try:
        with path.open("rb") as handle:
            length = int.from_bytes(handle.read(8), "little")
            header = json.loads(handle.read(length)) if length <= min(size, MAX_HEADER) else None
        ends = [one["data_offsets"][1] for name, one in header.items() if name != "__metadata__"]
        whole = 8 + length + max(ends, default=0) == size
    except (OSError, ValueError, TypeError, AttributeError, LookupError):
        whole = False
    if not whole:
        raise FoldgraftError(f"{path}: is cut short or damaged, or no file of safetensors; {ANEW}")
    return header


def _check_width(path: Path, header: dict[str, Any], config: dict[str, Any]) -> None:
    told = config.get("hidden_size")
    shape = next((one.get("shape") for name, one in header.items() if name.endswith(WORDS)), None)
    if told is not None and shape and shape[-1] != told:
        raise FoldgraftError(
            f"{path}: its embeddings are {shape[-1]} wide, while config.json beside it says hidden_size {told}; "
            "take both from one model"
        )


def _check_torch(path: Path) -> None:
    with path.open("rb") as handle:
        start = handle.read(len(ZIP))
    if start == ZIP and not is_zipfile(path):
        raise FoldgraftError(
            f"{path}: is cut short: it begins as a file of PyTorch does, and its end is missing; {ANEW}"
        )
    if not start.startswith((ZIP, PICKLE)):
        raise FoldgraftError(
            f"{path}: is no file of tensors that PyTorch saved, or is damaged; {ANEW}, or take another"
        )
