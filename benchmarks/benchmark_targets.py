"""Speed and size of structure targets, on one core.

    python benchmarks/benchmark_targets.py [structure files] [--data FOLDER]

Without files the chains are bundles of ideal helices, 300 residues each. With files (PDB or mmCIF, gz or not), or with
the folder of shared data, they are those first chains that have 200 to 400 residues, and times are scaled to 300. The
alternative is Biopython's internal coordinates, which give the same torsions. Times are CPU times, the least of several
runs. Sizes are those of the compressed columns of a shard.
"""

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import gemmi
import numpy as np
import pyarrow.parquet as pq
from Bio.PDB.Atom import Atom
from Bio.PDB.Chain import Chain as BioChain
from Bio.PDB.internal_coords import IC_Chain
from Bio.PDB.Residue import Residue

from foldgraft.geometry import place_atom
from foldgraft.records.chains import SCHEMA, Chain, read_chains
from foldgraft.records.files import sequence_sha256
from foldgraft.records.tables import row_writer
from foldgraft.records.targets import read_targets
from foldgraft.residues import AMINO_ACIDS, ATOM_INDEX, ATOMS, CHI_ATOMS, ONE_TO_THREE, THREE_TO_ONE
from foldgraft.targets.chain import BACKBONE, chain_targets
from foldgraft.targets.orientations import orientations
from foldgraft.targets.pairs import contacts, distogram_bins, pair_distances, representatives
from foldgraft.targets.secondary import secondary_structure
from foldgraft.targets.settings import TargetsSettings
from foldgraft.targets.shard import write_shard
from foldgraft.targets.torsions import peptide_bonds, torsions

LENGTH, TURN, GOAL = 300, 25, 300
REPEATS = 5


def make_chain(coordinates: np.ndarray, sequence: str, name: str) -> Chain:
    length = len(sequence)
    return Chain(
        id=name,
        entry=name,
        label_asym_id="A",
        auth_asym_id=None,
        entity=None,
        sequence=sequence,
        sequence_sha256=sequence_sha256(sequence),
        resolved=~np.isnan(coordinates[:, ATOM_INDEX["CA"], 0]),
        label_seq_id=np.arange(1, length + 1),
        auth_seq_id=[str(i + 1) for i in range(length)],
        coordinates=coordinates.astype(np.float32),
        b_factor=np.zeros(length, np.float32),
        method=None,
        resolution=None,
        released=None,
        uniprot=None,
        organism=None,
        source="files",
    )


def bundle(seed: int) -> Chain:
    """Helices of 25 residues side by side, 10 angstrom apart."""
    rng = np.random.default_rng(seed)
    sequence = "".join(rng.choice(list(AMINO_ACIDS), LENGTH))
    coordinates = np.full((LENGTH, len(ATOMS), 3), np.nan)
    for start in range(0, LENGTH, TURN):
        helix(coordinates[start : start + TURN], sequence[start : start + TURN], rng)
        row, column = divmod(start // TURN, 4)
        coordinates[start : start + TURN] += [0, 10.0 * row, 10.0 * column]
    return make_chain(coordinates, sequence, f"bundle-{seed}")


def helix(atoms: np.ndarray, sequence: str, rng: np.random.Generator) -> None:
    """Fill in an ideal helix with random side chains; atoms has shape (L, 37, 3)."""
    phi, psi = np.radians([-57 + 3 * rng.normal(), -47 + 3 * rng.normal()])
    n, ca, c = np.zeros(3), np.array([1.46, 0, 0]), np.array([2.0, 1.42, 0])
    for i, letter in enumerate(sequence):
        if i:
            previous_ca, previous_c = ca, c
            n = place_atom(n, ca, c, 1.33, 2.04, psi)
            ca = place_atom(previous_ca, previous_c, n, 1.46, 2.12, np.pi)
            c = place_atom(previous_c, n, ca, 1.53, 1.94, phi)
        o = place_atom(n, ca, c, 1.23, 2.1, psi + np.pi)
        cb = place_atom(c, n, ca, 1.53, 1.93, -2.14)
        for name, point in zip(("N", "CA", "C", "O", "CB"), (n, ca, c, o, cb), strict=True):
            atoms[i, ATOM_INDEX[name]] = point
        for names in CHI_ATOMS.get(letter, ()):
            *before, last = (ATOM_INDEX[name] for name in names.split())
            atoms[i, last] = place_atom(*atoms[i, before], 1.52, 1.93, rng.uniform(-np.pi, np.pi))


def from_file(path: str) -> Chain:
    residues = [r for r in gemmi.read_structure(path)[0][0] if r.name in THREE_TO_ONE]
    coordinates = np.full((len(residues), len(ATOMS), 3), np.nan)
    for row, residue in zip(coordinates, residues, strict=True):
        for atom in residue:
            if atom.name in ATOM_INDEX:
                row[ATOM_INDEX[atom.name]] = atom.pos.tolist()
    return make_chain(coordinates, "".join(THREE_TO_ONE[r.name] for r in residues), Path(path).name)


def biopython_chain(chain: Chain) -> BioChain:
    result = BioChain("A")
    for i, letter in enumerate(chain.sequence):
        residue = Residue((" ", i + 1, " "), ONE_TO_THREE[letter], "")
        for name, point in zip(ATOMS, chain.coordinates[i], strict=True):
            if not np.isnan(point[0]):
                residue.add(Atom(name, point, 0, 1, " ", name, 0, element=name[0]))
        result.add(residue)
    return result


def least(work: Callable[[], object], repeats: int = REPEATS) -> float:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def stages(chain: Chain) -> dict[str, Callable[[], object]]:
    """The parts of the work, each to be timed alone."""
    coordinates = chain.coordinates.astype(np.float64)
    bonded = peptide_bonds(coordinates, 2.0)
    proline = np.array([letter == "P" for letter in chain.sequence])
    points, _ = representatives(coordinates, chain.sequence)
    values = pair_distances(points)
    return {
        "distances": lambda: pair_distances(points),
        "bins and contacts": lambda: (distogram_bins(values), contacts(values)),
        "torsions": lambda: torsions(coordinates, chain.sequence, bonded),
        "secondary structure": lambda: secondary_structure(coordinates[:, BACKBONE], proline, bonded),
        "orientations (optional)": lambda: orientations(coordinates, chain.sequence),
        "all targets": lambda: chain_targets(chain, TargetsSettings()),
    }


def theirs(chain: BioChain) -> list[object]:
    chain.internal_coord = None
    chain.atom_to_internal_coordinates()
    names = ("phi", "psi", "omg", "chi1", "chi2", "chi3", "chi4")
    return [residue.internal_coord.get_angle(name) for residue in chain for name in names]


def main() -> None:
    """Time everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="structure files")
    parser.add_argument("--data", type=Path, help="folder of shared data: its structures/bm5_chains are read")
    options = parser.parse_args()
    found = sorted((options.data / "structures/bm5_chains").glob("*.pdb.gz")) if options.data else []
    paths = [*options.files, *map(str, found)]
    chains = [chain for path in paths if 200 <= len(chain := from_file(path)) <= 400]
    chains = chains[:100] or [bundle(seed) for seed in range(20)]
    residues = sum(map(len, chains))
    per_chain = 1e3 * LENGTH / residues  # seconds for all to milliseconds per chain of 300
    print(f"{len(chains)} chains, {residues} residues; CPU ms per chain of {LENGTH} residues, one core")
    work = [stages(chain) for chain in chains]
    times = {name: sum(least(parts[name]) for parts in work) * per_chain for name in work[0]}
    for name, value in times.items():
        print(f"  {name:23} {value:7.3f}")
    rate = 1e3 / times["all targets"]
    print(f"targets: {rate:.0f} chains per second (goal {GOAL}: {'met' if rate >= GOAL else 'MISSED'})")

    IC_Chain.MaxPeptideBond = 2.0
    sample = chains[:5]
    other = sum(least(lambda bio=biopython_chain(chain): theirs(bio), 2) for chain in sample)
    other *= 1e3 * LENGTH / sum(map(len, sample))
    print(f"torsions by Biopython's internal coordinates: {other:.1f} ms, ratio {other / times['torsions']:.0f}")
    with tempfile.TemporaryDirectory() as folder:
        files(chains, Path(folder), per_chain)


def files(chains: list[Chain], folder: Path, per_chain: float) -> None:
    """Time a whole shard with its files, and state the sizes."""
    paths = [folder / name for name in ("chains.parquet", "targets.parquet", "audit.csv")]
    with row_writer(paths[0], SCHEMA) as writer:
        for chain in chains:
            writer.write(chain.row())
    with redirect_stderr(StringIO()):
        whole = least(lambda: write_shard(*paths, TargetsSettings()), 3) * per_chain
    print(f"  {'shard, with files':23} {whole:7.3f}   ({1e3 / whole:.0f} chains per second)")
    print(f"  {'reading chains':23} {least(lambda: list(read_chains(paths[0])), 3) * per_chain:7.3f}")
    print(f"  {'reading targets':23} {least(lambda: list(read_targets(paths[1])), 3) * per_chain:7.3f}")
    sizes = column_sizes(paths[1])
    residues, pairs = sum(map(len, chains)), sum(len(chain) * (len(chain) - 1) // 2 for chain in chains)
    by_pair = ("distogram", "contacts", "pair_mask")
    print(f"bytes per pair: {sum(sizes[name] for name in by_pair) / pairs:.2f} in", end=" ")
    print(", ".join(f"{name} {sizes[name] / pairs:.3f}" for name in by_pair))
    print(f"bytes per residue, beside: {sum(sizes[n] for n in sizes if n not in by_pair) / residues:.1f}")
    with redirect_stderr(StringIO()):
        write_shard(*paths, TargetsSettings(orientations=True))
    oriented = {name: size for name, size in column_sizes(paths[1]).items() if name.startswith("orientation_")}
    print(f"bytes per pair with targets.orientations, more: {sum(oriented.values()) / pairs:.2f} in", end=" ")
    print(", ".join(f"{name.removeprefix('orientation_')} {size / pairs:.3f}" for name, size in oriented.items()))


def column_sizes(path: Path) -> dict[str, int]:
    """Compressed bytes of each column of a table."""
    metadata = pq.ParquetFile(path).metadata
    sizes: dict[str, int] = {}
    for group in range(metadata.num_row_groups):
        for index in range(metadata.num_columns):
            column = metadata.row_group(group).column(index)
            name = column.path_in_schema.split(".")[0]
            sizes[name] = sizes.get(name, 0) + column.total_compressed_size
    return sizes


if __name__ == "__main__":
    main()
