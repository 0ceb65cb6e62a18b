"""Bytes of a structure file: decompressed within a bound, and which format they are in."""

import re
import zlib

from foldgraft.curate.entry import UnreadableError

BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
CIF = re.compile(rb"\s*(?:#[^\n]*\n\s*)*data_", re.IGNORECASE)
TO_ASCII = bytes(range(128)) + b"?" * 128
PDB = re.compile(rb"^(?:ATOM |HETATM)", re.MULTILINE)


def decompress(raw: bytes, limit: int) -> bytes:
    """`raw` itself, or its content if it is gzip; several gzip members in a row are one file.

    Raises
    ------
    UnreadableError
        if the gzip data is damaged or cut, or there is more than `limit` bytes of content.
    """
    if not raw.startswith(b"\x1f\x8b"):
        if len(raw) > limit:
            raise UnreadableError("too_large", f"the file is larger than {limit} bytes", str(len(raw)))
        return raw
    parts, size = [], 0
    while raw.startswith(b"\x1f\x8b"):
        stream = zlib.decompressobj(wbits=31)
        try:
            part = stream.decompress(raw, limit - size + 1)
        except zlib.error as error:
            raise UnreadableError("gzip", f"the gzip data is damaged ({error})") from None
        size += len(part)
        if size > limit:
            raise UnreadableError("too_large", f"the file decompresses to more than {limit} bytes", f">{limit}")
        if not stream.eof:
            raise UnreadableError("gzip", "the gzip data is cut short")
        parts.append(part)
        raw = stream.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)


def plain_text(content: bytes) -> bytes:
    """The content in ASCII with line feeds, whatever editor it went through.

    Byte-order marks are taken off, UTF-16 is decoded, carriage returns that end lines alone become line feeds, and
    bytes beyond ASCII, which neither format allows and names of authors bring in, become ?.
    """
    for mark, encoding in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            content = content[len(mark) :]
            content = content if encoding == "utf-8" else content.decode(encoding, "replace").encode("ascii", "replace")
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    return content if content.isascii() else content.translate(TO_ASCII)


def format_of(content: bytes) -> str:
    """`mmcif` or `pdb`, judged by the content, since names lie.

    Raises
    ------
    UnreadableError
        if it is neither.
    """
    if not content.strip():
        raise UnreadableError("empty", "the file is empty")
    if CIF.match(content):
        return "mmcif"
    if PDB.search(content):
        return "pdb"
    raise UnreadableError("not_a_structure", "neither mmCIF nor PDB: no data_ block and no ATOM record")
