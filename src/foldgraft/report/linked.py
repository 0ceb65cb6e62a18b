"""The linked views of some proteins, as the page's script reads them: maps, sequence, alignment depth, structure.

Maps are bytes, one per residue pair in the order of `foldgraft.records.pairs`, in base64: a page of some proteins stays
small whatever the size of the run.
"""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from foldgraft.geometry import distances
from foldgraft.records.chains import Chain
from foldgraft.records.pairs import pack
from foldgraft.records.targets import Targets
from foldgraft.report.drawing import count, number
from foldgraft.report.molecule import likeliest, pdb_text
from foldgraft.report.page import Linked
from foldgraft.report.pairs import ALL, precisions
from foldgraft.report.run import Run
from foldgraft.residues import ATOM_INDEX
from foldgraft.viewer.parts import as_json

UNKNOWN, LARGEST = 255, 254
STEP = 0.2
"""Angstrom per unit of the distance map; the cutoff of a contact, 8.0, is a whole number of them."""
TOP = 99.7
"""Percentile of the coevolution scores at which the scale ends."""


def block(run: Run, shown: Sequence[Targets], stills: dict[str, str]) -> Linked:
    """The linked views; `stills` are pictures of the structures as data URIs, for a page without 3Dmol.js."""
    task = run.pair_task()
    name = task.best if task else None
    scores = run.pair_scores(task, name, [one.id for one in shown]) if task and name else {}
    precision_by_id = precisions(task, name)[ALL] if task else {}
    records = []
    for one in shown:
        predicted, precision = scores.get(one.id), precision_by_id.get(one.id, np.nan)
        about = _about(run, one, name, precision)
        records.append(record(run, run.chain(one.id), one, predicted) | {"about": about, "still": stills.get(one.id)})
    return Linked(as_json(records), name or "", _remarkable(records))


def record(run: Run, chain: Chain, one: Targets, predicted: np.ndarray | None) -> dict[str, Any]:
    """What the script reads of a protein; maps that the run has not are None."""
    coupling, deep = run.coevolution(one.id), run.depth(one.id)
    top = max(float(np.nanpercentile(coupling, TOP)), 1e-6) if coupling is not None and len(coupling) else 1.0
    return {
        "id": one.id,
        "sequence": one.sequence,
        "ss3": one.ss3,
        "distance": encoded(pack(distances(beta(chain))) / STEP, np.floor),
        "coevolution": None if coupling is None else encoded(coupling / top * LARGEST, inside),
        "top": round(top, 4),
        "prediction": None if predicted is None else encoded(predicted * LARGEST),
        "rods": [] if predicted is None else _rods(predicted, one),
        "depth": None if deep is None else deep.round().astype(int).tolist(),
        "pdb": pdb_text(chain, one.ss3),
    }


def _rods(predicted: np.ndarray, one: Targets) -> list[list[int]]:
    """The pairs drawn on the structure: residue numbers from 0, and whether they touch."""
    best = likeliest(predicted, one)
    return [[int(i), int(j), int(true)] for (i, j), true in zip(best.pairs, best.true, strict=True)]


def inside(values: np.ndarray) -> np.ndarray:
    """Rounded so that only values at the ends of the scale, or beyond, are those ends: these say at most, at least."""
    ends = (values <= 0) | (values >= LARGEST)
    return np.where(ends, values, np.clip(np.rint(values), 1, LARGEST - 1))


def encoded(values: np.ndarray, rounded: Any = np.rint) -> str:
    """Values from 0 to 254 as bytes in base64, greater ones as 254 and undefined ones as 255."""
    known = np.clip(rounded(np.nan_to_num(values.astype(np.float64))), 0, LARGEST)
    return base64.b64encode(np.where(np.isnan(values), UNKNOWN, known).astype(np.uint8).tobytes()).decode("ascii")


def beta(chain: Chain) -> np.ndarray:
    """CB of each residue, CA for glycine; shape (L, 3), angstrom."""
    glycine = np.array([letter == "G" for letter in chain.sequence])[:, None]
    points = chain.coordinates[:, [ATOM_INDEX["CA"], ATOM_INDEX["CB"]]].astype(np.float64)
    return np.where(glycine, points[:, 0], points[:, 1])


def _about(run: Run, one: Targets, name: str | None, precision: float) -> str:
    rows = run.alignments[run.alignments["id"] == one.id]
    said = [f"{count(len(one.sequence))} residues"]
    if np.isfinite(precision):
        said.append(f"P@L {number(precision, 2)} by {name}")
    elif name:
        said.append("no test protein of this run, hence no prediction")
    if len(rows):
        said.append(f"alignment of {count(rows['depth'].iloc[0])} sequences, Neff {number(rows['neff'].iloc[0], 1)}")
    return ", ".join(said)


def _remarkable(records: Sequence[dict[str, Any]]) -> str:
    return "; ".join(f"{one['id']}: {one['about']}" for one in records) + "."
