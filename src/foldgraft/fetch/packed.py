"""The content of files that may be gzip, piece by piece and within a bound."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

CHUNK = 1 << 20


def decompressed(path: Path, bound: int) -> Iterator[bytes]:
    """A file's content piece by piece, decompressed if it is gzip; several gzip members in a row are one file.

    Raises
    ------
    ValueError
        if the gzip data is damaged or cut, or there is more than `bound` bytes of content.
    """
    total = 0
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        for content in _members(file) if packed else iter(lambda: file.read(CHUNK), b""):
            total += len(content)
            if total > bound:
                raise ValueError(f"it decompresses to more than {bound} bytes")
            yield content


def _members(file: IO[bytes]) -> Iterator[bytes]:
    """The content of gzip members in a row, which zeros may follow; `gzip.GzipFile` takes several times as long."""
    stream, piece = zlib.decompressobj(wbits=31), file.read(CHUNK)
    while piece:
        try:
            content = stream.decompress(piece, CHUNK)
        except zlib.error as error:
            raise ValueError(f"the gzip data is damaged ({error})") from None
        if content:
            yield content
        piece = stream.unconsumed_tail
        if stream.eof:
            piece = stream.unused_data.lstrip(b"\0")
            while not piece and (more := file.read(CHUNK)):
                piece = more.lstrip(b"\0")
            if not piece:
                return
            stream = zlib.decompressobj(wbits=31)
        piece = piece or file.read(CHUNK)
    raise ValueError("the gzip data is cut short")
