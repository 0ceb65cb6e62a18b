"""All sequences into one FASTA file: local files first, then UniProtKB; or all of them again from a lock."""

import sys
from collections import Counter, deque
from collections.abc import Iterator
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.client import Client, FinalError, PassingError, check_services
from foldgraft.fetch.downloads import Row, lock_row
from foldgraft.fetch.inputs import Item, accessions, sequence_paths, shown_path
from foldgraft.fetch.origin import Origin
from foldgraft.fetch.replay import Replay
from foldgraft.fetch.settings import SequencesSettings
from foldgraft.fetch.store import Store
from foldgraft.fetch.structures import file_row
from foldgraft.fetch.tables import Sequence, merged, read_sequences, subsample
from foldgraft.fetch.uniprot import Entry, Page, Uniprot, parse
from foldgraft.progress import progress
from foldgraft.records.fasta import write_fasta
from foldgraft.records.lock import store_path, write_piece

SHARD = "sequences"
BATCH = 100  # accessions in one request, so that its URL stays short
MOST_SUCCESSORS = 100  # entries looked at for one that was withdrawn
AGAIN = "--forcerun fetch_sequences tries again"

Answer = tuple[Entry, Page | None]  # no page: the service could not be asked


def fetch_sequences(sequences: SequencesSettings, origin: Origin, fasta: Path, lock: Path) -> None:
    """Write the merged FASTA and the lock's rows: one per local file, accession, or page of a query.

    In a replay both are what they were then.
    """
    if origin.earlier:
        _replay(origin.earlier, sequences.limit, fasta, lock)
        return
    rows: list[Row] = []
    check_services(origin.settings)
    with Client(origin.settings) as client:
        records = _all(sequences, origin, client, rows)
        write_merged(records, sequences.limit, fasta)
        refused = (row for row in rows if row["status"] == "rejected" and row["source"] == "uniprot")
        client.check_answered(row["reason"] for row in refused)
    write_piece(lock, SHARD, rows)
    print(", ".join(f"{n} {status}" for status, n in Counter(r["status"] for r in rows).items()), file=sys.stderr)


def _replay(replay: Replay, limit: int | None, fasta: Path, lock: Path) -> None:
    rows = replay.rows(SHARD)

    def records() -> Iterator[Sequence]:
        for row in rows:
            if row["status"] == "stored":
                path = replay.path(row)
                known = stored(row, path) if row["source"] == "uniprot" else read_sequences([path], _in_the_lock)
                yield from known

    write_merged(records(), limit, fasta)
    write_piece(lock, SHARD, rows)


def _in_the_lock(path: Path, name: str, reason: str) -> None:
    """A record that is turned away in a replay was so before, and has its row."""


def write_merged(records: Iterator[Sequence], limit: int | None, fasta: Path) -> None:
    """Write sequences, each id once; a file without any is an error."""
    count = 0

    def counted() -> Iterator[Sequence]:
        nonlocal count
        for record in progress(subsample(merged(records), limit), "sequences"):
            count += 1
            yield record
        if count == 0:
            raise FoldgraftError("sequences: nothing was found; see the reasons in the log")

    write_fasta(fasta, counted())


def stored(row: Row, path: Path) -> list[Sequence]:
    """The sequences that a row of the lock takes from its stored answer: those of a query's page, or one.

    Raises
    ------
    FoldgraftError
        if they are not there.
    """
    try:
        records = _sequences(path)
    except PassingError as error:
        raise FoldgraftError(f"{row['id']}: {path}: {error}") from None
    if not row["id"].startswith("query-"):
        records = [record for record in records if record[0] == row["id"]]
        if not records:
            raise FoldgraftError(f"{row['id']}: {path} does not hold its sequence")
    return records


@lru_cache(maxsize=1)  # the rows of one answer follow each other
def _sequences(path: Path) -> list[Sequence]:
    return _living(parse(path.read_bytes()))


def _living(entries: list[Entry]) -> list[Sequence]:
    return [(entry.accession, entry.sequence) for entry in entries if entry.sequence]


def _all(sequences: SequencesSettings, origin: Origin, client: Client, rows: list[Row]) -> Iterator[Sequence]:
    store, fetch = origin.store, origin.settings
    paths = sequence_paths(sequences, origin.data)
    rows += [file_row(path, origin) for path in paths]

    def reject(path: Path, name: str, reason: str) -> None:
        rows.append(lock_row(Item("files", name, ""), shown_path(path, origin.data), "rejected", reason=reason))
        print(f"{path} ({name}): {reason}", file=sys.stderr)

    yield from read_sequences(paths, reject)
    service = Uniprot(fetch.services.uniprot, client, store)
    names = accessions(sequences.uniprot.accessions, "sequences.uniprot.accessions")
    yield from Accessions(names, service, store, fetch.refreshed_after, rows).sequences()
    if sequences.uniprot.query:
        yield from _query(sequences.uniprot.query, sequences.limit, service, rows)


class Accessions:
    """Entries asked for by accession: what the store remembers is not asked for again, what was withdrawn is followed.

    An entry stays as it is until UniProt's next release, so one that was downloaded before `refreshed_after` is asked
    for again only if there has been one. What became of a withdrawn or missing entry is asked each time.
    """

    def __init__(self, names: list[str], service: Uniprot, store: Store, refreshed_after: date | None, rows: list[Row]):
        self._names, self._service, self._store, self._rows = list(dict.fromkeys(names)), service, store, rows
        self._fresh = refreshed_after.isoformat() if refreshed_after else ""
        self._taken = set(names)

    def sequences(self) -> Iterator[Sequence]:
        """The sequences in the order of the accessions, those of successors in place of the withdrawn."""
        for start in range(0, len(self._names), BATCH):
            part = self._names[start : start + BATCH]
            kept = {name: row for name in part if (row := self._kept(name))}
            answers = self._batch([name for name in part if name not in kept])
            for name in part:
                if name in kept:
                    self._rows.append(kept[name])
                    yield from stored(kept[name], store_path(self._store.root, kept[name]["sha256"]))
                else:
                    yield from self._settle(name, answers.get(name) or self._single(name))

    def _kept(self, name: str) -> Row | None:
        row = self._store.remembered("uniprot", name)
        if row and row["retrieved"] < self._fresh and (row["release"] is None or row["release"] != self._release):
            return None
        return row

    @cached_property
    def _release(self) -> str | None:
        """The service's present release, by asking for any entry."""
        _, page = self._single(self._names[0])
        return page.release if page else None

    def _batch(self, names: list[str]) -> dict[str, Answer]:
        """Answers in use, by accession; if the service fails, it fails for all of the batch."""
        if not names:
            return {}
        try:
            page = self._service.batch(names)
        except (PassingError, FinalError) as error:
            return {name: _failed(name, error) for name in names}
        return {entry.accession: (entry, page) for entry in page.entries if entry.sequence}

    def _single(self, name: str) -> Answer:
        try:
            return self._service.entry(name)
        except (PassingError, FinalError) as error:
            return _failed(name, error)

    def _settle(self, name: str, answer: Answer) -> Iterator[Sequence]:
        entry, _ = answer
        if not entry.successors:
            yield from self._note(answer)
            return
        heirs = self._heirs(entry)
        if any(heir.sequence for heir, _ in heirs):
            self._rows.append(lock_row(_item(name), self._service.url(name), "replaced", reason=entry.withdrawn))
            print(f"{name}: {entry.withdrawn}", file=sys.stderr)
        else:
            self._reject(name, f"{entry.withdrawn}, of which none could be had")
        for heir in heirs:
            if heir[0].accession not in self._taken:
                self._taken.add(heir[0].accession)
                yield from self._note(heir, f"successor of {name}")

    def _heirs(self, old: Entry) -> list[Answer]:
        """What stands at the end of each chain of successors; a chain that leads back has no end."""
        queue, seen, answers = deque(old.successors), {old.accession}, []
        while queue and len(seen) <= MOST_SUCCESSORS:
            name = queue.popleft()
            if name not in seen:
                seen.add(name)
                answer = self._single(name)
                queue.extend(answer[0].successors)
                answers += [] if answer[0].successors else [answer]
        beyond = f"not asked for, since {old.accession} leads to more than {MOST_SUCCESSORS} entries"
        return answers + [(Entry(name, fault=beyond), None) for name in dict.fromkeys(queue) if name not in seen]

    def _note(self, answer: Answer, reason: str | None = None) -> Iterator[Sequence]:
        """Write down an entry that was had, or why it was not."""
        entry, page = answer
        if not page or not entry.sequence:
            self._reject(entry.accession, ": ".join(filter(None, [reason, entry.withdrawn or entry.fault])))
            return
        row = _page_row(entry.accession, page, revision=entry.version)
        self._store.remember(row)
        self._rows.append({**row, "reason": reason})
        yield entry.accession, entry.sequence

    def _reject(self, name: str, reason: str) -> None:
        self._rows.append(lock_row(_item(name), self._service.url(name), "rejected", reason=reason))
        print(f"{name}: {reason}", file=sys.stderr)


def _query(query: str, limit: int | None, service: Uniprot, rows: list[Row]) -> Iterator[Sequence]:
    """Sequences that a query finds; an answer that breaks off is an error, since a part of it would pass for all."""
    count = 0
    try:
        for number, page in enumerate(service.query(query)):
            rows.append(_page_row(f"query-{number:05d}", page))
            for entry in page.entries:
                if not entry.sequence:
                    rows.append(lock_row(_item(entry.accession), page.url, "rejected", reason=entry.withdrawn))
                    print(f"{entry.accession}: {entry.withdrawn}", file=sys.stderr)
            yield from _living(page.entries)
            count += len(page.entries)
            if limit and count >= limit:
                return
    except (PassingError, FinalError) as error:
        raise FoldgraftError(f"sequences.uniprot.query: {query!r} failed after {count} sequences: {error}") from None


def _failed(name: str, error: PassingError | FinalError) -> Answer:
    return Entry(name, fault=f"{error}; {AGAIN}" if isinstance(error, PassingError) else str(error)), None


def _page_row(name: str, page: Page, **more: object) -> Row:
    answer = {"sha256": page.sha256, "bytes": page.bytes, "release": page.release}
    return lock_row(_item(name), page.url, "stored", **answer, **more)


def _item(name: str) -> Item:
    return Item("uniprot", name, name)
