"""Contacts of one protein from its alignment: by coevolution, by the trunk, and by heads that may use both."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from foldgraft.errors import FoldgraftError
from foldgraft.evolution.lone import Coupled
from foldgraft.metrics.contacts import LEAST_SEPARATION
from foldgraft.models.trunk import Trunk
from foldgraft.predict.new import pair_scores
from foldgraft.records.files import STANDARD, atomic, text_output
from foldgraft.records.pairs import unpack
from foldgraft.records.text_tables import Rows
from foldgraft.tasks.pair_features import Coevolution, pair_index
from foldgraft.tasks.trained import Trained

matplotlib.use("Agg")

RR_LETTERS = 50
"""Letters of a line of the sequence in the format RR."""


def maps_of(coupled: Coupled, trunk: Trunk | None, heads: Sequence[Trained]) -> dict[str, np.ndarray]:
    """Packed scores of all pairs by where they come from, the best informed last."""
    maps = {"coevolution": coupled.scores}
    if trunk is not None and trunk.network.contact_head is not None:
        maps["trunk"] = trunk.contacts(coupled.sequence)
    if trunk is not None:
        evidence = Coevolution(coupled.scores, coupled.neff)
        for head in heads:
            maps |= pair_scores(head, coupled.sequence, evidence, trunk)
    return maps


class Outputs(NamedTuple):
    """Files to write of the contacts of one protein."""

    pairs: Path
    map: Path | None = None
    rr: Path | None = None
    npz: Path | None = None


def write_maps(outputs: Outputs, sequence: str, maps: dict[str, np.ndarray]) -> None:
    """Write the contacts of a protein in the formats asked for; pairs or RR go to standard output for `-`.

    Raises
    ------
    FoldgraftError
        if the map or the array is to go there, or both of the others.
    """
    if STANDARD in (outputs.map, outputs.npz):
        raise FoldgraftError("a picture or an array is nothing for standard output; name a file")
    if outputs.pairs == outputs.rr == STANDARD:
        raise FoldgraftError("only one of --output-pairs and --output-rr can be standard output")
    write_pairs(outputs.pairs, sequence, maps)
    if outputs.map is not None:
        write_map(outputs.map, sequence, maps)
    if outputs.rr is not None:
        write_rr(outputs.rr, sequence, maps)
    if outputs.npz is not None:
        write_npz(outputs.npz, sequence, maps)


def write_pairs(path: Path, sequence: str, maps: dict[str, np.ndarray]) -> None:
    """Write the pairs at least six residues apart, the likeliest first by the last of the maps; numbers from 1."""
    index = pair_index(len(sequence))
    columns = [scores[index.packed] for scores in maps.values()]
    order = np.argsort(-columns[-1], kind="stable") if columns else []
    with text_output(path) as handle:
        table = Rows(handle, ["rank", "i", "residue_i", "j", "residue_j", "separation", *maps])
        for rank, k in enumerate(order, start=1):
            i, j = int(index.i[k]), int(index.j[k])
            values = [f"{column[k]:.6g}" for column in columns]
            table.write([rank, i + 1, sequence[i], j + 1, sequence[j], j - i, *values])


def write_rr(path: Path, sequence: str, maps: dict[str, np.ndarray]) -> None:
    """Write the probabilities of the last of the maps in CASP's format RR, the likeliest first.

    `i j 0 8 p` says that the CB atoms of residues i and j, from 1, are less than 8 angstrom apart with probability p
    (predictioncenter.org/casp14/index.cgi?page=format). Pairs fewer than six residues apart are left out.

    Raises
    ------
    FoldgraftError
        if there is nothing but coevolution, whose scores are no probabilities.
    """
    source, scores = list(maps.items())[-1]
    if source == "coevolution":
        raise FoldgraftError("scores of coevolution are no probabilities, as RR wants them; give a trunk or a head")
    index = pair_index(len(sequence))
    chosen = np.clip(scores[index.packed], 0, 1)
    target = "protein" if path == STANDARD else path.stem.encode("ascii", "replace").decode()
    with text_output(path) as handle:
        handle.write(f"PFRMAT RR\nTARGET {target}\nAUTHOR foldgraft\nMETHOD {source}\nMODEL 1\n")
        handle.writelines(f"{sequence[k : k + RR_LETTERS]}\n" for k in range(0, len(sequence), RR_LETTERS))
        for k in np.argsort(-chosen, kind="stable"):
            handle.write(f"{int(index.i[k]) + 1} {int(index.j[k]) + 1} 0 8 {chosen[k]:.5f}\n")
        handle.write("END\n")


def write_npz(path: Path, sequence: str, maps: dict[str, np.ndarray]) -> None:
    """Write the maps as symmetric arrays (L, L), float32, by their names, and the sequence, for numpy.load."""
    arrays = {name: unpack(np.asarray(scores, dtype=np.float32), len(sequence)) for name, scores in maps.items()}
    with atomic(path) as temporary, temporary.open("wb") as handle:
        np.savez_compressed(handle, sequence=np.array(sequence), **arrays)


def write_map(path: Path, sequence: str, maps: dict[str, np.ndarray]) -> None:
    """Draw the maps side by side, PNG or SVG by the file's name; pairs near along the chain are left white."""
    length = len(sequence)
    near = np.abs(np.subtract.outer(np.arange(length), np.arange(length))) < LEAST_SEPARATION
    figure = Figure(figsize=(4.2 * len(maps), 4.2), layout="constrained")
    for axes, (name, scores) in zip(figure.subplots(1, len(maps), squeeze=False)[0], maps.items(), strict=True):
        matrix = np.where(near, np.nan, unpack(np.asarray(scores, dtype=np.float64), length))
        top = np.nanquantile(matrix, 0.995) if not near.all() else 1.0
        axes.imshow(
            matrix, cmap="Greys", vmin=0, vmax=max(float(top), 1e-6), extent=(0.5, length + 0.5, length + 0.5, 0.5)
        )
        axes.set(title=name, xlabel="residue", ylabel="residue")
    with atomic(path) as temporary:
        figure.savefig(temporary, format="svg" if path.suffix == ".svg" else "png", dpi=120)


def tell(coupled: Coupled) -> None:
    """Say how much the alignment is worth."""
    length = len(coupled.sequence)
    print(
        f"{length} residues, {coupled.residues} of them aligned; {coupled.depth} sequences, Neff {coupled.neff:.1f}, "
        f"{coupled.neff / length:.2f} per residue",
        file=sys.stderr,
    )
    if coupled.unread:
        print(f"left out of the alignment: {coupled.unread}", file=sys.stderr)
    if coupled.neff < np.sqrt(length):
        print("Neff is below the square root of the length: coevolution says little here", file=sys.stderr)
