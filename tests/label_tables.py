"""Shards of labelled tables for tests of the stages that read them."""

from pathlib import Path

import pandas as pd

from foldgraft.records.labels import Description, described
from foldgraft.records.tables import write_frame

PLAIN = {"residues": None, "split": None, "group": None, "replicates": 1, "spread": None}


def write_labels(path: Path, frame: pd.DataFrame, kind: str = "binary", covariates: list | None = None) -> None:
    """Write a shard of one label per protein; `frame` has id, sequence, sequence_sha256, label and fold."""
    table = path.stem.rpartition("-")[0] or "solubility"
    plain = frame.assign(
        **{name: value for name, value in PLAIN.items() if name not in frame},
        covariates=covariates or [[] for _ in range(len(frame))],
    ).astype({"fold": "Int64"})
    write_frame(path, plain, described(Description(task=table, level="protein", kind=kind)))
