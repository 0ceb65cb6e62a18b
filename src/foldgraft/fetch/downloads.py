"""Download one structure file, and believe it only when its content is what was asked for."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from foldgraft.fetch.client import Client, FinalError, PassingError, allowed
from foldgraft.fetch.inputs import Item
from foldgraft.fetch.packed import decompressed
from foldgraft.fetch.settings import FetchSettings
from foldgraft.fetch.store import Store, spool
from foldgraft.fetch.withdrawn import Withdrawal, withdrawal

Row = dict[str, Any]
Trust = Callable[[Path, str, int], None]  # path, id, most bytes after decompression

BLOCK = re.compile(rb"data_(\S+)", re.IGNORECASE)
VALUE = re.compile(rb"\s+(\S+)")
MARKUP = re.compile(rb"\s*<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)
HEAD = 65536  # bytes in which the name of the data block must stand
AGAIN = "--forcerun fetch_structures tries again"
NULLS = ("sha256", "bytes", "revision", "release", "reason")


class Arrival(NamedTuple):
    """A file that has come into the store, and what the server says of it."""

    sha256: str
    bytes: int
    url: str
    modified: str | None
    etag: str | None


def lock_row(item: Item, url: str, status: str, **more: object) -> Row:
    """A row of the lock but for its shard; what is not given is null."""
    identity = {"source": item.source, "id": item.id, "url": url, "retrieved": _now(), "status": status}
    return {**identity, **dict.fromkeys(NULLS), **more}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def download(item: Item, client: Client, store: Store, settings: FetchSettings, trust: Trust | None = None) -> Row:
    """Bring one item of a web service into the store, unless it is there; a failure is a rejected row.

    A withdrawn PDB entry with successors is a row of status `replaced` that names them as `successors`. `trust` raises
    a `PassingError` for a file that is not what was asked for; by default, for no structure.
    """
    known = store.remembered(item.source, item.id)
    if known and not due(known, settings):
        return locked(known)
    url = ""
    try:
        url, version = ADDRESS[item.source](item, client, settings)
        bound = settings.max_decompressed_mb * 10**6
        arrival = _stored(url, client, store, known, lambda path: (trust or believe)(path, item.id, bound))
    except (PassingError, FinalError) as error:
        if item.source == "rcsb" and isinstance(error, FinalError) and error.status == 404:
            return _missing(item, url, client, settings, known)
        if known:
            return _kept(known, str(error))
        hint = f"; {AGAIN}" if isinstance(error, PassingError) and item.source != "sifts" else ""
        return lock_row(item, url, "rejected", reason=f"{error}{hint}")
    if known and (arrival is None or arrival.sha256 == known["sha256"]):
        store.remember({**known, "checked": _now()})
        return locked(known)
    about = {"sha256": arrival.sha256, "bytes": arrival.bytes, "revision": version, "release": arrival.modified}
    row = lock_row(item, arrival.url, "stored", **about)
    store.remember({**row, "asked": url, "etag": arrival.etag, "checked": row["retrieved"]})
    return row


def due(known: Row, settings: FetchSettings) -> bool:
    """Whether what was downloaded is to be asked for again; days are compared, in UTC."""
    day = settings.refreshed_after
    return day is not None and str(known.get("checked") or known["retrieved"])[:10] < day.isoformat()


def locked(known: Row) -> Row:
    """Of what was noted of a download, what the lock says."""
    return {name: known.get(name) for name in ("source", "id", "url", "retrieved", "status", *NULLS)}


def _kept(known: Row, reason: str) -> Row:
    return locked(known) | {"reason": f"kept as it was, since it could not be asked for again: {reason}"}


def _missing(item: Item, url: str, client: Client, settings: FetchSettings, known: Row | None) -> Row:
    """What becomes of an entry of which there is no file."""
    reason = "HTTP 404 (not found), and the PDB knows of no withdrawal"
    try:
        removal = withdrawal(item.id, client, settings.services.rcsb_data)
    except (PassingError, FinalError) as error:
        removal = None
        reason = f"HTTP 404 (not found), and whether it was withdrawn could not be asked: {error}; {AGAIN}"
    if removal:
        return _withdrawn(item, url, removal)
    return _kept(known, reason) if known else lock_row(item, url, "rejected", reason=reason)


def _withdrawn(item: Item, url: str, removal: Withdrawal) -> Row:
    if not removal.successors:
        return lock_row(item, url, "rejected", reason=f"withdrawn {removal.day} without a successor: {removal.why}")
    reason = f"withdrawn {removal.day}, replaced by {', '.join(removal.successors)}"
    return lock_row(item, url, "replaced", reason=reason, successors=removal.successors)


def _rcsb(item: Item, client: Client, settings: FetchSettings) -> tuple[str, str | None]:
    return f"{settings.services.rcsb_files.rstrip('/')}/{item.location}.cif.gz", None


def _alphafold(item: Item, client: Client, settings: FetchSettings) -> tuple[str, str | None]:
    """The URL that the service names for the model, and the model's version with its sequence's checksum: none of
    them is guessed."""
    nothing = f"the AlphaFold database has no model {item.id}"
    try:
        models = client.ask(f"{settings.services.alphafold.rstrip('/')}/{item.location}")
    except FinalError as error:
        raise FinalError(nothing if error.status == 404 else str(error), error.status) from None
    try:
        model = next(m for m in models if item.id in (m.get("entryId"), m.get("modelEntityId")))
        url, version, checksum = model["cifUrl"], model.get("latestVersion"), model.get("sequenceChecksum")
        if not allowed(url):
            raise FinalError(f"refused: {url} is not https")
    except (ValueError, TypeError, AttributeError, KeyError, StopIteration):
        raise FinalError(nothing) from None
    parts = [str(version) if version else "", f"sequence checksum {checksum}" if checksum else ""]
    return url, ", ".join(filter(None, parts)) or None


ADDRESS: dict[str, Callable[[Item, Client, FetchSettings], tuple[str, str | None]]] = {
    "rcsb": _rcsb,
    "alphafold": _alphafold,
    "sifts": lambda item, client, settings: (item.location, None),
}


def _stored(url: str, client: Client, store: Store, known: Row | None, check: Callable[[Path], None]) -> Arrival | None:
    """What arrived, once its bytes are in the store; None if the server says that what is known has not changed."""

    def attempt() -> Arrival | None:
        with store.incoming() as temporary:
            with client.stream("GET", url, headers=_conditions(url, known)) as response:
                if response.status_code == 304:
                    return None
                kind = response.headers.get("Content-Type", "")
                if kind.startswith("text/html"):
                    raise PassingError(f"the answer is a web page ({kind})")
                sha256, size = spool(client.chunks(response), temporary)
                final, headers = str(response.url), response.headers
            check(temporary)
            store.adopt(temporary, sha256)
            return Arrival(sha256, size, final, headers.get("Last-Modified"), headers.get("ETag"))

    return client.patiently(url, attempt)


def _conditions(url: str, known: Row | None) -> dict[str, str]:
    """Headers that spare the server a file which has not changed, if it was had from the same URL."""
    if known is None or known.get("asked") != url:
        return {}
    asked = {"If-None-Match": known.get("etag"), "If-Modified-Since": known.get("release")}
    return {name: value for name, value in asked.items() if value and value.isascii()}


def believe(path: Path, entry: str, bound: int) -> None:
    """Raise a `PassingError` unless the file is a whole mmCIF file of this entry."""
    head = end = b""
    try:
        for piece in decompressed(path, bound):
            end = piece[-1:] or end
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
    if end != b"\n":
        raise PassingError("the file is not whole: it ends within a line")


def _names(head: bytes, block: re.Match[bytes]) -> list[str]:
    stated = [VALUE.match(rest) for rest in head.split(b"\n_entry.id")[1:]]  # ten times faster than a search by pattern
    return [match[1].decode("latin-1") for match in (block, *filter(None, stated))]


def _spellings(entry: str) -> set[str]:
    lower = entry.lower()
    return {lower, f"pdb_0000{lower}"} if len(lower) == 4 else {lower}
