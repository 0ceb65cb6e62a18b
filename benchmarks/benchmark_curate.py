"""Speed and memory of curation, on one core, beside gemmi's and Biopython's readers.

    python benchmarks/benchmark_curate.py --data FOLDER [--entries N] [--repeats 3]

The folder holds structures/mmcif/*.cif.gz and structures/{bm5_chains,casp14_natives}/*.pdb.gz. All sides read the same
files as they are stored, packed. gemmi reads them into its own structure and does no more. Biopython ends, as this side
does, with the sequence of each protein chain, the mask of what is resolved and the positions of 37 atoms, alternate
locations resolved by occupancy. The whole job also checks digests, applies filters, reads what the table of chains has
besides, and writes the tables (Parquet, zstd). Times are CPU times of one process, in turn, the least of several runs.
Memory is the peak of a job of its own, of which most is what its program holds without structures.
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

import gemmi
import numpy as np
import pandas as pd
import pyarrow as pa
from Bio.PDB import MMCIFParser, PDBParser
from Bio.PDB.MMCIF2Dict import MMCIF2Dict

from foldgraft.curate.chains import protein_chains
from foldgraft.curate.settings import CurateSettings
from foldgraft.curate.shard import ShardOutputs, curate_shard
from foldgraft.curate.structure_file import read_entry
from foldgraft.records.lock import SCHEMA, store_path
from foldgraft.records.tables import write_frame
from foldgraft.residues import ATOM_INDEX, ATOMS, THREE_TO_ONE

ARCHIVE = 246_000  # entries of the PDB late in 2025, rounded
ARCHIVE_KB = 350  # assumed mean size of a .cif.gz of the archive; the sample's own is printed beside it
CORES = 64
LETTERS = THREE_TO_ONE | {"MSE": "M", "SEC": "U", "PYL": "O"}


def biopython(path: Path) -> int:
    """Chains of one file as sequence, mask and positions, by Biopython; how many there are."""
    if ".cif" not in path.suffixes:
        with gzip.open(path, "rt", encoding="latin-1") as handle:
            model = PDBParser(QUIET=True).get_structure("x", handle)[0]
        for chain in model:
            residues = [residue for residue in chain if "CA" in residue]
            "".join(LETTERS.get(residue.resname, "X") for residue in residues)
            positions(dict(enumerate(residues)), len(residues))
        return len(model)
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
        positions({residue.id[1] - 1: residue for residue in model[asym]}, len(monomers))
        count += 1
    return count


def positions(residues: dict, length: int) -> np.ndarray:
    """(L, 37, 3) positions of the atoms of Biopython's residues, of alternate locations the best occupied."""
    found = np.full((length, len(ATOMS), 3), np.nan, dtype=np.float32)
    for index, residue in residues.items():
        if index < length:
            for atom in residue:
                if atom.name in ATOM_INDEX:
                    found[index, ATOM_INDEX[atom.name]] = atom.coord
    np.isfinite(found[:, ATOM_INDEX["CA"], 0])
    return found


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
    structures = chosen.data / "structures"
    found = {
        "mmCIF": structures.glob("mmcif/*.cif.gz"),
        "PDB": [*structures.glob("bm5_chains/*.pdb.gz"), *structures.glob("casp14_natives/*.pdb.gz")],
    }
    titles = ("files", "MB, gz", "gemmi s", "chains s", "job s", "Biopython s", "chains/gemmi", "Bio/chains", "Bio/job")
    print(f"{'format':<8}" + "".join(f"{title:>14}" for title in titles))
    with tempfile.TemporaryDirectory() as name:
        for kind, paths in found.items():
            listed = sorted(paths, key=lambda path: -path.stat().st_size)[: chosen.entries]
            readable = [path for path in listed if can_biopython(path)]
            compare(kind, Shard(Path(name) / kind, readable), readable, chosen.repeats)
            if kind == "mmCIF":
                memory(Path(name), readable)


def all_by_gemmi(paths: list[Path]) -> None:
    for path in paths:
        gemmi.read_structure(str(path))


def all_to_chains(paths: list[Path]) -> None:
    """This side's reading, to the chains."""
    for path in paths:
        list(protein_chains("x", read_entry(path.read_bytes(), 10**9), "files"))


def can_biopython(path: Path) -> bool:
    """Whether Biopython's parser reads the file at all."""
    try:
        all_by_biopython([path])
    except KeyError as error:
        print(f"left out: {path.name}, in which Biopython misses {error}")
        return False
    return True


def compare(kind: str, shard: "Shard", paths: list[Path], repeats: int) -> None:
    packed = sum(path.stat().st_size for path in paths) / 1e6
    shard.curate()
    times = [
        (
            seconds(all_by_gemmi, paths),
            seconds(all_to_chains, paths),
            seconds(shard.curate),
            seconds(all_by_biopython, paths),
        )
        for _ in range(repeats)
    ]
    bare, chains, job, theirs = map(min, zip(*times, strict=True))
    figures = (len(paths), packed, bare, chains, job, theirs, chains / bare, theirs / chains, theirs / job)
    print(f"{kind:<8}" + "".join(f"{figure:>14.2f}" for figure in figures))
    by_byte = ARCHIVE * ARCHIVE_KB / 1e3 * job / packed / CORES / 60
    print(f"{kind:<8}the archive by bytes, {ARCHIVE} entries of {ARCHIVE_KB} kB on {CORES} cores: {by_byte:.1f} min")


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
