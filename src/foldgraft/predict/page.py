"""The scan of one protein as one HTML page that needs nothing else."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import jinja2
import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from foldgraft.predict.matched import Matched
from foldgraft.predict.scan import COLUMNS, Scan, rows, tabulate
from foldgraft.predict.view import MIDDLE, NEGATIVE, POSITIVE, view
from foldgraft.records.pairs import unpack
from foldgraft.residues import AMINO_ACIDS
from foldgraft.viewer.parts import SOURCE, part

matplotlib.use("Agg")
TEMPLATES = Path(__file__).parent / "templates"
PER_ROW = 100
"""Residues of a strip of the heat map."""
SHOWN = 10
SHADES = LinearSegmentedColormap.from_list("adds", [NEGATIVE, MIDDLE, POSITIVE])
STATE_NAMES = ("helix", "strand", "other")
STATE_COLOURS = ("#D55E00", "#E69F00", "#dde2e7")


@dataclass(frozen=True)
class Beside:
    """What a page shows of a protein beside its scan, as far as there is any.

    Attributes
    ----------
    contacts : float array, shape (L * (L - 1) / 2,), or None
        packed probabilities of contacts of the protein.
    states : float array, shape (L, 3), or None
        probabilities of helix, strand and other of each residue.
    structure : Matched or None
    viewer : str
        text of 3Dmol.js, without which a structure is not drawn.
    """

    contacts: np.ndarray | None = None
    states: np.ndarray | None = None
    structure: Matched | None = None
    viewer: str = ""


def page(found: Scan, task: str, about: str, beside: Beside) -> str:
    """The page.

    Parameters
    ----------
    found : Scan
    task : str
        what the score is, in a word.
    about : str
        name of the head and of its trunk.
    beside : Beside
    """
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
    kinds = [kind for kind in ("truncation", "tag", "substitution") if any(v.kind == kind for v in found.variants)]
    contacts, states = beside.contacts, beside.states
    drawn = beside.structure is not None and beside.viewer
    return environment.get_template("scan.html.j2").render(
        scan=found,
        task=task,
        about=about,
        columns=COLUMNS,
        best=rows(found, found.best(count=SHOWN)),
        by_kind={kind: rows(found, found.best(kind, SHOWN)) for kind in kinds},
        difference=_picture(_heat(found, found.differences.mean(axis=1), "difference of the score")),
        spread=_picture(_heat(found, found.differences.std(axis=1), "spread of the members", signed=False)),
        residues=_picture(_residues(found, states)) if "substitution" in kinds else "",
        states=states is not None,
        view=view(beside.structure, found.contribution) if drawn else None,
        scripts=_scripts(beside.viewer) if drawn else [],
        style=part("viewer.css"),
        source=SOURCE,
        ends=_picture(_truncations(found)) if "truncation" in kinds else "",
        contacts="" if contacts is None else _picture(_contacts(contacts, len(found.protein.sequence))),
        table=_data("text/csv", _csv(found)),
    )


def _scripts(viewer: str) -> list[Markup]:
    """What draws a structure: 3Dmol.js, what all pages share, and this page's own."""
    own = (TEMPLATES / "structure.js").read_text(encoding="utf-8")
    return [Markup(viewer), part("tools.js", "molecule.js") + Markup(own)]


def _data(kind: str, content: bytes) -> Markup:
    return Markup(f"data:{kind};base64,{base64.b64encode(content).decode()}")


def _picture(figure: Figure) -> Markup:
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=120)
    return _data("image/png", target.getvalue())


def _csv(found: Scan) -> bytes:
    target = io.StringIO()
    tabulate(target, found)
    return target.getvalue().encode()


def _heat(found: Scan, values: np.ndarray, title: str, signed: bool = True) -> Figure:
    """The map of substitutions in strips; the protein's own amino acid is a dot."""
    matrix = found.matrix(values)
    length = matrix.shape[1]
    strips = range(0, length, PER_ROW)
    figure = Figure(figsize=(12, 3.1 * len(strips) + 0.4), layout="constrained")
    top = max(float(np.nanmax(np.abs(matrix))), 1e-6)
    for axes, start in zip(figure.subplots(len(strips), 1, squeeze=False)[:, 0], strips, strict=True):
        part = matrix[:, start : start + PER_ROW]
        shades = {"cmap": "RdBu", "vmin": -top} if signed else {"cmap": "Greys", "vmin": 0}
        extent = (start + 0.5, start + part.shape[1] + 0.5, len(AMINO_ACIDS) - 0.5, -0.5)
        image = axes.imshow(part, aspect="auto", vmax=top, extent=extent, interpolation="nearest", **shades)
        own = [AMINO_ACIDS.find(letter) for letter in found.protein.sequence[start : start + PER_ROW]]
        axes.plot(np.arange(len(own)) + start + 1, np.where(np.array(own) < 0, np.nan, own), "k.", markersize=2)
        axes.set_xlim(start + 0.5, start + min(PER_ROW, length) + 0.5)
        axes.set_yticks(range(len(AMINO_ACIDS)), AMINO_ACIDS, fontsize=6)
        axes.set_xlabel("residue", fontsize=8)
    figure.colorbar(image, ax=figure.axes, label=title, shrink=min(1.0, 1.5 / len(strips)))
    return figure


def _residues(found: Scan, states: np.ndarray | None) -> Figure:
    """What each residue adds to the score, and below it the probabilities of its secondary structure, in strips."""
    values, length = found.contribution, len(found.protein.sequence)
    strips, tracks = range(0, length, PER_ROW), 1 if states is None else 2
    figure = Figure(figsize=(12, (1.2 + 0.7 * tracks) * len(strips) + 0.3), layout="constrained")
    rows = figure.subplots(
        tracks * len(strips), 1, squeeze=False, gridspec_kw={"height_ratios": [2, 1][:tracks] * len(strips)}
    )
    top = max(float(np.nanmax(np.abs(values))), 1e-6)
    for number, start in enumerate(strips):
        place = np.arange(start, min(start + PER_ROW, length))
        axes = rows[number * tracks, 0]
        adds = np.nan_to_num(values[place])
        axes.bar(place + 1, adds, width=1, color=SHADES(0.5 + 0.5 * adds / top))
        axes.axhline(0, color="#57636f", linewidth=0.6)
        axes.set(ylim=(-1.05 * top, 1.05 * top), ylabel="adds")
        if states is not None:
            below = rows[number * tracks + 1, 0]
            below.stackplot(place + 1, states[place].T, colors=STATE_COLOURS, labels=STATE_NAMES, step="mid")
            below.set(ylim=(0, 1), yticks=[], ylabel="state")
        rows[(number + 1) * tracks - 1, 0].set_xlabel("residue", fontsize=8)
        for one in rows[number * tracks : (number + 1) * tracks, 0]:
            one.set_xlim(start + 0.5, start + min(PER_ROW, length) + 0.5)
    if states is not None:
        figure.legend(*rows[1, 0].get_legend_handles_labels(), loc="outside upper right", ncols=3, fontsize=8)
    return figure


def _truncations(found: Scan) -> Figure:
    """The score along the truncations of both ends, with the extremes of the members."""
    figure = Figure(figsize=(12, 3), layout="constrained")
    length = len(found.protein.sequence)
    for axes, end in zip(figure.subplots(1, 2, sharey=True), ("N", "C"), strict=True):
        numbers, cuts = [], []
        for n, variant in enumerate(found.variants):
            if variant.kind == "truncation" and variant.name.startswith("1-") == (end == "C"):
                first, last = map(int, variant.name.split("-"))
                numbers.append(n)
                cuts.append(first - 1 if end == "N" else length - last)
        scores = found.scores[numbers]
        axes.fill_between(cuts, scores.min(axis=1), scores.max(axis=1), color="#0072B2", alpha=0.2, linewidth=0)
        axes.plot(cuts, scores.mean(axis=1), color="#0072B2")
        axes.axhline(found.own.mean(), color="#57636f", linestyle=":")
        axes.set(xlabel=f"residues taken away at the {end}-terminus", ylabel="score")
    return figure


def _contacts(packed: np.ndarray, length: int) -> Figure:
    figure = Figure(figsize=(5.6, 5), layout="constrained")
    axes = figure.subplots()
    matrix = unpack(np.asarray(packed, dtype=np.float64), length)
    extent = (0.5, length + 0.5, length + 0.5, 0.5)
    image = axes.imshow(matrix, cmap="Blues", vmin=0, vmax=1, extent=extent)
    axes.set(xlabel="residue", ylabel="residue")
    figure.colorbar(image, ax=axes, label="probability of a contact", shrink=0.8)
    return figure
