"""What the first and last bytes of a checkpoint's files tell, before any job and without reading its tensors."""

import json
import zlib
from pathlib import Path
from pickletools import genops
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

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
            header = _header(path, size)
            shape = next((one.get("shape") for name, one in header.items() if name.endswith(WORDS)), None)
        else:
            _check_torch(path)
            shape = _torch_shape(path)
        _check_width(path, shape, config or {})


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


def _torch_shape(path: Path) -> list[int] | None:
    """Rows and columns of the embeddings in a file of PyTorch, or None if they do not stand where PyTorch writes them.

    The list of tensors is looked through as text, instruction by instruction; none of it is carried out. Files of
    before PyTorch 1.6 have no list apart from their tensors.
    """
    numbers: list[int] | None = None
    try:
        with ZipFile(path) as file:
            entry = next((one for one in file.infolist() if one.filename.endswith("/data.pkl")), None)
            listing = file.read(entry) if entry and entry.file_size <= MAX_HEADER else b""
        seen = False
        for opcode, value, _ in genops(listing):
            seen = seen or (isinstance(value, str) and value.endswith(WORDS))
            if seen and opcode.name == "BINPERSID":
                numbers = []  # what follows the storage: offset, rows, columns
            elif numbers is not None and opcode.name.startswith("TUPLE"):
                return numbers[1:] if len(numbers) == 3 else None
            elif numbers is not None:
                numbers += [value] if isinstance(value, int) else []
    except (OSError, ValueError, BadZipFile, RuntimeError, zlib.error):
        pass  # what is wrong with it is said when its tensors are read
    return None


def _check_width(path: Path, shape: list[int] | None, config: dict[str, Any]) -> None:
    stated = config.get("hidden_size")
    if stated is not None and shape and shape[-1] != stated:
        raise FoldgraftError(
            f"{path}: its embeddings are {shape[-1]} wide, while config.json beside it says hidden_size {stated}; "
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
