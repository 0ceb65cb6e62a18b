"""Chapter: contacts."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from foldgraft.records.pairs import unpack
from foldgraft.records.targets import Targets
from foldgraft.report.drawing import BLUE, GREEN, GREY, INK, RED, canvas, count, log_axis, number, plural, share, svg
from foldgraft.report.molecule import top_contacts
from foldgraft.report.page import Block, Figure, Section, Text
from foldgraft.report.run import Run
from foldgraft.report.tables import comparison_table, metrics_table, notes_list, plain, verdicts

TASK = "contact"
RANGES = {"short": "6 to 11", "medium": "12 to 23", "long": "24 and more", "all": "6 and more"}
METRICS = {
    f"{kind} {name}": f"{kind}, {name} ({apart} apart)"
    for name, apart in RANGES.items()
    for kind in ("P@L", "P@L/2", "P@L/5")
}
COMPARED = {
    name: shown for name, shown in METRICS.items() if name in ("P@L long", "P@L/5 long", "P@L all", "P@L/5 all")
}
FEW = 30


def section(run: Run, examples: list[Targets]) -> Section:
    """The chapter on contacts; `examples` are the proteins whose maps are shown, best first."""
    metrics = run.evaluation("metrics")
    if metrics.empty or not (metrics["task"] == TASK).any():
        return Section("contacts", "Contacts", [Text("This run has no contact experiment.", "note")])
    blocks: list[Block] = [
        Text(
            "A contact is a pair of residues whose CB atoms (CA for glycine) are less than 8 Å apart. P@L is the part "
            "of true contacts among the L likeliest pairs, L being the length of the sequence; pairs with an "
            "unresolved residue count neither way."
        ),
        metrics_table(
            metrics, TASK, METRICS, "Means over proteins, in brackets 95 % intervals by resampling proteins."
        ),
        comparison_table(
            run.evaluation("comparison"),
            TASK,
            COMPARED,
            "Each experiment minus each baseline on the same proteins and the same resamples.",
        ),
        *_caution(run),
        *_per_protein(run),
        *_maps(run, examples),
        *notes_list(run.evaluation("notes"), TASK),
    ]
    return Section("contacts", "Contacts", blocks)


def precisions(run: Run, experiment: str) -> pd.DataFrame:
    """Precision of each test protein in an experiment or baseline."""
    table = run.evaluation("contacts")
    if table.empty:
        return table
    return table[(table["experiment"] == experiment) & (table["split"] == "test")]


def chosen(run: Run) -> str | None:
    """The contact experiment that is looked at closely: the best on validation proteins; None without any."""
    names = [experiment.name for experiment in run.of_task(TASK)]
    metrics = run.evaluation("metrics")
    if not names or metrics.empty:
        return names[0] if names else None
    rows = metrics[(metrics["split"] == "valid") & (metrics["metric"] == "P@L all") & metrics["experiment"].isin(names)]
    rows = rows.dropna(subset=["value"]).sort_values(["value", "experiment"], ascending=[False, True])
    return str(rows["experiment"].iloc[0]) if len(rows) else names[0]


def headline_metric(run: Run) -> str:
    """`P@L long`, or `P@L all` where less than half of the test proteins have such pairs."""
    table = run.evaluation("contacts")
    rows = table[table["split"] == "test"] if len(table) else table
    return "P@L long" if len(rows) and rows["P@L long"].notna().mean() >= 0.5 else "P@L all"


def headline(run: Run) -> list[tuple[str, str]]:
    """A verdict on each experiment, against the strongest baseline, as (tone, sentence)."""
    comparison = run.evaluation("comparison")
    if comparison.empty:
        return []
    metric = headline_metric(run)
    rows = comparison[(comparison["task"] == TASK) & (comparison["split"] == "test")]
    return verdicts(rows[rows["metric"] == metric], METRICS[metric], run.cross_validated())


def _caution(run: Run) -> list[Block]:
    table = run.evaluation("contacts")
    names = set(table.loc[table["split"] == "test", "id"]) if len(table) else set()
    rows = run.split[(run.split["set"] == "structures") & run.split["id"].isin(names)]
    if rows.empty:
        return []
    clusters = rows["cluster"].nunique()
    come = f"The {count(len(names))} {plural(len(names), 'test protein comes', 'test proteins come')}"
    said = f"{come} from {count(clusters)} {plural(clusters, 'cluster')} of similar sequences"
    if clusters < len(names):
        said += "; the intervals take proteins as independent, so they are narrower than they should be"
    if clusters < FEW:
        said += "; so few make every figure here a rough one"
    return [Text(f"{said}.", "note" if clusters < max(FEW, len(names)) else "")]


def _per_protein(run: Run) -> list[Block]:
    name, metric = chosen(run), "P@L all"
    if name is None:
        return []
    ours = precisions(run, name).set_index("id")
    theirs = precisions(run, "baseline_coevolution").set_index("id")
    if theirs.empty:
        theirs = precisions(run, "baseline_separation").set_index("id")
    neff = run.alignments.drop_duplicates("id").set_index("id")["neff"]
    panels = [panel for panel, there in (("baseline", len(theirs)), ("neff", len(neff))) if there]
    if ours.empty or not panels:
        return []
    figure, axes = canvas(4.3 * len(panels), 3.6, columns=len(panels))
    drawn = dict(zip(panels, axes, strict=True))
    told = []
    if "baseline" in drawn:
        both = ours.join(theirs[[metric]], rsuffix=" baseline").dropna(subset=[metric, f"{metric} baseline"])
        above = int((both[metric] > both[f"{metric} baseline"]).sum())
        drawn["baseline"].plot([0, 1], [0, 1], color="#c5ccd3", lw=0.8)
        drawn["baseline"].scatter(both[f"{metric} baseline"], both[metric], s=24, color=BLUE, alpha=0.65, lw=0)
        who = plain(theirs["experiment"].iloc[0]).removeprefix("baseline: ")
        drawn["baseline"].set(xlabel=f"P@L, {who} alone", ylabel=f"P@L, {name}", xlim=(0, 1), ylim=(0, 1))
        drawn["baseline"].set_title(f"Against {who}")
        told.append(f"the head is ahead of {who} in {above} of {len(both)} proteins ({share(above, len(both))})")
    if "neff" in drawn:
        deep = ours.join(neff, how="inner").dropna(subset=[metric])
        drawn["neff"].scatter(np.maximum(deep["neff"], 1), deep[metric], s=24, color=BLUE, alpha=0.65, lw=0)
        drawn["neff"].set(xscale="log", xlabel="Neff of the alignment", ylabel=f"P@L, {name}", ylim=(0, 1))
        log_axis(drawn["neff"].xaxis)
        drawn["neff"].set_title("Against alignment depth")
        rho = float(deep["neff"].rank().corr(deep[metric].rank())) if len(deep) > 2 else np.nan
        if np.isfinite(rho):
            told.append(f"the rank correlation of precision with Neff is {number(rho, 2)}")
    for one in drawn.values():
        for points in one.collections:
            points.set_rasterized(len(ours) > 300)
    said = "; ".join(told)
    return [
        Figure(
            svg(figure, "per-protein"),
            f"Scatter plots of {len(ours)} {plural(len(ours), 'test protein')}: {said}.",
            f"P@L of {name} for each test protein, beside what a baseline reaches and beside how deep its alignment "
            "is.",
            "One point per test protein; pairs 6 and more residues apart.",
            f"{said[:1].upper()}{said[1:]}.",
        )
    ]


def _maps(run: Run, examples: list[Targets]) -> list[Block]:
    name = chosen(run)
    if name is None or not examples:
        return []
    scores = run.contact_scores(name, [one.id for one in examples])
    found = precisions(run, name).set_index("id")["P@L all"]
    shown = [one for one in examples if one.id in scores]
    if not shown:
        return []
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure, axes = canvas(3.35 * columns, 3.6 * rows, columns=columns, rows=rows)
    for one, panel in zip(shown, axes, strict=False):
        _map(panel, one, scores[one.id], float(found.get(one.id, np.nan)))
    for panel in axes[len(shown) :]:
        panel.set_visible(False)
    number_shown = f"{len(shown)} {plural(len(shown), 'test protein')}"
    told = ", ".join(f"{one.id} {number(float(found.get(one.id, np.nan)), 2)}" for one in shown)
    return [
        Figure(
            svg(figure, "maps"),
            f"Contact maps of {number_shown}, truth against prediction. P@L: {told}.",
            f"Contact maps of {number_shown}, from the best predicted to the worst by {name}. Below the "
            "diagonal the true contacts, with unresolved residues in grey; above it the predicted probability, from 0 "
            "(white) to the highest of that protein (blue), and the L likeliest pairs as dots: green where true, "
            "orange where not.",
            "Proteins at evenly spaced ranks of P@L among all test proteins.",
            f"P@L over pairs 6 and more apart: {told}.",
        )
    ]


def _map(panel: Axes, one: Targets, scores: np.ndarray, precision: float) -> None:
    length = len(one.sequence)
    probability = unpack(scores.astype(np.float64), length)
    truth, mask = unpack(one.contacts, length), unpack(one.pair_mask, length, True)
    image = np.ones((length, length, 3))
    upper = np.triu_indices(length, k=1)
    top = max(float(np.nanmax(scores)), 1e-9)
    strength = np.clip(probability / top, 0, 1)[upper][:, None]
    image[upper] = 1 - strength * (1 - np.array([0.33, 0.55, 0.80]))
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


def examples(run: Run, count: int) -> list[str]:
    """Test proteins at evenly spaced ranks of P@L in the chosen experiment, best first; none without one."""
    name = chosen(run)
    if name is None or run.index.empty:
        return []
    table = precisions(run, name)
    if table.empty:
        return []
    table = table[table["id"].isin(run.index["id"])].dropna(subset=["P@L all"])
    table = table.sort_values(["P@L all", "id"], ascending=[False, True], kind="stable")
    if table.empty:
        return []
    ranks = np.unique(np.linspace(0, len(table) - 1, min(count, len(table))).round().astype(int))
    return table["id"].iloc[ranks].tolist()
