"""What became of the alignments that the user gave: `msa/given.csv`."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from foldgraft.records.text_tables import read_texts

GIVEN = {
    "file": str,  # relative to the data folder
    "part": int,  # of a file that holds several alignments, from 1
    "format": str,
    "rows": int,  # usable rows
    "dropped": str,  # records that are no rows, counted by reason
    "used": bool,
    "reason": str,  # why it is not used
    "chains": str,  # ids, separated by blanks
    "sequence_sha256": str,
    "row": str,  # the row that stands for the chain
    "row_number": int,  # from 1
    "length": int,  # residues of the chain
    "residues": int,  # of them, with a column of the alignment
    "identity": float,  # fraction of the aligned known residues
    "coverage": float,  # fraction of the shorter of row and chain that is aligned
}
"""Columns of `msa/given.csv`: a row for each alignment and chain that it resembles, or one for an alignment that
resembles none."""


def read_given(path: Path) -> pd.DataFrame:
    """Read the account of the given alignments; numbers of absent chains are 0.

    Raises
    ------
    FoldgraftError
        if the file is no such table.
    """
    table = read_texts(path, list(GIVEN), "an account of alignments")
    for name, kind in GIVEN.items():
        if kind is bool:
            table[name] = table[name] == "True"
        elif kind is not str:
            table[name] = table[name].replace("", "0").astype(kind)
    return table


def summary(given: pd.DataFrame) -> Iterator[str]:
    """What became of the alignments: a line for all, and one for each that is not used or not used whole."""
    used = given[given["used"]]
    chains = len({name for text in used["chains"] for name in text.split()})
    files = given["file"].nunique()
    yield f"alignments given: {files} files, {used['file'].nunique()} of them used, for {chains} chains"
    for name, rows in given.groupby("file", sort=True):
        used = rows[rows["used"]]
        if used.empty:
            yield f"not used: {name}: {rows['reason'].iloc[0]}"
        elif (used["identity"] < 1).any() or (used["residues"] < used["length"]).any() or used["dropped"].any():
            worst = used.loc[used["identity"].idxmin()]
            dropped = f"; dropped {worst['dropped']}" if worst["dropped"] else ""
            first = worst["chains"].split()[0]
            more = f" and {len(used) - 1} more" if len(used) > 1 else ""
            yield (
                f"{name}: {worst['identity']:.1%} identical to {first}{more}, for {worst['residues']} of its "
                f"{worst['length']} residues{dropped}"
            )
