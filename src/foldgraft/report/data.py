"""Chapter: what went in, what was dropped, and how it was split."""

import numpy as np
import pandas as pd

from foldgraft.metrics.decisions import MIDDLE
from foldgraft.report import exploration
from foldgraft.report.alignments import alignments
from foldgraft.report.drawing import BLUE, ORANGE, RED, canvas, count, number, panels, plural, share, svg
from foldgraft.report.page import Block, Figure, Section, Table, Text, Tiles
from foldgraft.report.results import Labelled
from foldgraft.report.run import Run


def section(run: Run) -> Section:
    """The chapter on data."""
    blocks: list[Block] = [_tiles(run), *_rejects(run), *_lengths(run), *_labels(run), *_split(run), *alignments(run)]
    return Section("data", "Data", blocks, folded=True)


def _tiles(run: Run) -> Tiles:
    stored = run.lock[run.lock["status"] == "stored"]
    entries = run.index["entry"].nunique()
    labelled = sum(len(one.rows) for one in run.labelled)
    items = [
        (count(len(stored)), plural(len(stored), "file or record fetched", "files and records fetched")),
        (count(len(run.lock) - len(stored)), "not fetched"),
        (count(entries), plural(entries, "structure entry kept", "structure entries kept")),
        (count(len(run.index)), f"{plural(len(run.index), 'protein chain')} curated"),
        (count(len(run.rejects)), "rejected in curation"),
        (count(labelled), plural(labelled, "labelled sequence")),
        (count(len(run.alignments)), plural(len(run.alignments), "alignment")),
    ]
    return Tiles(items)


def _rejects(run: Run) -> list[Block]:
    blocks: list[Block] = []
    missed = run.lock[run.lock["status"] != "stored"]
    if len(missed):
        counts = missed.groupby(["source", "reason"], dropna=False)["id"].agg(["size", "first"]).reset_index()
        rows = [
            (str(row.source), str(row.reason), count(row["size"]), str(row["first"]))
            for _, row in counts.sort_values("size", ascending=False).head(20).iterrows()
        ]
        blocks.append(
            Table(("source", "reason", "items", "for example"), rows, "What could not be fetched, by reason.")
        )
    if len(run.unread):
        caption = "What the trunk could not embed, by rule; heads that read embeddings go without it."
        blocks.append(_by_rule(run.unread, caption))
    if run.rejects.empty:
        return [*blocks, Text("Curation rejected nothing.")]
    caption = "What curation rejected, by rule; the rest of the run went on without it."
    return [*blocks, _by_rule(run.rejects, caption)]


def _by_rule(rejects: pd.DataFrame, caption: str) -> Table:
    grouped = rejects.groupby("rule")
    rows = [
        (str(rule), count(len(part)), str(part["reason"].iloc[0]), ", ".join(part["id"].head(3)))
        for rule, part in sorted(grouped, key=lambda item: -len(item[1]))
    ]
    return Table(("rule", "rejected", "reason, of the first", "for example"), rows, caption)


def _lengths(run: Run) -> list[Block]:
    if run.index.empty:
        return [Text("No structures in this run.", "note")]
    length, resolved = run.index["length"].to_numpy(), run.index["resolved_fraction"].to_numpy()
    first, (left,) = canvas(4.3, 2.7)
    second, (right,) = canvas(4.3, 2.7)
    left.hist(length, bins=_bins(length), color=BLUE, edgecolor="white", linewidth=0.4)
    left.set(title="Length of the chains", xlabel="residues (SEQRES)", ylabel="chains")
    right.hist(100 * resolved, bins=np.linspace(0, 100, 26), color=ORANGE, edgecolor="white", linewidth=0.4)
    right.set(title="Resolved part", xlabel="residues with a CA (%)", ylabel="chains", xlim=(0, 101))
    middle = np.median(length)
    gaps = int(np.sum(resolved < 1))
    return [
        Figure(
            panels([svg(first, "lengths"), svg(second, "resolved")]),
            f"Histograms of {len(length)} chains: lengths {length.min()} to {length.max()}, median {middle:.0f}; "
            f"{gaps} chains have unresolved residues.",
            "Length of every curated chain, and the part of it that is resolved.",
            "Counted on the SEQRES sequence, so unresolved residues are part of the length.",
            f"The median chain has {middle:.0f} residues (from {length.min()} to {length.max()}); {count(gaps)} of "
            f"{count(len(length))} chains ({share(gaps, len(length))}) have unresolved residues, which are left out of "
            "contacts and torsions.",
        )
    ]


def _labels(run: Run) -> list[Block]:
    if not run.labelled:
        return [Text("No labelled table in this run.", "note")]
    return [block for one in run.labelled for block in _table(run, one)]


def _table(run: Run, one: Labelled) -> list[Block]:
    """What the labels of a table look like before anything is learnt from them."""
    name, rows = one.about.task, one.rows
    if one.about.level == "residue":
        known, length = int(rows["known"].sum()), int(rows["length"].sum())
        facts = [
            ("labelled sequences", count(len(rows)), ""),
            ("residues with a label", count(known), f"{share(known, length)} of all"),
        ]
        return [Table((name, "", ""), facts, "The labels of residues; the others are left out.")]
    label = rows["label"].to_numpy(dtype=float)
    spread = rows.groupby("sequence_sha256")["label"].agg(["size", "min", "max"])
    repeated, differing = spread[spread["size"] > 1], int((spread["max"] > spread["min"]).sum())
    facts = [
        ("labelled sequences", count(len(rows)), one.about.kind + (f", {one.about.unit}" if one.about.unit else "")),
        ("sequences given more than once", count(len(repeated)), f"{count(differing)} of them with differing labels"),
    ]
    rho = np.nan
    if one.about.kind != "classes":
        varied = len(np.unique(label)) > 1 and rows["length"].nunique() > 1
        rho = float(rows["length"].rank().corr(rows["label"].rank())) if varied else np.nan
        facts.append(("rank correlation of label and length", number(rho, 2), _length_meaning(rho)))
    if rows["group"].notna().any():
        common = rows["group"].value_counts()
        facts.append(("groups", count(len(common)), f"the largest, {common.index[0]}, has {count(common.iloc[0])}"))
    drawn = {"binary": _binary, "value": _value, "classes": _classes}[one.about.kind](one, label)
    what = "What the labels look like before anything is learnt from them."
    return [Table((name, "", ""), facts, what), drawn, *exploration.blocks(run, one)]


def _binary(one: Labelled, label: np.ndarray) -> Figure:
    name, length = one.about.task, one.rows["length"].to_numpy()
    positive = label >= MIDDLE
    first, (left,) = canvas(4.3, 2.7)
    second, (right,) = canvas(4.3, 2.7)
    bins = _bins(length)
    for chosen, colour, title in ((positive, BLUE, "0.5 or more"), (~positive, RED, "below 0.5")):
        left.hist(length[chosen], bins=bins, histtype="stepfilled", color=colour, alpha=0.35)
        left.hist(length[chosen], bins=bins, histtype="step", color=colour, label=title)
    left.set(title="Length by label", xlabel="residues", ylabel="sequences")
    left.legend()
    right.hist(label, bins=np.linspace(0, 1, 21), color=BLUE, edgecolor="white", linewidth=0.4)
    right.set(title="Labels", xlabel="label", ylabel="sequences")
    part = share(positive.sum(), len(label))
    return Figure(
        panels([svg(first, f"lengths-{name}"), svg(second, f"labels-{name}")]),
        f"Histograms of {len(label)} labelled sequences of {name} by length and by label; {part} are positive.",
        f"Lengths of the sequences of {name} by their label, and the labels themselves.",
        "A label of 0.5 or more counts as positive; every row of the table is counted.",
        f"{part} are positive. A model that always says the commoner class is right that often, so accuracy alone says "
        "little.",
    )


def _value(one: Labelled, label: np.ndarray) -> Figure:
    name = one.about.task
    figure, (axes,) = canvas(4.8, 2.7)
    axes.hist(label, bins=np.linspace(label.min(), max(label.max(), label.min() + 1e-9), 31), color=BLUE, lw=0.4)
    axes.set(title="Labels", xlabel=one.about.unit or "value", ylabel="sequences")
    low, middle, high = np.quantile(label, [0, 0.5, 1])
    said = f"The values run from {low:.3g} to {high:.3g}, half of them below {middle:.3g}"
    return Figure(
        svg(figure, f"labels-{name}"),
        f"Histogram of {len(label)} labels of {name}. {said}.",
        f"The labels of {name}.",
        "Every row of the table is counted.",
        f"{said}; their standard deviation is {label.std():.3g}.",
    )


def _classes(one: Labelled, label: np.ndarray) -> Figure:
    name, names = one.about.task, one.about.classes
    counts = np.bincount(label.astype(int), minlength=len(names))
    figure, (axes,) = canvas(4.8, 0.9 + 0.26 * len(names))
    axes.barh([text[:24] for text in names], counts, color=BLUE)
    axes.invert_yaxis()
    axes.set(title="Labels", xlabel="sequences")
    most, least = int(counts.argmax()), int(counts.argmin())
    said = f"{names[most]} is the commonest class ({share(counts[most], counts.sum())}), {names[least]} the rarest "
    said += f"({count(counts[least])})"
    return Figure(
        svg(figure, f"labels-{name}"),
        f"Bars of {len(names)} classes of {name}. {said}.",
        f"How many sequences of {name} each class has.",
        "Every row of the table is counted.",
        f"{said}. A model that always says the commonest is right that often; macro F1 weighs all classes alike.",
    )


def _length_meaning(rho: float) -> str:
    if not np.isfinite(rho):
        return "length and label cannot be correlated"
    if abs(rho) < 0.1:
        return "length tells hardly anything about the label"
    return f"longer sequences have {'greater' if rho > 0 else 'smaller'} labels: a shortcut that a model can take"


def _split(run: Run) -> list[Block]:
    if run.split.empty:
        return [Text("This run has no split.", "note")]
    rows, tried = [], _only_tried(run)
    for name, part in run.split.groupby("set"):
        if name in tried:
            clusters = count(part["cluster"].nunique())
            rows.append((str(name), "test, of heads of other tables", count(len(part)), clusters))
            continue
        for kind in ("train", "valid", "test"):
            chosen = part[part["split"] == kind]
            rows.append((str(name), kind, count(len(chosen)), count(chosen["cluster"].nunique())))
    blocks: list[Block] = [
        Table(
            ("set", "part", "proteins", "clusters"),
            rows,
            "The split. Whole clusters of similar sequences go to one part; a test protein should have no relative in "
            "training.",
        )
    ]
    return [*blocks, *_nearest(run)]


def _only_tried(run: Run) -> set[str]:
    """Sets of which nothing was learnt: heads of other tables were tried on them, and all their proteins are tested."""
    learnt = {task.set for task in run.tasks if task.experiments}
    return {task.set for task in run.tasks} - learnt


def _nearest(run: Run) -> list[Block]:
    tested = run.leakage[~run.leakage["set"].isin(_only_tried(run))]
    hits = tested.dropna(subset=["identity"])
    if hits.empty:
        return [Text("The search of the test proteins against training found no hit at all.")] if len(tested) else []
    figure, (axes,) = canvas(6.2, 2.7)
    covered = hits[["coverage_query", "coverage_target"]].max(axis=1)
    for leak, colour, name in ((False, BLUE, "no leak"), (True, RED, "leak")):
        rows = (hits["leak"] == leak).to_numpy()
        if rows.any():
            axes.scatter(100 * hits["identity"][rows], 100 * covered[rows], s=9, color=colour, alpha=0.6, label=name)
            axes.collections[-1].set_rasterized(True)
    axes.set(xlabel="identity (%)", ylabel="aligned part of the shorter (%)", xlim=(0, 103), ylim=(0, 103))
    axes.set_title("Nearest training protein of each test protein")
    axes.legend()
    leaks = int(hits["leak"].sum())
    return [
        Figure(
            svg(figure, "nearest"),
            f"Scatter of {len(hits)} test proteins by identity and coverage of their nearest training protein; "
            f"{leaks} leak.",
            "For each test protein, the most similar training or validation protein that a search finds.",
            "MMseqs2 search of all test sequences against the others; the coverage is that of the shorter of the two, "
            "since a fragment leaks as well as a whole.",
            f"{len(tested) - len(hits)} of {len(tested)} test proteins have no hit at all; {leaks} have one "
            "that counts as a leak.",
        )
    ]


def _bins(values: np.ndarray | pd.Series) -> np.ndarray:
    low, high = float(np.min(values)), float(np.max(values))
    return np.linspace(low, max(high, low + 1), 31)
