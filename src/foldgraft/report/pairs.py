"""Figures of residue pairs: precision of each protein, and contact maps."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize

from foldgraft.records.pairs import unpack
from foldgraft.records.targets import Targets
from foldgraft.report.drawing import (
    BLUE,
    GREEN,
    GREY,
    INK,
    RED,
    canvas,
    count,
    log_axis,
    number,
    panels,
    plural,
    share,
    svg,
)
from foldgraft.report.molecule import top_contacts
from foldgraft.report.page import Block, Figure, Text
from foldgraft.report.results import Task
from foldgraft.report.run import Run

ALL = "P@L all"
FEW = 30
LONGEST = 400
"""Residues of a protein that is shown, where there are such: maps of longer ones would make the page a large one."""
LIKELY = np.array([0.33, 0.55, 0.80])  # colour of a probability of 1, of white for 0


def definition(task: Task) -> list[Block]:
    """What the numbers of a pair-level task mean."""
    if task.about.level != "pair":
        return []
    return [
        Text(
            "A contact is a pair of residues whose CB atoms (CA for glycine) are less than 8 Å apart. P@L is the part "
            "of true contacts among the L likeliest pairs, L being the length of the sequence; a protein with fewer "
            "contacts than that cannot reach 1, and the ceiling is what a perfect ranking would reach. Pairs with an "
            "unresolved residue count neither way."
        )
    ]


def blocks(run: Run, task: Task, examples: Sequence[Targets]) -> list[Block]:
    """The figures; `examples` are the proteins whose maps are shown, best first."""
    return [*_per_protein(run, task), *_maps(run, task, examples)]


def precisions(task: Task, name: str | None) -> pd.DataFrame:
    """Metrics of each test protein in an experiment or baseline, by id."""
    table = task.tables["proteins"]
    if table.empty:
        return pd.DataFrame(columns=["id", ALL]).set_index("id")
    return table[(table["experiment"] == name) & (table["split"] == "test")].set_index("id")


def caution(run: Run, task: Task) -> list[Block]:
    """That test proteins are few, if they are; of pairs, whose proteins count one by one."""
    if task.about.level != "pair":
        return []
    names = set(precisions(task, task.best).index)
    rows = run.split[(run.split["set"] == task.set) & run.split["id"].isin(names)]
    clusters = rows["cluster"].nunique()
    if not len(rows) or clusters >= FEW:
        return []
    come = f"The {count(len(names))} {plural(len(names), 'test protein comes', 'test proteins come')}"
    said = f"{come} from {count(clusters)} {plural(clusters, 'cluster')} of similar sequences"
    return [Text(f"{said}; so few make every figure here a rough one.", "note")]


def _per_protein(run: Run, task: Task) -> list[Block]:
    name, baseline = task.best, task.strongest
    ours, theirs = precisions(task, name), precisions(task, baseline)
    neff = run.alignments.drop_duplicates("id").set_index("id")["neff"]
    if ours.empty:
        return []
    drawn, sentences = [], []
    if len(theirs):
        both = ours[[ALL]].join(theirs[[ALL]], rsuffix=" baseline").dropna()
        figure, (axes,) = canvas(4.0, 3.8)
        axes.plot([0, 1], [0, 1], color="#c5ccd3", lw=0.8)
        axes.scatter(both[f"{ALL} baseline"], both[ALL], s=24, color=BLUE, alpha=0.65, lw=0, rasterized=len(both) > 300)
        who = baseline.removeprefix("baseline_")
        axes.set(xlabel=f"P@L, {who} alone", ylabel=f"P@L, {name}", xlim=(0, 1), ylim=(0, 1), title=f"Against {who}")
        drawn.append(svg(figure, f"against-{task.name}"))
        above = int((both[ALL] > both[f"{ALL} baseline"]).sum())
        sentences.append(f"{name} is ahead of {who} in {above} of {len(both)} proteins ({share(above, len(both))})")
    if len(neff):
        deep = ours[[ALL]].join(neff, how="inner").dropna()
        figure, (axes,) = canvas(4.0, 3.8)
        axes.scatter(
            np.maximum(deep["neff"], 1), deep[ALL], s=24, color=BLUE, alpha=0.65, lw=0, rasterized=len(deep) > 300
        )
        axes.set(xscale="log", xlabel="Neff of the alignment", ylabel=f"P@L, {name}", ylim=(0, 1))
        axes.set_title("Against alignment depth")
        log_axis(axes.xaxis)
        drawn.append(svg(figure, f"depth-{task.name}"))
        rho = float(deep["neff"].rank().corr(deep[ALL].rank())) if len(deep) > 2 else np.nan
        if np.isfinite(rho):
            sentences.append(f"the rank correlation of precision with Neff is {number(rho, 2)}")
    if not drawn:
        return []
    said = "; ".join(sentences) or "there are too few proteins to say more"
    return [
        Figure(
            panels(drawn),
            f"Scatter plots of {len(ours)} {plural(len(ours), 'test protein')}: {said}.",
            f"P@L of {name} for each test protein, beside a baseline's and beside the depth of its alignment.",
            "One point per test protein; pairs 6 and more residues apart.",
            f"{said[:1].upper()}{said[1:]}.",
        )
    ]


def _maps(run: Run, task: Task, examples: Sequence[Targets]) -> list[Block]:
    name = task.best
    if name is None or not examples:
        return []
    scores = run.pair_scores(task, name, [one.id for one in examples])
    precision_by_id = precisions(task, name)[ALL]
    shown = [one for one in examples if one.id in scores]
    if not shown:
        return []
    drawn = []
    for one in shown:
        figure, (panel,) = canvas(4.0, 3.7)
        _map(panel, one, scores[one.id], float(precision_by_id.get(one.id, np.nan)))
        drawn.append(svg(figure, f"map-{task.name}-{len(drawn)}"))
    number_shown = f"{len(shown)} {plural(len(shown), 'test protein')}"
    precisions_shown = ", ".join(f"{one.id} {number(float(precision_by_id.get(one.id, np.nan)), 2)}" for one in shown)
    return [
        Figure(
            panels(drawn),
            f"Contact maps of {number_shown}, truth against prediction. P@L: {precisions_shown}.",
            f"Contact maps of {number_shown} of different clusters, from the best predicted to the worst by {name}. "
            "Below the diagonal the true contacts, with unresolved residues in grey; above it the predicted "
            "probability, and the L likeliest pairs as dots: green where true, orange where not.",
            "Proteins at evenly spaced ranks of P@L among the test proteins, one of each cluster; the scale of "
            "probability is the same in all maps.",
            f"P@L over pairs 6 and more apart: {precisions_shown}.",
        )
    ]


def _map(panel: Axes, one: Targets, scores: np.ndarray, precision: float) -> None:
    length = len(one.sequence)
    probability = unpack(scores.astype(np.float64), length)
    truth, mask = unpack(one.contacts, length), unpack(one.pair_mask, length, True)
    image = np.ones((length, length, 3))
    upper = np.triu_indices(length, k=1)
    image[upper] = 1 - np.clip(np.nan_to_num(probability), 0, 1)[upper][:, None] * (1 - LIKELY)
    lower = np.tril(np.ones_like(mask), k=-1).astype(bool)
    image[lower & ~mask] = (0.88, 0.89, 0.90)
    image[lower & truth & mask] = (0.11, 0.15, 0.19)
    panel.imshow(image, origin="upper", extent=(0.5, length + 0.5, length + 0.5, 0.5))
    best = top_contacts(scores, one.contacts, one.pair_mask, length, length)
    for true, colour in ((False, RED), (True, GREEN)):
        at = best.pairs[best.true == true] + 1
        panel.scatter(at[:, 1], at[:, 0], s=max(1.5, (190 / length) ** 2), color=colour, lw=0, rasterized=True)
    panel.plot([0.5, length + 0.5], [0.5, length + 0.5], color=GREY, lw=0.6)
    panel.set_title(f"{one.id}\nP@L {number(precision, 2)}, {length} residues", color=INK)
    panel.set(xlabel="residue", ylabel="residue")
    panel.grid(False)
    from_white = LinearSegmentedColormap.from_list("likely", [(1, 1, 1), tuple(LIKELY)])
    panel.figure.colorbar(ScalarMappable(Normalize(0, 1), from_white), ax=panel, shrink=0.7, label="probability")


def examples(run: Run, number_of: int) -> list[str]:
    """Test proteins at evenly spaced ranks of P@L in the best experiment, best first, one of each cluster."""
    task = run.pair_task()
    if task is None or run.index.empty:
        return []
    table = precisions(task, task.best)[[ALL]].dropna().reset_index()
    lengths = run.index.drop_duplicates("id").set_index("id")["length"]
    table = table[table["id"].isin(lengths.index)]
    short = table["id"].map(lengths) <= LONGEST
    table = table[short] if short.any() else table
    clusters = run.split[run.split["set"] == task.set].drop_duplicates("id").set_index("id")["cluster"]
    table = table.sort_values([ALL, "id"], ascending=[False, True], kind="stable")
    table = table.assign(cluster=table["id"].map(clusters)).drop_duplicates("cluster")
    if table.empty:
        return []
    ranks = np.unique(np.linspace(0, len(table) - 1, min(number_of, len(table))).round().astype(int))
    return table["id"].iloc[ranks].tolist()
