"""Whether local structure files hold any protein at all: a glance before any job, cheap and never too strict."""

import re
import zlib
from collections.abc import Sequence
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.residues import THREE_TO_ONE

GLANCE = 4_000_000
"""Bytes of a file's content that are read; of a longer one nothing is said."""
FILES = 200
"""Files that are looked at; more without a protein are left to the run."""
RESIDUE = re.compile(rf"\b({'|'.join([*THREE_TO_ONE, 'MSE', 'UNK'])})\b".encode())


def check_any_protein(paths: Sequence[Path]) -> None:
    """Stop if no file can hold a protein; the first that may ends the search.

    Raises
    ------
    FoldgraftError
        with what the first files are.
    """
    reasons = []
    for path in paths[:FILES]:
        reason = why_none(path)
        if reason is None:
            return
        reasons.append(f"{path} {reason}")
    if reasons and len(paths) <= FILES:
        listed = "; ".join(reasons[:3]) + (f"; and so on, {len(reasons)} files" if len(reasons) > 3 else "")
        raise FoldgraftError(
            f"structures.files: no file holds a protein: {listed}. Name files of proteins, mmCIF or PDB"
        )


def why_none(path: Path) -> str | None:
    """Why a file cannot hold a protein; None if it may."""
    try:
        with path.open("rb") as handle:
            content = handle.read(GLANCE + 1)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if content[:2] == b"\x1f\x8b":
        try:
            content = zlib.decompressobj(wbits=31).decompress(content, GLANCE + 1)
        except zlib.error:
            return "is damaged: its gzip data cannot be decompressed"
    if content.startswith(b"PK\x03\x04") or content[257:262] == b"ustar":
        return "is an archive, which must be unpacked"
    content = content.replace(b"\0", b"")  # of UTF-16
    if RESIDUE.search(content) or len(content) > GLANCE:
        return None
    if not content.strip():
        return "is empty"
    if content.lstrip()[:1] == b"<":
        return "is a web page or XML"
    return "names no amino acid"
