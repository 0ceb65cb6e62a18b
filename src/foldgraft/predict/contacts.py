"""Contacts of one protein from its alignment: by coevolution, by the trunk, and by heads that may use both."""

import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from foldgraft.evolution.lone import Coupled
from foldgraft.metrics.contacts import LEAST_SEPARATION
from foldgraft.models.trunk import Trunk
from foldgraft.predict.new import pair_scores
from foldgraft.records.files import atomic
from foldgraft.records.pairs import unpack
from foldgraft.records.text_tables import Rows
from foldgraft.tasks.pair_features import Coevolution, pair_index
from foldgraft.tasks.trained import Trained

matplotlib.use("Agg")


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


def write_pairs(path: Path, sequence: str, maps: dict[str, np.ndarray]) -> None:
    """Write the pairs at least six residues apart, the likeliest first by the last of the maps; numbers from 1."""
    index = pair_index(len(sequence))
    columns = [scores[index.places] for scores in maps.values()]
    order = np.argsort(-columns[-1], kind="stable") if columns else []
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        table = Rows(handle, ["rank", "i", "residue_i", "j", "residue_j", "separation", *maps])
        for rank, k in enumerate(order, start=1):
            i, j = int(index.i[k]), int(index.j[k])
            values = [f"{column[k]:.6g}" for column in columns]
            table.write([rank, i + 1, sequence[i], j + 1, sequence[j], j - i, *values])


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
    if coupled.neff < np.sqrt(length):
        print("Neff is below the square root of the length: coevolution says little here", file=sys.stderr)
