"""Checksums of what parquet's own leave out: the footer, and the headers of pages.

A file ends with its footer, the footer's length in four bytes, and `PAR1`. What stands in the footer after its own end
is not read: there the format keeps the signature of a plaintext footer. Here it is the CRC-32 of each column of each
group of rows, in the footer's order, then `MARK`, then the CRC-32 of all that goes before.
"""

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import IO
from zlib import crc32

import pyarrow.parquet as pq

MAGIC = b"PAR1"
MARK = b"FGCK"
WORD = 4


def seal(path: Path) -> None:
    """Add the checksums to a file that was just written."""
    metadata = pq.read_metadata(path)
    with Path(path).open("r+b") as file:
        footer = _footer(file)
        sums = b"".join(
            _word(_sum(file, metadata.row_group(group).column(column)))
            for group in range(metadata.num_row_groups)
            for column in range(metadata.num_columns)
        )
        sealed = footer + sums + MARK
        file.seek(-WORD - len(MAGIC) - len(footer), os.SEEK_END)
        file.write(sealed + _word(crc32(sealed)) + _word(len(sealed) + WORD) + MAGIC)


def sound(path: Path) -> bool | None:
    """Whether the footer is that which was written; None where the file has no checksum of it.

    Raises
    ------
    OSError
        if the file cannot be read, or has no footer.
    """
    with Path(path).open("rb") as file:
        footer = _footer(file)
    sealed, check = footer[:-WORD], footer[-WORD:]
    return _word(crc32(sealed)) == check if sealed.endswith(MARK) else None


def damaged(path: Path, metadata: pq.FileMetaData, columns: Collection[str], groups: Iterable[int]) -> str | None:
    """The first of these columns whose bytes in one of these groups of rows differ from their checksum, if any.

    The footer must be sound. Bytes are read a column of a group at a time.
    """
    indices = range(metadata.num_columns)
    with Path(path).open("rb") as file:
        sums = _footer(file)[: -WORD - len(MARK)][-WORD * metadata.num_row_groups * len(indices) or None :]
        for group in groups:
            for index in indices:
                chunk, at = metadata.row_group(group).column(index), WORD * (group * len(indices) + index)
                name = chunk.path_in_schema.partition(".")[0]
                if name in columns and _word(_sum(file, chunk)) != sums[at : at + WORD]:
                    return name
    return None


def _sum(file: IO[bytes], chunk: pq.ColumnChunkMetaData) -> int:
    first = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
    file.seek(first)
    return crc32(file.read(chunk.total_compressed_size))


def _word(number: int) -> bytes:
    return number.to_bytes(WORD, "little")


def _footer(file: IO[bytes]) -> bytes:
    size = file.seek(0, os.SEEK_END)
    file.seek(-min(WORD + len(MAGIC), size), os.SEEK_END)
    end = file.read()
    length = int.from_bytes(end[:WORD], "little")
    if end[WORD:] != MAGIC or length + len(end) > size:
        raise OSError("it does not end as a parquet file does")
    file.seek(-len(end) - length, os.SEEK_END)
    return file.read(length)
