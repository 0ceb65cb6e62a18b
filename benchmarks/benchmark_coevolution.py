"""Contacts by coevolution on natural alignments of domains with known structures: precision, time and memory.

    python benchmarks/benchmark_coevolution.py --data DATA [--plmc BINARY] [--families 8]
    python benchmarks/benchmark_coevolution.py --memory

DATA holds `msa/pfam40` (Ollikainen and Kortemme 2013). All methods score the same rows; a contact is CB-CB < 8
angstrom; L is the number of residues that the alignment has a column for. The alternative is mean field, and plmc where
its binary is given (`-g -le 0.01*19*(L-1) -lh 0.01 -m 100 -t 0.2`, with its own weights). Intervals are paired,
bootstrapped over families. The regularisation and the number of rounds were chosen on every fourth family (TUNED), so
the others are also shown alone. Times are CPU times of one thread. `--memory` scores 5,000 made-up sequences of 500
residues.
"""

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import argparse
import csv
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import gemmi
import numpy as np

from foldgraft.evolution.a3m import encode, onto_chain
from foldgraft.evolution.coevolution import scores
from foldgraft.evolution.filters import build
from foldgraft.evolution.formats import Row
from foldgraft.evolution.settings import MeanField, MutualInformation, Pseudolikelihood
from foldgraft.evolution.weights import weights
from foldgraft.geometry import CONTACT_CUTOFF, distances
from foldgraft.msa.inputs import find
from foldgraft.msa.settings import AlignmentFiles, MsaSettings

CUTS = [(separation, share) for separation in (6, 24) for share in (1, 2, 5)]
TUNED = slice(0, None, 4)
METHODS = {
    "mutual information": MutualInformation(name="mutual_information"),
    "mean field 0.7": MeanField(name="mean_field"),
    "pseudolikelihood": Pseudolikelihood(),
}


def families(folder: Path) -> Iterator[tuple[str, list[Row], np.ndarray]]:
    """Name, rows over the residues that have a column, and their distances."""
    with folder.with_suffix(".csv").open() as handle:
        sequences = {row["pfam"]: row["sequence"] for row in csv.DictReader(handle)}
    files = AlignmentFiles(files=["*/*.align.80.fasta.gz"], queries=["*/*.aligned_native.fasta"])
    for item in find(files, folder):
        name, query = item.path.parent.name, item.guide.replace("-", "")
        ((_, alignment),) = item.read()
        rows = onto_chain(alignment.rows, np.flatnonzero([letter != "-" for letter in item.guide]))
        kept, _ = build(query, rows, np.ones(len(query), bool), MsaSettings())
        (structure,) = item.path.parent.glob("*.pdb.gz")
        start = sequences[name].index(query)
        yield name, kept, distances(beta_carbons(structure)[start : start + len(query)])


def beta_carbons(path: Path) -> np.ndarray:
    points = []
    for residue in gemmi.read_structure(str(path))[0][0]:
        alpha, beta = residue.find_atom("CA", "*"), residue.find_atom("CB", "*")
        if alpha:
            points.append((beta if beta and residue.name != "GLY" else alpha).pos.tolist())
    return np.array(points)


def precisions(score: np.ndarray, distance: np.ndarray) -> list[float]:
    found = []
    for separation, share in CUTS:
        i, j = np.triu_indices(len(score), separation)
        top = np.argsort(-score[i, j], kind="stable")[: len(score) // share]
        found.append((distance[i[top], j[top]] < CONTACT_CUTOFF).mean())
    return found


def by_plmc(binary: str, rows: list[Row]) -> tuple[np.ndarray, float]:
    """Corrected scores of plmc, and its CPU time."""
    length = len(rows[0].text)
    with tempfile.TemporaryDirectory() as folder:
        fasta, out = Path(folder, "a.fasta"), Path(folder, "c.txt")
        aligned = ("".join(letter for letter in row.text if not letter.islower()) for row in rows)
        fasta.write_text("".join(f">r{k}\n{text}\n" for k, text in enumerate(aligned)))
        ridge = str(0.01 * 19 * (length - 1))
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        words = [binary, "-c", str(out), "-g", "-le", ridge, "-lh", "0.01", "-m", "100", "-t", "0.2", "-f", "r0"]
        subprocess.run([*words, str(fasta)], check=True, capture_output=True)
        spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        score = np.zeros((length, length))
        for line in out.read_text().splitlines():
            i, _, j, _, _, value = line.split()
            score[int(i) - 1, int(j) - 1] = score[int(j) - 1, int(i) - 1] = float(value)
    return score, spent


def interval(differences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    means = differences[rng.integers(0, len(differences), (10_000, len(differences)))].mean(axis=1)
    return np.percentile(means, [2.5, 97.5], axis=0)


def show(label: str, values: np.ndarray) -> None:
    print(f"{label:34} {' '.join(f'{value:6.3f}' for value in values)}")


def compare(folder: Path, plmc: str | None, count: int | None) -> None:
    found: dict[str, list[list[float]]] = {}
    spent: dict[str, float] = {}
    for _, rows, distance in list(families(folder))[:count]:
        codes = encode(rows)
        weight = weights(codes)
        for name, method in METHODS.items():
            start = time.process_time()
            score = scores(codes, weight, method)
            spent[name] = spent.get(name, 0) + time.process_time() - start
            found.setdefault(name, []).append(precisions(score, distance))
        if plmc:
            score, seconds = by_plmc(plmc, rows)
            spent["plmc"] = spent.get("plmc", 0) + seconds
            found.setdefault("plmc", []).append(precisions(score, distance))
    tables = {name: np.array(rows) for name, rows in found.items()}
    print(f"{'separation >=, top L over':34} {' '.join(f'{s:>4}/{d}' for s, d in CUTS)}")
    fitted = tables["pseudolikelihood"]
    tuned = np.zeros(len(fitted), bool)
    tuned[TUNED] = True
    for name, table in tables.items():
        show(f"{name}, {spent[name]:.0f} s", table.mean(axis=0))
    show("pseudolikelihood, tuned on", fitted[tuned].mean(axis=0))
    show("pseudolikelihood, the others", fitted[~tuned].mean(axis=0))
    show("mean field, the others", tables["mean field 0.7"][~tuned].mean(axis=0))
    for name, table in tables.items():
        if name != "pseudolikelihood":
            show(f"pseudolikelihood - {name}", (fitted - table).mean(axis=0))
            low, high = interval(fitted - table)
            show("    95 % from", low)
            show("    to", high)


def memory() -> None:
    rng = np.random.default_rng(0)
    ancestor = rng.integers(0, 20, 500)
    codes = np.where(rng.random((5000, 500)) < 0.6, rng.integers(0, 21, (5000, 500)), ancestor).astype(np.uint8)
    weight = weights(codes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.process_time()
    scores(codes, weight, Pseudolikelihood())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"5,000 x 500: {time.process_time() - start:.0f} s, peak {peak:.0f} MB ({before:.0f} MB after the weights)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--plmc")
    parser.add_argument("--families", type=int)
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    if options.memory:
        memory()
    else:
        compare(options.data / "msa/pfam40", options.plmc, options.families)


if __name__ == "__main__":
    main()
