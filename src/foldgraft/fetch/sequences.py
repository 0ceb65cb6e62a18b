"""All sequences into one FASTA file: local files first, then UniProtKB."""

import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.client import Client, FinalError, PassingError, check_services
from foldgraft.fetch.downloads import Row, lock_row
from foldgraft.fetch.identifiers import accession
from foldgraft.fetch.inputs import Item, accessions, sequence_paths
from foldgraft.fetch.settings import FetchSettings, SequencesSettings
from foldgraft.fetch.store import Store
from foldgraft.fetch.structures import file_row
from foldgraft.fetch.tables import Sequence, letters, merged, read_sequences, subsample
from foldgraft.progress import progress
from foldgraft.records import lock as lock_records
from foldgraft.records.fasta import write_fasta
from foldgraft.records.tables import write_frame

BATCH = 100  # accessions in one request, so that its URL stays short
PAGE = 500  # the service's largest


def fetch_sequences(
    sequences: SequencesSettings, data: Path, store: Path, fasta: Path, lock: Path, fetch: FetchSettings
) -> None:
    """Write the merged FASTA and the lock's rows: one per local file, accession, or page of a query."""
    rows: list[Row] = []
    check_services(fetch)
    with Client(fetch) as client:
        found = _all(sequences, data, Store(store), client, fetch, rows)
        write_merged(found, sequences.limit, fasta)
        client.check_answered(row["reason"] for row in rows if row["status"] == "rejected")
    write_frame(lock, pd.DataFrame(rows, columns=lock_records.SCHEMA.names), lock_records.SCHEMA)


def write_merged(found: Iterator[Sequence], limit: int | None, fasta: Path) -> None:
    """Write sequences, each id once; a file without any is an error."""
    count = 0

    def counted() -> Iterator[Sequence]:
        nonlocal count
        for record in progress(subsample(merged(found), limit), "sequences"):
            count += 1
            yield record
        if count == 0:
            raise FoldgraftError("sequences: nothing was found; see the reasons in the log")

    write_fasta(fasta, counted())


def _all(
    sequences: SequencesSettings, data: Path, store: Store, client: Client, fetch: FetchSettings, rows: list[Row]
) -> Iterator[Sequence]:
    paths = sequence_paths(sequences, data)
    rows += [file_row(path, data, store) for path in paths]
    yield from read_sequences(paths)
    base = fetch.services.uniprot.rstrip("/")
    names = accessions(sequences.uniprot.accessions, "sequences.uniprot.accessions")
    for start in range(0, len(names), BATCH):
        yield from _batch(names[start : start + BATCH], base, client, store, rows)
    if sequences.uniprot.query:
        yield from _query(sequences.uniprot.query, sequences.limit, base, client, store, rows)


def _batch(names: list[str], base: str, client: Client, store: Store, rows: list[Row]) -> Iterator[Sequence]:
    """Sequences of a batch of accessions; one that the answer lacks is a rejected row."""
    url = f"{base}/accessions?accessions={','.join(names)}&format=fasta&size={PAGE}"
    origin: dict[str, Row] = {}
    try:
        for page, records in _pages(url, client, store):
            origin |= dict.fromkeys((name for name, _ in records), page)
            yield from records
        reason = "UniProtKB has no such entry, or it is inactive (merged, split or deleted)"
    except (PassingError, FinalError) as error:
        reason = str(error)
    for name in names:
        item = Item("uniprot", name, name)
        if name in origin:
            rows.append(lock_row(item, **origin[name], status="stored"))
        else:
            rows.append(lock_row(item, url, "rejected", reason=reason))
            print(f"{name}: {reason}", file=sys.stderr)


def _query(
    query: str, limit: int | None, base: str, client: Client, store: Store, rows: list[Row]
) -> Iterator[Sequence]:
    """Sequences that a query finds; an answer that breaks off is an error, since a part of it would pass for all."""
    url = f"{base}/search?{urlencode({'query': query, 'format': 'fasta', 'size': PAGE})}"
    count = 0
    try:
        for number, (page, records) in enumerate(_pages(url, client, store)):
            rows.append(lock_row(Item("uniprot", f"query-{number:05d}", query), **page, status="stored"))
            yield from records
            count += len(records)
            if limit and count >= limit:
                return
    except (PassingError, FinalError) as error:
        raise FoldgraftError(f"sequences.uniprot.query: {query!r} failed after {count} sequences: {error}") from None


def _pages(url: str, client: Client, store: Store) -> Iterator[tuple[dict[str, object], list[Sequence]]]:
    """Pages of an answer, following the Link header: what the lock says of each, and its sequences."""
    following: str | None = url
    while following:
        answer = client.get(following)
        records = parse_fasta(answer.text)
        sha256, size = store.add([answer.content])
        release = answer.headers.get("X-UniProt-Release")
        yield {"url": following, "sha256": sha256, "bytes": size, "release": release}, records
        following = answer.links.get("next", {}).get("url")


def parse_fasta(text: str) -> list[Sequence]:
    """Records of a UniProt answer, each under its accession.

    Raises
    ------
    FinalError
        if the answer is no FASTA.
    """
    if text.strip() and not text.startswith(">"):
        raise FinalError(f"the answer is no FASTA: it begins with {text[:30]!r}")
    records = []
    for part in text.split(">")[1:]:
        header, _, body = part.partition("\n")
        words = header.split("|")
        name = accession(words[1] if len(words) > 2 else header.split(" ")[0])
        if name is None:
            raise FinalError(f"the answer has a record without an accession: {header[:40]!r}")
        records.append((name, letters(body, f"UniProtKB {name}")))
    return records
