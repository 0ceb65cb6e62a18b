"""Speed and memory of curation, on one core, beside Biopython's mmCIF parser.

    python benchmarks/benchmark_curate.py --data FOLDER [--entries N] [--repeats 3]

The folder holds structures/mmcif/*.cif.gz. Both sides decompress each file and end with, for each protein chain, the
sequence, the mask of what is resolved and the positions of 37 atoms, alternate locations resolved by occupancy.
Biopython does no more than that; this side also checks digests, applies filters, reads what the table of chains has
besides, and writes that table (Parquet, zstd). Times are CPU times of one thread, the two sides in turn, the least of
several runs. Memory is the peak of a job of its own, of which most is what its program holds without structures.
"""

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import argparse
import gzip
import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from Bio.PDB import MMCIFParser
from Bio.PDB.MMCIF2Dict import MMCIF2Dict

from foldgraft.curate.settings import CurateSettings
from foldgraft.curate.shard import ShardOutputs, curate_shard
from foldgraft.records.lock import SCHEMA, store_path
from foldgraft.records.tables import write_frame
from foldgraft.residues import ATOM_INDEX, ATOMS, THREE_TO_ONE

ARCHIVE = 246_000  # entries of the PDB late in 2025, rounded
ARCHIVE_KB = 350  # assumed mean size of a .cif.gz of the archive; the sample's own is printed beside it
CORES = 64
LETTERS = THREE_TO_ONE | {"MSE": "M", "SEC": "U", "PYL": "O"}


def biopython(path: Path) -> int:
    """Chains of one file as sequence, mask and positions, by Biopython; how many there are."""
    with gzip.open(path, "rt", encoding="latin-1") as handle:
        parser = MMCIFParser(QUIET=True, auth_chains=False, auth_residues=False)
        structure = parser.get_structure("x", handle)
    table: MMCIF2Dict = parser._mmcif_dict
    kinds = dict(zip(table["_entity_poly.entity_id"], table["_entity_poly.type"], strict=True))
    sequences: dict[str, dict[int, str]] = {}
    columns = (table[f"_entity_poly_seq.{tag}"] for tag in ("entity_id", "num", "mon_id"))
    for entity, number, monomer in zip(*columns, strict=True):
        sequences.setdefault(entity, {}).setdefault(int(number), monomer)
    model, count = structure[0], 0
    for asym, entity in zip(table["_struct_asym.id"], table["_struct_asym.entity_id"], strict=True):
        if "polypeptide(L)" not in kinds.get(entity, "") or asym not in model:
            continue
        monomers = sequences[entity]
        "".join(LETTERS.get(monomer, "X") for monomer in monomers.values())
        positions = np.full((len(monomers), len(ATOMS), 3), np.nan, dtype=np.float32)
        for residue in model[asym]:
            index = residue.id[1] - 1
            if index < len(positions):
                for atom in residue:  # of alternate locations, the best occupied
                    if atom.name in ATOM_INDEX:
                        positions[index, ATOM_INDEX[atom.name]] = atom.coord
        np.isfinite(positions[:, ATOM_INDEX["CA"], 0])
        count += 1
    return count


class Shard:
    """A shard of real files in a store, and the tables that are made of it."""

    def __init__(self, folder: Path, paths: list[Path], copies: int = 1):
        self.folder = folder
        rows = []
        for copy in range(copies):
            for path in paths:
                raw = path.read_bytes()
                digest = hashlib.sha256(raw).hexdigest()
                stored = store_path(folder / "store", digest)
                stored.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, stored)
                row = dict.fromkeys(SCHEMA.names) | {"source": "files", "url": str(path), "status": "stored"}
                row |= {"id": f"{path.name.split('.')[0]}-{copy}", "sha256": digest, "bytes": len(raw)}
                rows.append(row | {"shard": "files-00000"})
        self.lock = folder / f"lock-{len(rows)}.parquet"
        write_frame(self.lock, pd.DataFrame(rows, columns=SCHEMA.names), SCHEMA)

    def curate(self) -> None:
        """What a job of the workflow does."""
        settings = CurateSettings(min_length=1, max_length=20_000, min_resolved=0)
        with redirect_stderr(StringIO()):
            outputs = ShardOutputs(*(self.folder / name for name in ("c.parquet", "r.csv", "a.csv")))
            curate_shard(self.lock, self.folder / "store", outputs, settings)


def seconds(work, *arguments) -> float:
    start = time.process_time()
    work(*arguments)
    return time.process_time() - start


def all_by_biopython(paths: list[Path]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in paths:
            biopython(path)


def peak_mb(lock: Path, folder: Path) -> float:
    """Peak resident memory of a curate job of its own, in MB."""
    code = (
        "import resource, sys; from foldgraft.__main__ import main; sys.argv[0] = 'foldgraft'\n"
        "try: main()\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stdout)"
    )
    given = [
        "--lock",
        lock,
        "--store",
        folder / "store",
        "--chains",
        folder / "m.parquet",
        "--rejects",
        folder / "m.csv",
        "--atoms",
        folder / "a.csv",
    ]
    command = [sys.executable, "-c", code, "curate", "shard", *map(str, given)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of real proteins")
    parser.add_argument("--entries", type=int, help="no more than this many, the largest")
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    paths = sorted((chosen.data / "structures/mmcif").glob("*.cif.gz"), key=lambda path: -path.stat().st_size)
    readable = [path for path in paths[: chosen.entries] if can_biopython(path)]
    with tempfile.TemporaryDirectory() as name:
        compare(Path(name), readable, len(paths[: chosen.entries]), chosen.repeats)
        memory(Path(name), readable)


def can_biopython(path: Path) -> bool:
    """Whether Biopython's parser reads the file at all."""
    try:
        all_by_biopython([path])
    except KeyError as error:
        print(f"left out: {path.name}, in which Biopython misses {error}")
        return False
    return True


def compare(folder: Path, paths: list[Path], count: int, repeats: int) -> None:
    large = paths[: len(paths) // 10]
    shards = {"all": (Shard(folder, paths), paths), "the largest tenth": (Shard(folder, large), large)}
    print(f"{len(paths)} of {count} entries, {sum(p.stat().st_size for p in paths) / 1e6:.1f} MB compressed")
    titles = ("Biopython s", "this s", "ratio", "entries/s", "MB/s, gz", "MB/s, text")
    print(f"{'entries':<20}" + "".join(f"{title:>12}" for title in titles))
    for name, (shard, files) in shards.items():
        shard.curate()
        theirs, ours = [], []
        for _ in range(repeats):
            theirs.append(seconds(all_by_biopython, files))
            ours.append(seconds(shard.curate))
        best, packed = min(ours), sum(path.stat().st_size for path in files) / 1e6
        text = sum(len(gzip.decompress(path.read_bytes())) for path in files) / 1e6
        figures = (min(theirs), best, min(theirs) / best, len(files) / best, packed / best, text / best)
        print(f"{name:<20}" + "".join(f"{figure:>12.2f}" for figure in figures))
        if name == "all":
            by_entry, by_byte = ARCHIVE * best / len(files), ARCHIVE * ARCHIVE_KB / 1e3 * best / packed
            mean = 1e3 * packed / len(files)
    print(
        f"the archive, {ARCHIVE} entries on {CORES} cores: {by_entry / CORES / 60:.1f} min if its entries were like "
        f"these (mean {mean:.0f} kB),\n{by_byte / CORES / 60:.1f} min by bytes at an assumed mean of {ARCHIVE_KB} kB; "
        "the sample, test files of other programs, is not the archive"
    )


def memory(folder: Path, paths: list[Path]) -> None:
    peaks = {
        copies: peak_mb(Shard(folder, paths if copies else [], max(copies, 1)).lock, folder) for copies in (0, 1, 4)
    }
    print(
        f"peak memory of a job: {peaks[0]:.0f} MB without structures, {peaks[1]:.0f} MB with {len(paths)}, "
        f"{peaks[4]:.0f} MB with {4 * len(paths)}"
    )


if __name__ == "__main__":
    main()
