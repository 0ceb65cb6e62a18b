"""Downloads beside Biopython's `PDBList` and a plain loop, from the same server on loopback.

    python benchmarks/benchmark_fetch.py [--entries 1000] [--rounds 3] [--delays 0 20]

The server is another process and answers each request after the delay with a gzip-compressed mmCIF file of 6 kB.
`PDBList` downloads with as many threads as Foldgraft has connections (4) and decompresses each file; the loop is
`httpx.Client.get` and a write, one file after the other. Neither checks what arrives. Foldgraft does: it hashes and
decompresses every file, looks for the entry's id in it, and notes where it came from. The sides take turns; a figure is
the median of the rounds.
On a busy machine the CPU time tells more. At the end, the peak memory of the command for shards of two sizes.
"""

import argparse
import asyncio
import contextlib
import gzip
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from Bio.PDB import PDBList

from foldgraft.fetch.inputs import Item
from foldgraft.fetch.settings import FetchSettings, ServicesSettings
from foldgraft.fetch.store import Store
from foldgraft.fetch.structures import bring

CONNECTIONS = FetchSettings().connections
ATOMS = "".join(f"ATOM {k} C CA . ALA A 1 {k} ? {k}.0 {k / 3:.3f} {k / 7:.3f} 1.00 20.00\n" for k in range(330))

Side = Callable[[list[str], str, Path], None]


class Archive(asyncio.Protocol):
    """Just enough HTTP to answer any path that ends in an entry's file."""

    delay = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            found = re.match(rb"GET \S*/(\w+)\.cif\.gz", head)
            name = found[1].decode() if found else ""
            body = gzip.compress(f"data_{name}\n_entry.id {name}\n{ATOMS}#\n".encode(), 1)
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            asyncio.get_running_loop().call_later(self.delay, self.transport.write, answer)


async def serve(delay: float) -> None:
    """Answer until killed; the port is printed."""
    Archive.delay = delay
    server = await asyncio.get_running_loop().create_server(Archive, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def archive(delay: float) -> Iterator[str]:
    """The server in a process of its own; yields its URL."""
    command = [sys.executable, __file__, "--serve", str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.terminate()


def settings_for(base: str) -> FetchSettings:
    return FetchSettings(services=ServicesSettings(rcsb_files=f"{base}/download"))


def by_foldgraft(names: list[str], base: str, folder: Path) -> None:
    items, settings = [Item("rcsb", name, name) for name in names], settings_for(base)
    with contextlib.redirect_stderr(io.StringIO()):
        bring(items, "rcsb-00000", folder, Store(folder / "store"), folder / "l.parquet", settings, set(names))


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


def rates(base: str, names: list[str], rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Entries per second of each side, and milliseconds of CPU per entry, the sides taking turns."""
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    cpu: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side, download in SIDES.items():
            with tempfile.TemporaryDirectory() as folder:
                start, used = time.perf_counter(), time.process_time()
                download(names, base, Path(folder))
                seconds[side].append(time.perf_counter() - start)
                cpu[side].append(time.process_time() - used)
                assert sum(path.is_file() for path in Path(folder).rglob("*")) >= len(names)
    return (
        {side: len(names) / statistics.median(taken) for side, taken in seconds.items()},
        {side: 1000 * statistics.median(taken) / len(names) for side, taken in cpu.items()},
    )


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
    parser.add_argument("--entries", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delays", type=float, nargs="+", default=[0, 20], help="milliseconds before an answer")
    parser.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        asyncio.run(serve(arguments.serve))
        return
    names = entry_names(arguments.entries)
    print(f"{'delay, ms':>10} " + " ".join(f"{side + ', 1/s':>16}" for side in SIDES) + "   to PDBList   to the loop")
    for delay in arguments.delays:
        with archive(delay / 1000) as base:
            found, cpu = rates(base, names, arguments.rounds)
        ratios = [found["foldgraft"] / found[side] for side in ("PDBList", "httpx loop")]
        print(f"{delay:>10.0f} " + " ".join(f"{found[side]:>16.0f}" for side in SIDES), end="")
        print(f" {ratios[0]:>11.2f}x {ratios[1]:>12.2f}x")
        per_entry = ", ".join(f"{side} {spent:.2f}" for side, spent in cpu.items())
        print(f"{'':>10} CPU, ms an entry: {per_entry}: {cpu['PDBList'] / cpu['foldgraft']:.2f}x as fast as PDBList")
    with archive(0) as base:
        for count in (256, 4096):
            print(f"peak memory of a shard of {count}: {peak_memory(base, entry_names(count)):.0f} MB")


if __name__ == "__main__":
    main()
