"""Alignments by ColabFold's MSA server (Mirdita et al. 2022, doi 10.1038/s41592-022-01488-1).

A ticket is submitted for one sequence, asked for until it is done, and its result downloaded. The server asks to be
told who is calling, to be asked by one machine at a time, and not to be hurried, so one job of all that share a store
asks at a time. What was answered once is in the store, and not asked for again.
"""

import fcntl
import gzip
import random
import re
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.client import Client, FinalError, PassingError, check_services
from foldgraft.fetch.downloads import Row, due, lock_row, locked
from foldgraft.fetch.inputs import Item
from foldgraft.fetch.origin import Origin
from foldgraft.fetch.packed import decompressed
from foldgraft.fetch.settings import FetchSettings
from foldgraft.fetch.store import Store, spool
from foldgraft.progress import progress
from foldgraft.records.alignments import read_queries
from foldgraft.records.lock import write_piece

SOURCE = "colabfold"
MODE = "env"
"""Searches UniRef30 and the environmental databases, and filters what is found."""
MEMBERS = ("uniref.a3m", "bfd.mgnify30.metaeuk30.smag30.a3m")
"""Files of a result that are alignments of the sequence, the first always there."""
POLL = (5.0, 10.0)  # seconds between two questions, drawn at random, as ColabFold's own client waits
QUESTIONS = 1500  # about a ticket, about three hours
SHORTEST = 14  # residues; MMseqs2 finds next to nothing for shorter ones
TICKET = re.compile(r"[A-Za-z0-9_-]{1,128}")
AGAIN = "what it answered before is kept in the store, so run again later"


def fetch_alignments(queries: Path, shard: str, origin: Origin, lock: Path) -> None:
    """Bring the alignments of a shard's sequences into the store, and write its piece of the lock.

    Sequences that an alignment given by the user serves are not sent anywhere. One that the server cannot align is a
    rejected row. In a replay nothing is read but the store.

    Raises
    ------
    FoldgraftError
        if the server is under maintenance, keeps refusing, or stops answering; what it answered before is kept.
    """
    table = read_queries(queries, shard)
    table = table[~table["given"]]
    name = f"alignments_{shard}"
    if len(table) == 0:
        write_piece(lock, name, [])
    elif origin.earlier:
        origin.earlier.piece(name, lock)
    else:
        write_piece(lock, name, _rows(table, origin.store, origin.settings))


def _rows(table: pd.DataFrame, store: Store, fetch: FetchSettings) -> list[Row]:
    check_services(fetch)
    store.tidy()
    rows = []
    with Client(fetch) as client:
        asker = Asker(client, store, fetch)
        for query in progress(list(table.itertuples()), "alignments asked for"):
            rows.append(asker.row(query.id, query.sequence_sha256, query.sequence))
    for row in rows:
        if row["status"] == "rejected":
            print(f"{row['id']}: {row['reason']}", file=sys.stderr)
    return rows


class UnalignedError(Exception):
    """The server has no alignment of one sequence; it may have others."""


class Asker:
    """Asks a server for one alignment after another."""

    def __init__(self, client: Client, store: Store, fetch: FetchSettings):
        self._client, self._store, self._fetch = client, store, fetch
        self._base = fetch.services.colabfold.rstrip("/")
        self._url = f"{self._base}/ticket/msa"

    def row(self, name: str, sequence_sha256: str, sequence: str) -> Row:
        """The lock's row for a sequence, asked for unless the store has this server's answer."""
        item = Item(SOURCE, name, "")
        if len(sequence) < SHORTEST:
            return lock_row(item, self._url, "rejected", reason=f"not asked for, shorter than {SHORTEST} residues")
        row = self._known(sequence_sha256)
        if row is None:
            with self._alone():  # another job may have asked meanwhile
                row = self._known(sequence_sha256) or self._asked(item, sequence_sha256, sequence)
        return {**row, "id": name}

    def _known(self, sequence_sha256: str) -> Row | None:
        known = self._store.remembered(SOURCE, sequence_sha256)
        return locked(known) if known and known["url"] == self._url and not due(known, self._fetch) else None

    def _asked(self, item: Item, sequence_sha256: str, sequence: str) -> Row:
        try:
            ticket = self._ticket(sequence)
            sha256, size = self._result(ticket, sequence)
        except UnalignedError as error:
            return lock_row(item, self._url, "rejected", reason=str(error))
        except (PassingError, FinalError) as error:
            raise FoldgraftError(f"{self._base} gave no alignment of {item.id}: {error}; {AGAIN}") from None
        row = lock_row(item, self._url, "stored", sha256=sha256, bytes=size, revision=f"mode {MODE}, ticket {ticket}")
        self._store.remember({**row, "id": sequence_sha256, "checked": row["retrieved"]})
        return row

    def _ticket(self, sequence: str) -> str:
        """The ticket of a sequence, once its result is there."""
        ticket = None
        for _ in range(QUESTIONS):
            answer, wait = self._answer(ticket, sequence)
            state, ticket = answer.get("status"), answer.get("id", ticket)
            if ticket is not None and not TICKET.fullmatch(str(ticket)):
                raise FoldgraftError(f"{self._base} answered with a ticket that is none: {str(ticket)[:40]!r}")
            if state == "COMPLETE" and ticket:
                return str(ticket)
            if state == "ERROR":
                raise UnalignedError("the server could not align it")
            if state == "MAINTENANCE":
                raise FoldgraftError(f"{self._base} is under maintenance; {AGAIN}")
            if state in ("RATELIMIT", "UNKNOWN"):
                ticket = None  # submitted again; the server knows the same question by the same ticket
            elif state not in ("PENDING", "RUNNING"):
                raise FoldgraftError(f"{self._base} answered with a state that is none: {str(answer)[:80]}")
            self._client.sleep(max(random.uniform(*POLL), wait))
        raise FoldgraftError(f"{self._base} has not been done after {QUESTIONS} questions; {AGAIN}")

    def _answer(self, ticket: str | None, sequence: str) -> tuple[dict[str, Any], float]:
        """What the server says of a ticket, or to a new question, and for how many seconds it asks to be left alone."""

        def attempt() -> tuple[Any, float]:
            form = {} if ticket else {"data": {"q": f">101\n{sequence}\n", "mode": MODE}}
            url = f"{self._base}/ticket/{ticket or 'msa'}"
            try:
                return self._client.ask_once(url, **form), 0.0
            except PassingError as error:
                if error.status == 429:  # waited for like the others, not counted as a failure
                    return {"status": "RATELIMIT"}, error.wait
                raise

        answer, wait = self._client.patiently(self._base, attempt)
        if not isinstance(answer, dict):
            raise FoldgraftError(f"{self._base} answered with a state that is none: {str(answer)[:80]}")
        return answer, wait

    def _result(self, ticket: str, sequence: str) -> tuple[str, int]:
        """The sha256 and the size of the stored alignment of a ticket."""
        url, bound = f"{self._base}/result/download/{ticket}", self._fetch.max_decompressed_mb * 10**6

        def attempt() -> bytes:
            with self._store.incoming() as temporary:
                with self._client.stream("GET", url) as response:
                    spool(self._client.chunks(response), temporary)
                return read_result(temporary, sequence, bound)

        return self._store.add([gzip.compress(self._client.patiently(url, attempt), mtime=0)])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Waits until no other job of this store asks."""
        self._store.root.mkdir(parents=True, exist_ok=True)
        with (self._store.root / f"{SOURCE}.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def read_result(path: Path, sequence: str, bound: int) -> bytes:
    """The alignment in a result (tar.gz), as A3M whose first row is the sequence; nothing is written to disk.

    Parameters
    ----------
    bound : int
        most bytes after decompression.

    Raises
    ------
    PassingError
        if the result is damaged, or of another sequence.
    """
    try:
        for _ in decompressed(path, bound):  # so that what follows is bounded too
            pass
        with tarfile.open(path, "r:gz") as archive:
            members = (one for one in archive if one.isfile() and not one.issparse() and one.size <= bound)
            files = {member.name: member for member in members}  # holes of a sparse one would grow beyond the bound
            texts = [archive.extractfile(files[name]).read() for name in MEMBERS if name in files]
    except (ValueError, tarfile.TarError, EOFError) as error:
        raise PassingError(f"the result is not whole: {error}") from None
    if MEMBERS[0] not in files:
        raise PassingError(f"the result has no {MEMBERS[0]}")
    rows = [_homologs(text, sequence) for text in texts]
    return b"".join([f">query\n{sequence}\n".encode(), *rows])


def _homologs(text: bytes, sequence: str) -> bytes:
    """The rows of an alignment after its first, which must be the sequence; each file ends with NUL."""
    text = text.rstrip(b"\0\n")
    if not text:
        return b""
    _, _, rest = text.partition(b"\n")
    first, _, others = rest.partition(b"\n")
    if first.decode("ascii", errors="replace").strip() != sequence or b"\0" in others:
        raise PassingError("the result is of another sequence")
    return others + b"\n" if others else b""
