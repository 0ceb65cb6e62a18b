"""Downloads beside Biopython's `PDBList` and a plain loop, from the same server on loopback.

    python benchmarks/benchmark_fetch.py [--entries 512] [--rounds 7] [--kilobytes 6 150] [--delays 0 20]

The server is another process. After the delay it answers each request with a gzip-compressed mmCIF file; those of a
size are compressed before the first request. `PDBList` downloads with as many threads as Foldgraft has connections (4)
and decompresses each file; the loop is `httpx.Client.get` and a write, one file after the other. Neither checks what
arrives. Foldgraft does: it hashes and decompresses every file, looks for the entry's id in it, and notes where it came
from. In each round the sides take turns, in another order, each into an empty folder. A ratio is of one round; shown
are the median of the rounds and, in brackets, the least and the largest. On a busy machine the CPU time tells more than
the clock. At the end, the peak memory of the command for shards of two sizes.
"""

import argparse
import asyncio
import contextlib
import gzip
import io
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, NamedTuple

import httpx
from Bio.PDB import PDBList

from foldgraft.fetch.inputs import Item
from foldgraft.fetch.origin import Origin
from foldgraft.fetch.settings import FetchSettings, ServicesSettings
from foldgraft.fetch.store import Store
from foldgraft.fetch.structures import bring

CONNECTIONS = FetchSettings().connections
ATOM = 18
"""Bytes of a compressed atom."""
Side = Callable[[list[str], str, Path], None]


def entry(name: str, atoms: int) -> bytes:
    """An mmCIF file of so many atoms, compressed as the PDB does: about 50 bytes of an atom stay 18."""
    of = random.Random(name)
    rows = [
        f"ATOM {k} C CA . ALA A 1 {k} ? {of.gauss(0, 20):.3f} {of.gauss(0, 20):.3f} {of.gauss(0, 20):.3f} 1.00 20.00"
        for k in range(atoms)
    ]
    return gzip.compress("\n".join([f"data_{name}", f"_entry.id {name}", *rows, "#", ""]).encode(), 6)


class Archive(asyncio.Protocol):
    """Just enough HTTP to answer any path that ends in an entry's file."""

    delay = 0.0
    entries: ClassVar[dict[str, bytes]] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            found = re.match(rb"GET \S*/(\w+)\.cif\.gz", head)
            body = self.entries[found[1].decode()] if found else b""
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            asyncio.get_running_loop().call_later(self.delay, self.transport.write, answer)


async def serve(delay: float, kilobytes: int, count: int) -> None:
    """Answer until killed; the port is printed."""
    atoms = kilobytes * 1000 // ATOM
    Archive.delay, Archive.entries = delay, {name: entry(name, atoms) for name in entry_names(count)}
    server = await asyncio.get_running_loop().create_server(Archive, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def archive(delay: float, kilobytes: int, count: int) -> Iterator[str]:
    """The server in a process of its own; yields its URL."""
    command = [sys.executable, __file__, "--serve", str(delay), str(kilobytes), str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.terminate()


def settings_for(base: str) -> FetchSettings:
    return FetchSettings(services=ServicesSettings(rcsb_files=f"{base}/download"))


def by_foldgraft(names: list[str], base: str, folder: Path) -> None:
    items, settings = [Item("rcsb", name, name) for name in names], settings_for(base)
    with contextlib.redirect_stderr(io.StringIO()):
        bring(items, "rcsb-00000", Origin(folder, Store(folder / "store"), settings), folder / "l.parquet", set(names))


def by_pdblist(names: list[str], base: str, folder: Path) -> None:
    archive = PDBList(server=base, pdb=str(folder), verbose=False)
    archive.download_pdb_files(names, pdir=str(folder), file_format="mmCif", max_num_threads=CONNECTIONS)


def by_loop(names: list[str], base: str, folder: Path) -> None:
    with httpx.Client() as client:
        for name in names:
            (folder / f"{name}.cif.gz").write_bytes(client.get(f"{base}/download/{name}.cif.gz").content)


SIDES: dict[str, Side] = {"foldgraft": by_foldgraft, "PDBList": by_pdblist, "httpx loop": by_loop}


def entry_names(count: int) -> list[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return [f"{1 + k // 6760}{letters[k // 260 % 26]}{letters[k // 10 % 26]}{k % 10}" for k in range(count)]


class Cost(NamedTuple):
    """Of one download of all entries, milliseconds an entry."""

    clock: float
    cpu: float


def measured(download: Side, names: list[str], base: str) -> Cost:
    """What a side takes for the entries, into an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        start, used = time.perf_counter(), time.process_time()
        download(names, base, Path(folder))
        cost = time.perf_counter() - start, time.process_time() - used
        assert sum(path.is_file() for path in Path(folder).rglob("*")) >= len(names)
    return Cost(*(1000 * one / len(names) for one in cost))


def compared(base: str, names: list[str], rounds: int) -> dict[str, list[Cost]]:
    """The costs of each side by round, after a first round of few entries that does not count."""
    costs: dict[str, list[Cost]] = {side: [] for side in SIDES}
    order = list(SIDES)
    for side in order:
        measured(SIDES[side], names[:20], base)
    for _ in range(rounds):
        for side in order:
            costs[side].append(measured(SIDES[side], names, base))
        order = order[1:] + order[:1]
    return costs


def spread(values: Iterable[float]) -> str:
    known = sorted(values)
    return f"{statistics.median(known):.2f} [{known[0]:.2f}, {known[-1]:.2f}]"


def peak_memory(base: str, names: list[str]) -> float:
    """Peak resident memory of the command that fetches a shard of these entries, in MB."""
    with tempfile.TemporaryDirectory() as folder:
        fetch = settings_for(base).model_copy(update={"shard_size": len(names)})
        given = Path(folder) / "structures.json"
        given.write_text(json.dumps({"rcsb": {"ids": names}}))
        options = ["--shard", "rcsb-00000", "--structures", f"@{given}", "--store", f"{folder}/store"]
        options += ["--lock", f"{folder}/lock.parquet", "--settings", fetch.model_dump_json()]
        command = [sys.executable, "-m", "foldgraft", "fetch", "structures", *options]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0
        return usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--kilobytes", type=int, nargs="+", default=[6, 150], help="of a compressed file, about")
    parser.add_argument("--delays", type=float, nargs="+", default=[0, 20], help="milliseconds before an answer")
    parser.add_argument("--memory", type=int, nargs="*", default=[256, 4096], help="shards whose peak memory is shown")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        delay, kilobytes, count = arguments.serve
        asyncio.run(serve(float(delay), int(kilobytes), int(count)))
        return
    names = entry_names(arguments.entries)
    for kilobytes in arguments.kilobytes:
        for delay in arguments.delays:
            with archive(delay / 1000, kilobytes, len(names)) as base:
                costs = compared(base, names, arguments.rounds)
            print(f"{kilobytes} kB, answered after {delay:.0f} ms: milliseconds an entry, and times as fast as a side")
            for side, taken in costs.items():
                for name in Cost._fields:
                    own = [getattr(cost, name) for cost in costs["foldgraft"]]
                    theirs = [getattr(cost, name) for cost in taken]
                    ratio = spread(other / one for one, other in zip(own, theirs, strict=True))
                    print(f"  {side:>10} {name:>5} {spread(theirs):>22}   {ratio if side != 'foldgraft' else ''}")
    for count in arguments.memory:
        with archive(0, 6, count) as base:
            print(f"peak memory of a shard of {count}: {peak_memory(base, entry_names(count)):.0f} MB")


if __name__ == "__main__":
    main()
