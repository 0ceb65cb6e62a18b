"""The account of the alignments that the user gave: which chains each is used for, how much of them, or why not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.evolution.a3m import Row, onto_chain, safe_name
from foldgraft.evolution.columns import Alignment
from foldgraft.evolution.fit import Chains, Fit, fit_by_row, fits
from foldgraft.evolution.formats import reasons
from foldgraft.msa.inputs import Given, find
from foldgraft.msa.settings import AlignmentFiles
from foldgraft.progress import progress
from foldgraft.records.files import sealed
from foldgraft.records.given import GIVEN
from foldgraft.records.text_tables import Rows


def account(chains: pd.DataFrame, settings: AlignmentFiles, data: Path) -> list[dict]:
    """Compare every alignment with every chain of the run: the rows of `records.given.GIVEN`, and the files' paths.

    A chain takes the alignment with the most residues identical to it; the others are listed with that reason.

    Parameters
    ----------
    chains : frame
        id, sequence and sequence_sha256 of all chains.
    """
    unique = chains.drop_duplicates("sequence_sha256")
    ids = chains.sort_values("id").groupby("sequence_sha256")["id"].agg(" ".join)
    waiting = Chains(dict(zip(unique["sequence_sha256"], unique["sequence"], strict=True)))
    rows = []
    for file in progress(find(settings, data), "alignments given"):
        rows += _account(file, waiting, settings, ids)
    _choose(rows)
    return rows


def write_account(path: Path, rows: list[dict]) -> None:
    """Write the account as CSV."""
    with sealed(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        table = Rows(handle, list(GIVEN))
        for row in rows:
            table.write([row.get(name, "") for name in GIVEN])


def fingerprint(row: Mapping) -> str:
    """What decides about a use of an alignment, its file's size and time included."""
    status = row["path"].stat()
    part = (row[key] for key in ("sequence_sha256", "file", "part", "row_number"))
    return f"{' '.join(map(str, part))} {status.st_size} {status.st_mtime_ns}"


def _account(file: Given, chains: Chains, settings: AlignmentFiles, ids: pd.Series) -> list[dict]:
    """The rows of one file: one for each chain that it resembles, or one that says that there is none."""
    try:
        parts = file.read()
    except FoldgraftError as error:  # its beginning was sound, else no job would run
        return [{"file": file.name, "part": 1, "used": False, "reason": str(error)}]
    rows = []
    for number, (part, alignment) in enumerate(parts, start=1):
        common = {"file": file.name, "part": number, "format": part.format, "rows": len(alignment.rows)}
        common["dropped"] = reasons(part.dropped).removeprefix("; ")
        by_chain = fits(alignment, chains, settings.identity, settings.coverage)
        good = {name: fit for name, fit in by_chain.items() if not fit.why_not(settings.identity, settings.coverage)}
        nearest = max(by_chain.items(), key=lambda item: item[1].identical, default=None)
        if good:
            rows += [{**common, **_fields(name, fit, file, alignment, ids), "reason": ""} for name, fit in good.items()]
        elif nearest:
            name, fit = nearest
            reason = f"the nearest chain is {fit.why_not(settings.identity, settings.coverage)}"
            rows.append({**common, **_fields(name, fit, file, alignment, ids), "reason": reason, "used": False})
        else:
            rows.append({**common, "used": False, "reason": "no chain of the run resembles any of its rows"})
    return rows


def _fields(name: str, fit: Fit, file: Given, alignment: Alignment, ids: pd.Series) -> dict:
    row = "query file" if file.guide else safe_name(alignment.rows[fit.row].name)
    return {
        "chains": ids[name], "sequence_sha256": name, "row": row, "row_number": fit.row + 1,
        "length": len(fit.columns), "residues": fit.aligned, "identity": round(fit.identity, 4),
        "coverage": round(fit.coverage, 4), "identical": fit.identical, "path": file.path, "used": True,
    }  # fmt: skip


def _choose(rows: list[dict]) -> None:
    """Let each sequence keep the fitting alignment with the most identical residues, the first one if equal."""
    best: dict[str, dict] = {}
    for row in rows:
        if row["used"]:
            held = best.setdefault(row["sequence_sha256"], row)
            if row["identical"] > held["identical"]:
                best[row["sequence_sha256"]] = row
    for row in rows:
        winner = best.get(row.get("sequence_sha256", ""))
        if row["used"] and row is not winner:
            row["used"], row["reason"] = False, f"{winner['file']} fits this chain as well or better"


@dataclass(frozen=True)
class Serving:
    """The alignment that serves a sequence.

    Attributes
    ----------
    source : its name in the tables
    rows : A3M rows over its residues
    covered : (L,) bool, the residues that have a column
    unusable : records of the file that are no rows
    """

    source: str
    rows: Iterable[Row]
    covered: np.ndarray
    unusable: int


class Services:
    """The alignments that serve the sequences of a shard, by the account that `write_account` wrote."""

    def __init__(self, given: pd.DataFrame, settings: AlignmentFiles, data: Path):
        used = given[given["used"]]
        self._rows = {row.sequence_sha256: row for row in used.itertuples()}
        self._files = {file.name: file for file in find(settings, data)}

    def __contains__(self, sequence_sha256: str) -> bool:
        return sequence_sha256 in self._rows

    def read(self, sequence_sha256: str, sequence: str) -> Serving:
        """Read the alignment that serves a sequence, over its residues."""
        row = self._rows[sequence_sha256]
        parts = self._files[row.file].read()
        part, alignment = parts[row.part - 1]
        number = row.row_number - 1
        fit = fit_by_row(alignment.candidates[number].text, number, sequence)
        if fit is None or fit.aligned != row.residues:
            raise FoldgraftError(
                f"{self._files[row.file].path}: changed since it was compared with the chains; run again"
            )
        source = Path(row.file).name + (f"#{row.part}" if len(parts) > 1 else "")
        rows = list(alignment.rows)
        if alignment.guide is None and fit.identity == 1:
            del rows[number]  # it is the chain itself, perhaps with letters unknown
        return Serving(source, list(onto_chain(rows, fit.columns)), fit.columns >= 0, sum(part.dropped.values()))
