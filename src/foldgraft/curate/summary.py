"""All shards together: the index of chains and the table of rejects."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.records import chains as chain_records
from foldgraft.records import index as index_records
from foldgraft.records.rejects import COLUMNS, read_rejects, write_rejects
from foldgraft.records.tables import read_rows, write_frame

LIGHT = ["id", "entry", "sequence", "sequence_sha256", "resolved"]


def summarise(chains: list[Path], rejects: list[Path], index: Path, rejects_out: Path) -> None:
    """Write the index of the chains of all shards and their rejects, in the order of the shards.

    Raises
    ------
    FoldgraftError
        if no chain is left, with the commonest reasons, or if two chains have the same id; the table of rejects is
        written all the same.
    """
    dropped = (
        pd.concat([read_rejects(path) for path in rejects], ignore_index=True)
        if rejects
        else pd.DataFrame(columns=COLUMNS)
    )
    write_rejects(rejects_out, dropped[COLUMNS].itertuples(index=False, name=None))
    frame = pd.DataFrame([row for path in chains for row in _index_rows(path)], columns=index_records.SCHEMA.names)
    if frame.empty:
        raise FoldgraftError(f"no protein chain is left: {_commonest(dropped)}; see {rejects_out} for each")
    twice = frame["id"][frame["id"].duplicated()]
    if len(twice):
        raise FoldgraftError(f"chain {twice.iloc[0]} comes from two inputs; name each entry once in the configuration")
    write_frame(index, frame, index_records.SCHEMA)


def _index_rows(path: Path) -> list[dict[str, object]]:
    return [
        {
            "id": row["id"],
            "entry": row["entry"],
            "sequence": row["sequence"],
            "sequence_sha256": row["sequence_sha256"],
            "length": len(row["sequence"]),
            "resolved_fraction": float(np.mean(row["resolved"])),
            "shard": path.stem,
        }
        for row in read_rows(path, chain_records.SCHEMA, LIGHT)
    ]


def _commonest(dropped: pd.DataFrame) -> str:
    reasons = Counter(zip(dropped["rule"], dropped["reason"], strict=True)).most_common(3)
    return ", ".join(f"{count} x {rule} ({reason})" for (rule, reason), count in reasons) or "there was no input"
