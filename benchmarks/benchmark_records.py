"""What checking tables costs: CPU seconds of reading a shard with and without its checksums, in one run.

    python benchmarks/benchmark_records.py [--chains 512] [--length 300]

The alternative is the same reader without page checksums and without those of `foldgraft.records.footer`.
"""

import argparse
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from foldgraft.records import footer, tables

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("sequence", pa.string(), nullable=False),
        pa.field("coordinates", pa.list_(pa.float32()), nullable=False),
        pa.field("bins", pa.list_(pa.uint8()), nullable=False),
    ]
)
REPEATS = 7


def write(path: Path, chains: int, length: int) -> None:
    """A shard of random chains: coordinates of 37 atoms, and a byte for each pair of residues."""
    rng = np.random.default_rng(0)
    with tables.row_writer(path, SCHEMA) as table:
        for number in range(chains):
            places = rng.normal(scale=20, size=length * 37 * 3).astype(np.float32)
            bins = rng.integers(0, 64, size=length * (length - 1) // 2).astype(np.uint8)
            table.write({"id": f"c{number}", "sequence": "MKV" * (length // 3), "coordinates": places, "bins": bins})


def seconds(read) -> float:
    """Least CPU seconds of several readings."""
    found = []
    for _ in range(REPEATS):
        start = time.process_time()
        read()
        found.append(time.process_time() - start)
    return min(found)


def unchecked(read) -> float:
    """The same without any checksum."""
    real = pq.ParquetFile
    with (
        patch.object(footer, "sound", lambda path: None),
        patch.object(tables.origin, "KEY", b"none"),
        patch.object(pq, "ParquetFile", lambda path, **options: real(path)),
    ):
        return seconds(read)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, default=512)
    parser.add_argument("--length", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "files-00000.parquet"
        write(path, options.chains, options.length)
        print(f"{path.stat().st_size / 1e6:.0f} MB")
        for name, read in {
            "all columns as arrays": lambda: [None for _ in tables.read_arrays(path, SCHEMA)],
            "ids alone": lambda: tables.read_frame(path, SCHEMA, ["id"]),
        }.items():
            bare, checked = unchecked(read), seconds(read)
            print(f"{name}: {bare:.4f} s without, {checked:.4f} s with checks, {checked / bare:.3f} times")


if __name__ == "__main__":
    main()
