"""Chapter: structures: torsions of many chains, and one protein from all sides."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure as Canvas

from foldgraft.geometry import distances
from foldgraft.records.chains import Chain
from foldgraft.records.pairs import unpack
from foldgraft.records.targets import MASKED, TORSIONS, Targets
from foldgraft.report import linked
from foldgraft.report.drawing import BLUE, GREEN, GREY, ORANGE, RED, canvas, count, panels, png, share, svg
from foldgraft.report.molecule import Contacts, likeliest, top_contacts
from foldgraft.report.page import Block, Figure, Heading, Section, Text
from foldgraft.report.run import Run
from foldgraft.residues import ATOM_INDEX
from foldgraft.viewer.parts import SOURCE

PHI, PSI = TORSIONS.index("phi"), TORSIONS.index("psi")
RESIDUES = 50_000  # of a Ramachandran plot, at most
KINDS = {"all but Gly and Pro": "", "glycine": "G", "proline": "P"}
VIEWER = (
    f"The page was made without 3Dmol.js, so this is a still picture. For a view that turns, put {SOURCE} at "
    "resources/3Dmol-min.js, as `make demo` does, and make the report again."
)


def section(run: Run, shards: Iterable[str], shown: Sequence[Targets], viewer: str) -> Section:
    """The chapter on structures.

    `shards` are those that hold the shown proteins, `shown` the proteins to look at, best first, `viewer` the text of
    3Dmol.js.
    """
    blocks: list[Block] = []
    if shown:
        middle = shown[len(shown) // 2]
        stills = {} if viewer else _stills(run, shown)
        blocks += [Heading("Some proteins from all sides", "linked-views"), linked.block(run, shown, stills)]
        blocks += [] if viewer else [Text(VIEWER, "note")]
        blocks += [Heading("One of them on paper", "sides"), _sides(run, run.chain(middle.id), middle)]
    torsions = _ramachandran(run, shards)
    blocks += [Heading("Torsions", "torsions"), *torsions] if torsions else []
    if not blocks:
        blocks = [Text("This run has no structure targets.", "note")]
    return Section("structures", "Structures", blocks)


def _ramachandran(run: Run, shards: Iterable[str]) -> list[Block]:
    angles, amino_acids, chains = _torsions(run, shards)
    if not len(angles):
        return []
    drawn = []
    for name, letter in KINDS.items():
        figure, (panel,) = canvas(3.5, 3.5)
        chosen = np.isin(amino_acids, list("GP"), invert=True) if not letter else amino_acids == letter
        _density(panel, angles[chosen], f"{name} ({count(chosen.sum())})")
        drawn.append(svg(figure, f"ramachandran-{len(drawn)}"))
    phi, psi = angles.T
    alpha = (phi > -100) & (phi < -30) & (psi > -80) & (psi < -5)
    beta = (phi < -40) & ((psi > 90) | (psi < -150))
    other = np.isin(amino_acids, list("GP"), invert=True)
    left = float(np.mean(phi[other] > 0)) if other.any() else 0.0
    return [
        Figure(
            panels(drawn),
            f"Ramachandran plots of {len(angles)} residues: {share(alpha.sum(), len(phi))} helical, "
            f"{share(beta.sum(), len(phi))} extended.",
            f"Backbone torsions phi and psi of {count(len(angles))} residues of {count(chains)} chains, as the targets "
            "hold them; darker is denser, on a logarithmic scale.",
            "IUPAC sign; residues at chain ends and beside breaks (C-N farther than 2.0 Å) are left out. The chains "
            "are those of the shards that hold the proteins shown below.",
            f"{share(alpha.sum(), len(phi))} of the residues lie in the helical region, {share(beta.sum(), len(phi))} "
            f"in the extended one; phi is positive for {100 * left:.1f} % of those that are neither glycine nor "
            "proline, a region that is strained for them.",
        )
    ]


def _torsions(run: Run, shards: Iterable[str]) -> tuple[np.ndarray, np.ndarray, int]:
    """phi and psi in degrees, shape (n, 2), their residues, shape (n,), and the number of chains they come from."""
    angles, amino_acids, chains = [np.empty((0, 2))], [np.empty(0, dtype="<U1")], 0
    total = 0
    for one in (targets for shard in shards for targets in run.targets(shard)):
        both = one.torsion_mask[:, PHI] & one.torsion_mask[:, PSI]
        pair = one.torsions[both][:, [PHI, PSI]].astype(np.float64)  # (n, 2, 2)
        angles.append(np.degrees(np.arctan2(pair[..., 0], pair[..., 1])))
        amino_acids.append(np.array(list(one.sequence))[both])
        chains, total = chains + 1, total + int(both.sum())
        if total >= RESIDUES:
            break
    return np.concatenate(angles), np.concatenate(amino_acids), chains


def _density(panel: Axes, angles: np.ndarray, title: str) -> None:
    edges = np.linspace(-180, 180, 73)
    counts, _, _ = np.histogram2d(angles[:, 0], angles[:, 1], bins=[edges, edges])
    if counts.max() > 0:
        norm = LogNorm(vmin=0.7, vmax=max(2.0, counts.max()))
        shown = np.ma.masked_equal(counts.T, 0)
        panel.imshow(
            shown, origin="lower", extent=(-180, 180, -180, 180), cmap="Blues", norm=norm, interpolation="nearest"
        )
    for line in (panel.axhline, panel.axvline):
        line(0, color="#c5ccd3", lw=0.6)
    ticks = np.arange(-180, 181, 90)
    panel.set(title=title, xlabel="phi (degrees)", ylabel="psi (degrees)", xticks=ticks, yticks=ticks)
    panel.set(xlim=(-180, 180), ylim=(-180, 180), aspect="equal")


def _sides(run: Run, chain: Chain, one: Targets) -> Figure:
    length = len(one.sequence)
    coupling = run.coevolution(one.id)
    extent = (0.5, length + 0.5, length + 0.5, 0.5)
    bins = unpack(one.distogram.astype(float), length, 0.0)
    bins[(bins == MASKED) | (np.eye(length, dtype=bool) & ~chain.resolved)] = np.nan
    apart = distances(linked.beta(chain))
    drawings = [
        ("Distance (Å)", apart, "viridis", {"vmax": min(40.0, float(np.nanmax(apart)))}),
        ("Distogram bin", bins, "viridis", {"vmin": 0, "vmax": 63}),
    ]
    if coupling is not None:
        matrix = unpack(coupling.astype(float), length, np.nan)
        top = float(np.nanpercentile(coupling, 99.7)) if len(coupling) else 1.0
        drawings.append(("Coevolution", matrix, "Greys", {"vmin": 0, "vmax": max(top, 1e-6)}))
    sides = []
    for title, image, colour, limits in drawings:
        figure, (panel,) = canvas(4.3, 3.8)
        drawn = panel.imshow(image, cmap=colour, extent=extent, **limits)
        panel.set(title=title, xlabel="residue", ylabel="residue")
        panel.grid(False)
        figure.colorbar(drawn, ax=panel, shrink=0.8, extend=_beyond(image, **limits))
        sides.append(svg(figure, f"side-{len(sides)}"))
    figure, (panel,) = canvas(4.3, 3.8)
    _along(panel, one)
    agreement, said = _agreement(coupling, one), "coevolution comes from the alignment alone, without the structure"
    return Figure(
        panels([*sides, svg(figure, "side-torsions")]),
        f"Distance matrix, distogram, coevolution and torsions of {one.id}, {length} residues. {agreement}",
        f"{one.id} ({length} residues) from {'three sides' if coupling is None else 'four sides'}: distances, "
        f"distogram, {'' if coupling is None else 'coevolution, '}and the torsions along the chain over helices "
        "(orange) and strands (blue).",
        "Distances are between CB atoms (CA for glycine); the distogram puts them into 64 bins from 2.3 to 21.7 Å, the "
        f"first and the last open; {'there is no alignment, hence no coevolution' if coupling is None else said}. "
        "Where a scale ends in a point, what lies beyond it has the colour of that end: distances over 40 Å, "
        "coevolution below 0 and above its 99.7th percentile. White is unresolved.",
        agreement,
    )


def _beyond(values: np.ndarray, vmax: float, vmin: float = -np.inf) -> str:
    """At which ends of a scale there are values beyond it, in matplotlib's words."""
    low, high = np.nanmin(values) < vmin, np.nanmax(values) > vmax
    return "both" if low and high else "min" if low else "max" if high else "neither"


def _along(panel: Axes, one: Targets) -> None:
    angles = np.degrees(np.arctan2(one.torsions[..., 0], one.torsions[..., 1]))  # (L, 7)
    residue = np.arange(1, len(one.sequence) + 1)
    for state, colour in (("H", ORANGE), ("E", BLUE)):
        inside = np.array([letter == state for letter in one.ss3])
        for at in residue[inside]:
            panel.axvspan(at - 0.5, at + 0.5, color=colour, alpha=0.22, lw=0)
    for index, colour, name in ((PHI, RED, "phi"), (PSI, GREEN, "psi")):
        kept = one.torsion_mask[:, index]
        panel.scatter(residue[kept], angles[kept, index], s=8, color=colour, lw=0, label=name)
    panel.set(title="Torsions", xlabel="residue", ylabel="degrees", ylim=(-185, 185), yticks=np.arange(-180, 181, 90))
    panel.set_xlim(0.5, len(one.sequence) + 0.5)
    panel.legend(loc="upper right", ncols=2, frameon=True, framealpha=0.9, edgecolor="none")


def _agreement(coupling: np.ndarray | None, one: Targets) -> str:
    helix, strand = one.ss3.count("H"), one.ss3.count("E")
    said = f"{helix} of its residues are in helices and {strand} in strands."
    if coupling is None:
        return said
    length = len(one.sequence)
    best = top_contacts(coupling, one.contacts, one.pair_mask, length, max(1, length // 5))
    if not len(best.true):
        return said
    rate = one.contacts[one.pair_mask].mean()
    return (
        f"Of the {len(best.true)} pairs that coevolve most (6 and more apart), {int(best.true.sum())} touch "
        f"({share(best.true.sum(), len(best.true))}, against {100 * rate:.1f} % of all pairs). {said}"
    )


def _stills(run: Run, shown: Sequence[Targets]) -> dict[str, str]:
    """A picture of each protein with its likeliest contacts, as data URIs."""
    task = run.pair_task()
    scores = run.pair_scores(task, task.best, [one.id for one in shown]) if task and task.best else {}
    stills = {}
    for one in shown:
        best = Contacts(np.empty((0, 2), dtype=int), np.empty(0, dtype=bool))
        if one.id in scores:
            best = likeliest(scores[one.id], one)
        stills[one.id] = png(_still(run.chain(one.id), best))
    return stills


def _still(chain: Chain, drawn: Contacts) -> Canvas:
    """The chain's CA trace seen along its thinnest direction, with contacts as lines."""
    figure, (panel,) = canvas(5.6, 4.6, subplot_kw={"projection": "3d"})
    points = chain.coordinates[:, ATOM_INDEX["CA"]].astype(np.float64)
    seen = np.isfinite(points).all(axis=1)
    points = points - points[seen].mean(axis=0)
    _, _, axes = np.linalg.svd(points[seen], full_matrices=False)
    points = points @ axes.T
    for (i, j), true in zip(drawn.pairs, drawn.true, strict=True):
        panel.plot(*points[[i, j]].T, color=GREEN if true else RED, lw=0.9, alpha=0.8)
    panel.plot(*points.T, color=GREY, lw=2.2)
    colours = np.flatnonzero(seen) / max(1, len(points) - 1)
    panel.scatter(*points[seen].T, c=colours, cmap="turbo", s=14, depthshade=False)
    panel.set_axis_off()
    panel.set_box_aspect(np.ptp(points[seen], axis=0) + 1.0)
    panel.view_init(elev=80, azim=-90)
    return figure
