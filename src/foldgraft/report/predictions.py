"""Chapter: the predictions that the run made for new sequences."""

import pandas as pd

from foldgraft.report.drawing import count, number, plural
from foldgraft.report.page import Block, Heading, Section, Table
from foldgraft.report.run import Run

SHOWN = 20
HIDDEN = ("description",)


def section(run: Run) -> list[Section]:
    """The chapter, if the run predicts anything."""
    blocks: list[Block] = []
    for name in sorted(run.provenance.get("config", {}).get("predict", {}).get("sequences", {})):
        table = run.predicted(name)
        if len(table):
            blocks += [Heading(name, f"predicted-{name}"), _table(name, table)]
    return [Section("predictions", "Predictions", blocks)] if blocks else []


def _table(name: str, table: pd.DataFrame) -> Table:
    columns = [column for column in table.columns if column not in HIDDEN and table[column].notna().any()]
    shown = table[columns].head(SHOWN)
    rows = [tuple(_cell(value) for value in row) for row in shown.itertuples(index=False)]
    scored = len(table) - int(table["reason"].notna().sum()) if "reason" in table else len(table)
    caption = f"{count(scored)} of {count(len(table))} {plural(len(table), 'sequence')} scored."
    caption += f" The first {SHOWN} are shown;" if len(table) > SHOWN else " The same is in"
    caption += f" `predict/{name}.csv`{' has all' if len(table) > SHOWN else ''}. Low and high are the extremes of the "
    caption += "members; rank is within the file, the likeliest first."
    return Table(columns, rows, caption)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else count(value) if value == int(value) and abs(value) > 1 else number(value)
    return str(value)
