"""Download one structure file, and believe it only when its content is what was asked for."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from foldgraft.fetch.client import Client, FinalError, PassingError
from foldgraft.fetch.inputs import Item
from foldgraft.fetch.settings import FetchSettings
from foldgraft.fetch.store import Store, decompressed, spool

Row = dict[str, Any]

BLOCK = re.compile(rb"data_(\S+)", re.IGNORECASE)
MARKUP = re.compile(rb"\s*<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)
HEAD = 65536  # bytes in which the name of the data block must stand


def lock_row(item: Item, url: str, status: str, **more: object) -> Row:
    """A row of the lock; what is not given is null."""
    empty = dict.fromkeys(("sha256", "bytes", "revision", "release", "reason"))
    retrieved = datetime.now(UTC).isoformat(timespec="seconds")
    return {"source": item.source, "id": item.id, "url": url, "retrieved": retrieved, "status": status, **empty, **more}


def download(item: Item, client: Client, store: Store, settings: FetchSettings) -> Row:
    """Bring one item of a web service into the store, unless it is there; a failure is a rejected row."""
    known = store.remembered(item.source, item.id)
    if known:
        return known
    url = ""
    try:
        url, version = ADDRESS[item.source](item, client, settings)
        sha256, size, final, modified = _stored(item, url, client, store, settings)
    except (PassingError, FinalError) as error:
        return lock_row(item, url, "rejected", reason=str(error))
    row = lock_row(item, final, "stored", sha256=sha256, bytes=size, revision=version, release=modified)
    store.remember(row)
    return row


def _rcsb(item: Item, client: Client, settings: FetchSettings) -> tuple[str, str | None]:
    return f"{settings.services.rcsb_files.rstrip('/')}/{item.place}.cif.gz", None


def _alphafold(item: Item, client: Client, settings: FetchSettings) -> tuple[str, str | None]:
    """The URL that the service names for the model, and the model's version: neither is guessed."""
    answer = client.get(f"{settings.services.alphafold.rstrip('/')}/{item.place}")
    try:
        models = answer.json()
        model = next(m for m in models if item.id in (m.get("entryId"), m.get("modelEntityId")))
        return model["cifUrl"], str(model.get("latestVersion") or "") or None
    except (ValueError, TypeError, AttributeError, KeyError, StopIteration):
        raise FinalError(f"the AlphaFold database has no model {item.id}") from None


ADDRESS: dict[str, Callable[[Item, Client, FetchSettings], tuple[str, str | None]]] = {
    "rcsb": _rcsb,
    "alphafold": _alphafold,
}


def _stored(
    item: Item, url: str, client: Client, store: Store, settings: FetchSettings
) -> tuple[str, int, str, str | None]:
    """sha256, size, final URL and date of the file, once its bytes are in the store."""

    def attempt() -> tuple[str, int, str, str | None]:
        with store.incoming() as temporary:
            with client.stream("GET", url) as response:
                sha256, size = spool(client.chunks(response), temporary)
                final, modified = str(response.url), response.headers.get("Last-Modified")
            believe(temporary, item.id, settings.max_decompressed_mb * 10**6)
            store.adopt(temporary, sha256)
            return sha256, size, final, modified

    return client.patiently(attempt)


def believe(path: Path, entry: str, bound: int) -> None:
    """Raise a `PassingError` unless the file is a whole mmCIF file of this entry."""
    head = b""
    try:
        for piece in decompressed(path, bound):
            if len(head) < HEAD:
                head += piece[:HEAD]
    except ValueError as error:
        raise PassingError(f"the file is not whole: {error}") from None
    if not head:
        raise PassingError("the answer is empty")
    if MARKUP.match(head):
        raise PassingError("the answer is a web page, not a structure")
    block = BLOCK.search(head)
    if not block:
        raise PassingError("the answer is no mmCIF file: it has no data_ block")
    names = {name.strip("'\"").lower() for name in _names(head, block)}
    if not names & _spellings(entry):
        raise PassingError(f"the answer is another entry: {sorted(names)[0][:40]!r}")


def _names(head: bytes, block: re.Match[bytes]) -> list[str]:
    stated = re.findall(rb"^_entry\.id\s+(\S+)", head, re.MULTILINE)
    return [name.decode("latin-1") for name in (block.group(1), *stated)]


def _spellings(entry: str) -> set[str]:
    lower = entry.lower()
    return {lower, f"pdb_0000{lower}"} if len(lower) == 4 else {lower}
