"""UniProtKB's REST service. An entry is believed when its sequence has the checksum that stands beside it."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.client import Client, FinalError, PassingError
from foldgraft.fetch.identifiers import accession
from foldgraft.fetch.store import Store, spool
from foldgraft.fetch.tables import clean_sequence

FIELDS = "accession,id,organism_name,sequence,version"
PAGE = 500  # the service's largest
POLYNOMIAL = 0xD800000000000000
"""x^64 + x^4 + x^3 + x + 1 of ISO 3309, the lowest power in the highest bit: UniProt's CRC64."""


class Entry(NamedTuple):
    """An entry of an answer: a sequence, or why there is none."""

    accession: str
    sequence: str = ""
    version: str | None = None
    fault: str = ""
    """Why the answer is not believed; another attempt may mend it."""
    withdrawn: str = ""
    """What became of an entry that is no longer in use, or has another accession now."""
    successors: tuple[str, ...] = ()


class Page(NamedTuple):
    """A stored answer, and what its headers say; `total` is the number of results on all pages."""

    url: str
    sha256: str
    bytes: int
    release: str | None
    total: int | None
    following: str | None
    entries: list[Entry]


class Uniprot:
    """The service, each of whose answers goes into the store as it arrived."""

    def __init__(self, base: str, client: Client, store: Store):
        self._base, self._client, self._store = base.rstrip("/"), client, store

    def url(self, name: str) -> str:
        """Address of one entry."""
        return f"{self._base}/{name}.json"

    def batch(self, names: list[str]) -> Page:
        """What the service has of at most 500 accessions, in any order; `entry` tells what became of the others.

        Raises
        ------
        PassingError, FinalError
            if there is no answer, or it cannot be read.
        """
        asked = urlencode({"accessions": ",".join(names), "fields": FIELDS, "format": "json", "size": PAGE}, safe=",")
        return self._page(f"{self._base}/accessions?{asked}", strict=False)

    def entry(self, name: str) -> tuple[Entry, Page]:
        """One entry; a name under which another entry is found is withdrawn in its favour.

        Raises
        ------
        PassingError, FinalError
            if there is no answer, it cannot be read, or its sequence does not have its checksum.
        """
        page = self._page(self.url(name), strict=True)
        if len(page.entries) != 1:
            raise FinalError(f"the answer holds {len(page.entries)} entries instead of one")
        entry = page.entries[0]
        if entry.accession != name:
            entry = Entry(name, withdrawn=f"now {entry.accession}", successors=(entry.accession,))
        return entry, page

    def query(self, query: str) -> Iterator[Page]:
        """The pages that a query finds.

        Raises
        ------
        PassingError, FinalError
            if an answer fails as in `entry`, leads away from the service, or the number of entries is not as stated.
        """
        asked = {"query": query, "fields": FIELDS, "format": "json", "size": PAGE}
        following: str | None = f"{self._base}/search?{urlencode(asked, safe=',')}"
        count = 0
        while following:
            page = self._page(following, strict=True)
            if page.total is None:
                raise FinalError("the service does not say how many results there are (X-Total-Results)")
            yield page
            count += len(page.entries)
            following = self._trusted(page.following) if page.following and page.entries else None
            if count > page.total or (following is None and count < page.total):
                raise FinalError(f"the service states {page.total} results and sent {count}")

    def _page(self, url: str, strict: bool) -> Page:
        """An answer in the store; `strict` lets none pass that holds a sequence without its checksum."""

        def attempt() -> Page:
            with self._store.incoming() as temporary:
                with self._client.stream("GET", url) as response:
                    sha256, size = spool(self._client.chunks(response), temporary)
                entries = parse(temporary.read_bytes())
                fault = next((entry for entry in entries if entry.fault), None)
                if strict and fault:
                    raise PassingError(f"{fault.accession}: {fault.fault}")
                self._store.adopt(temporary, sha256)
            headers = response.headers
            release = ", ".join(filter(None, map(headers.get, ("X-UniProt-Release", "X-UniProt-Release-Date"))))
            total = headers.get("X-Total-Results", "")
            following = response.links.get("next", {}).get("url")
            return Page(
                url=str(response.url),
                sha256=sha256,
                bytes=size,
                release=release or None,
                total=int(total) if total.isdecimal() else None,
                following=urljoin(str(response.url), following) if following else None,
                entries=entries,
            )

        return self._client.patiently(url, attempt)

    def _trusted(self, url: str) -> str:
        """The URL of the next page, if it is https or on the very host that is configured."""
        if urlsplit(url).scheme != "https" and urlsplit(url)[:2] != urlsplit(self._base)[:2]:
            raise FinalError(f"the next page is neither https nor on the host of {self._base}: {url}")
        return url


def parse(content: bytes) -> list[Entry]:
    """Entries of an answer: a page of results, or an entry by itself.

    Raises
    ------
    PassingError
        if the answer is something else, or cut short.
    """
    try:
        answer = json.loads(content)
        return [_entry(value) for value in answer.get("results", [answer])]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        shown = content[:30].decode(errors="replace")
        raise PassingError(f"the answer is no UniProtKB entry in JSON: it begins with {shown!r}") from None


def _entry(value: dict[str, Any]) -> Entry:
    name = accession(value["primaryAccession"])
    if name is None:
        raise ValueError
    if value.get("entryType") == "Inactive":
        return _inactive(name, value)
    version = value.get("entryAudit", {}).get("entryVersion")
    sequence = value["sequence"]["value"]
    fault = checksum_fault(sequence, value["sequence"])
    if fault:
        return Entry(name, fault=fault)
    try:
        return Entry(name, clean_sequence(sequence, "UniProtKB"), None if version is None else str(version))
    except FoldgraftError as error:
        return Entry(name, fault=str(error))


def _inactive(name: str, value: dict[str, Any]) -> Entry:
    inactive = value.get("inactiveReason", {})
    kind = str(inactive.get("inactiveReasonType", "withdrawn")).lower()
    successors = tuple(filter(None, map(accession, inactive.get("mergeDemergeTo", []))))
    if successors:
        return Entry(name, withdrawn=f"{kind} into {', '.join(successors)}", successors=successors)
    why = inactive.get("deletedReason")
    uniparc = value.get("extraAttributes", {}).get("uniParcId")
    what = f"{kind}{f' ({why})' if why else ''} by UniProtKB"
    return Entry(name, withdrawn=f"{what}; its sequence is UniParc {uniparc}" if uniparc else what)


def checksum_fault(sequence: str, stated: dict[str, Any]) -> str:
    """What is wrong with a sequence's checksum, MD5 or, if that is not given, CRC64; nothing is ""."""
    if stated.get("md5"):
        name, computed = "md5", hashlib.md5(sequence.encode("ascii"), usedforsecurity=False).hexdigest()
    elif stated.get("crc64"):
        name, computed = "crc64", crc64(sequence)
    else:
        return "the sequence has no checksum beside it"
    if computed.lower() == str(stated[name]).lower():
        return ""
    return f"the sequence does not have the {name} stated beside it"


def crc64(sequence: str) -> str:
    """CRC64 of a sequence as UniProt prints it: 16 upper-case hexadecimal digits."""
    value = 0
    for byte in sequence.encode("ascii"):
        value = TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return f"{value:016X}"


def _table() -> list[int]:
    values = list(range(256))
    for _ in range(8):
        values = [(value >> 1) ^ (POLYNOMIAL if value & 1 else 0) for value in values]
    return values


TABLE = _table()
