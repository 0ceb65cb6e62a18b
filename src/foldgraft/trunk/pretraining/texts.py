"""Corpora as text: one sequence per line, plain or xz-compressed."""

import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import alphabet
from foldgraft.records.fasta import MAX_LETTERS
from foldgraft.records.files import sequence_sha256

LETTERS = alphabet.LETTERS.rstrip(".-")
"""Those of residues; a gap would be learnt as one."""
XZ_MAGIC = b"\xfd7zXZ\x00"
MAX_RESIDUES = 2_000_000_000
"""Most residues of a corpus: it is held in memory, a byte each, and a decompression bomb ends here."""


def read_lines(path: Path) -> Iterator[str]:
    """Yield the sequences of a text file of one per line; compressed if it begins like xz, whatever its name.

    Raises
    ------
    FoldgraftError
        for a file that cannot be read, is empty, or has a line with other than letters of the alphabet, naming it.
    """
    number = 0
    try:
        with Path(path).open("rb") as handle:
            compressed = handle.read(len(XZ_MAGIC)) == XZ_MAGIC
        with lzma.open(path, "rb") if compressed else Path(path).open("rb") as handle:
            while line := handle.readline(MAX_LETTERS):
                number += 1
                yield _sequence(line, f"{path}, line {number}")
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise FoldgraftError(f"{path}: cannot be read as text of one sequence per line ({error})") from None
    if not number:
        raise FoldgraftError(f"{path}: holds no sequence")


def _sequence(line: bytes, where: str) -> str:
    if len(line) >= MAX_LETTERS:
        raise FoldgraftError(f"{where}: more than {MAX_LETTERS} letters, no protein")
    sequence = line.strip().decode("ascii", "replace")
    if not sequence or set(sequence) - set(LETTERS):
        raise FoldgraftError(f"{where}: {sequence[:40]!r} is no sequence in capital letters ({LETTERS})")
    return sequence


def read_texts(paths: Iterable[Path]) -> dict[str, str]:
    """Unique sequences of text files by their sha256, in the order of it.

    Raises
    ------
    FoldgraftError
        as `read_lines` does, and for more than `MAX_RESIDUES` residues.
    """
    sequences: dict[str, str] = {}
    residues = 0
    for path in paths:
        for sequence in read_lines(path):
            residues += len(sequence)
            if residues > MAX_RESIDUES:
                raise FoldgraftError(f"{path}: with it the corpus has more than {MAX_RESIDUES} residues; give less")
            sequences[sequence_sha256(sequence)] = sequence
    return dict(sorted(sequences.items()))
