"""Of the chapter on data: how deep alignments are, what their filters dropped, and what became of those given."""

import numpy as np
import pandas as pd

from foldgraft.records.given import summary
from foldgraft.report.drawing import BLUE, ORANGE, RED, canvas, count, log_axis, panels, share, svg
from foldgraft.report.page import Block, Figure, Table, Text
from foldgraft.report.run import Run

DROPPED = {
    "unusable": "no rows of aligned letters, in given files",
    "repeated": "the same aligned letters as a row before",
    "short": "below msa.min_coverage",
    "distant": "below msa.min_identity",
    "alike": "above msa.max_identity with a row before",
    "surplus": "beyond msa.max_sequences",
}
SHOWN = 50
"""Given files listed on the page; `msa/given.csv` has all."""


def alignments(run: Run) -> list[Block]:
    """Depth, effective depth and gaps; filters; and the account of given alignments."""
    table = run.alignments
    if table.empty:
        return [Text("No alignments in this run, hence no coevolution.", "note")]
    return [_depths(table), _filters(table), *_given(run)]


def _depths(table: pd.DataFrame) -> Figure:
    drawn = []
    for column, title, name, colour in (
        ("depth", "Depth", "sequences in the alignment", BLUE),
        ("neff", "Effective depth", "Neff", ORANGE),
    ):
        figure, (axes,) = canvas(4.3, 2.7)
        values = np.maximum(table[column].to_numpy(dtype=float), 1)
        axes.hist(
            values, bins=np.geomspace(1, max(2.0, values.max() * 1.05), 26), color=colour, edgecolor="white", lw=0.4
        )
        axes.set(xscale="log", title=title, xlabel=name, ylabel="proteins")
        log_axis(axes.xaxis)
        drawn.append(svg(figure, f"alignments-{column}"))
    figure, (axes,) = canvas(4.3, 2.7)
    axes.hist(table["gaps"], bins=np.linspace(0, 1, 26), color=RED, edgecolor="white", lw=0.4)
    axes.set(title="Gaps", xlabel="mean fraction of homologs without a residue", ylabel="proteins")
    drawn.append(svg(figure, "alignments-gaps"))
    per_residue = table["neff"] / table["length"]
    shallow = int((table["neff"] < np.sqrt(table["length"])).sum())
    return Figure(
        panels(drawn),
        f"Histograms of {len(table)} alignments: median depth {table['depth'].median():.0f}, median Neff "
        f"{table['neff'].median():.1f}, median fraction of gaps {table['gaps'].median():.2f}.",
        "Depth of every alignment, its effective depth, and how much of it is gaps.",
        "Neff counts each sequence as one over the number within msa.coevolution.identity of it, itself included; gaps "
        "are kept per column in msa/alignments.",
        f"The median alignment has {table['depth'].median():.0f} sequences, worth {table['neff'].median():.0f} "
        f"independent ones, {per_residue.median():.2f} per residue; {count(shallow)} of {count(len(table))} have a "
        "Neff below the square root of their length, too little for coevolution to say much.",
    )


def _filters(table: pd.DataFrame) -> Table:
    homologs = int(table["found"].sum())
    rows = [("found", "homologs before any filter", count(homologs), "")]
    for name, meaning in DROPPED.items():
        dropped = int(table[name].sum())
        if dropped:
            rows.append((name, meaning, count(dropped), "" if name == "unusable" else share(dropped, homologs)))
    kept = int((table["depth"] - 1).sum())
    rows.append(("kept", "homologs in the alignments", count(kept), share(kept, homologs)))
    return Table(("rows", "what", "number", "of those found"), rows, "What the filters of alignments dropped.")


def _given(run: Run) -> list[Block]:
    given = run.given
    if given.empty:
        return []
    rows = []
    for file, part in given.groupby("file", sort=True):
        used = part[part["used"]]
        names = " ".join(used["chains"])
        residues = ", ".join(f"{row.residues} of {row.length}" for row in used.head(3).itertuples())
        identity = ", ".join(f"{value:.1%}" for value in used["identity"].head(3))
        why = part["reason"].iloc[0] if used.empty else ""
        dropped = part["dropped"].iloc[0]
        rows.append((str(file), str(part["format"].iloc[0]), names[:80], residues, identity, dropped, why))
    head = ("file", "format", "used for", "residues", "identity", "dropped", "why not")
    first = next(summary(given))
    more = f" The first {SHOWN} of {count(len(rows))} are shown; msa/given.csv has all." if len(rows) > SHOWN else ""
    return [Table(head, rows[:SHOWN], f"{first[:1].upper()}{first[1:]}.{more}")]
