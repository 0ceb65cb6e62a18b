"""The audit of a split: every test protein is searched, once, and its hits in training and validation are looked at.

Where an experiment is cross-validated each fold is the test set once, and is audited as such. Sets that are split
together are audited together: the nearest protein may be of another set.

Clusters say what was intended; a search says what happened. Both coverages are looked at, because a fragment of a
training protein passes any clustering that asks for coverage of both.
"""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from foldgraft import mmseqs
from foldgraft.cluster.folds import parties
from foldgraft.cluster.nearcopies import auditable, near_copies, unsearchable
from foldgraft.cluster.proteins import unique_sequences
from foldgraft.cluster.search import Searches
from foldgraft.cluster.settings import ClusterSettings
from foldgraft.records.split import LEAKAGE, TEST_FOLD

VALUES = ["identity", "coverage_query", "coverage_target", "evalue"]


def audit(
    proteins: pd.DataFrame,
    settings: ClusterSettings,
    folder: Path,
    threads: int = 1,
    cross_validated: Collection[str] = (),
) -> pd.DataFrame:
    """The nearest training or validation protein of each test protein; the rows of `records.split.LEAKAGE`.

    Parameters
    ----------
    proteins : frame
        columns `proteins.COLUMNS` and the split's `fold`.
    settings : ClusterSettings
    folder : Path
        scratch folder for the search.
    threads : int
    cross_validated : collection of str
        sets of which every fold is tested, not the test fold alone.
    """
    parts = [LEAKAGE.empty_table().to_pandas()]
    for number, party in enumerate(parties(proteins, settings)):
        rows = proteins[proteins["set"].isin(party)]
        tested = rows["set"].isin(cross_validated) | (rows.fold == TEST_FOLD)
        if tested.any():
            searches = Searches(unique_sequences(rows), settings, folder / str(number), threads)
            parts.append(_nearest(rows, tested, searches))
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def audit_external(
    proteins: pd.DataFrame, table: str, settings: ClusterSettings, folder: Path, threads: int = 1
) -> pd.DataFrame:
    """The nearest protein of other sets of each protein of a table; the rows of `records.split.LEAKAGE`, their fold 0.

    Parameters
    ----------
    proteins : frame
        columns `proteins.COLUMNS`: the table's, and those of other sets that heads learnt from.
    table : str
    settings : ClusterSettings
    folder : Path
    threads : int
        as for `audit`.
    """
    rows = proteins.assign(fold=np.where(proteins["set"] == table, 0, 1))
    return _nearest(rows, rows["fold"] == 0, Searches(unique_sequences(rows), settings, folder, threads))


def _nearest(rows: pd.DataFrame, tested: pd.Series, searches: Searches) -> pd.DataFrame:
    """The nearest protein of another fold, of each tested row."""
    settings, sequences = searches.settings, searches.sequences
    queries = sorted(set(rows.sequence_sha256[tested]))
    hits = searches.among_all(queries)
    crowded = mmseqs.crowded(hits)
    if crowded:
        folds = rows.groupby("sequence_sha256").fold.unique().to_dict()
        hits = pd.concat([hits, searches.elsewhere(crowded, folds)], ignore_index=True)
    short = [name for name, sequence in sequences.items() if len(sequence) < mmseqs.SHORTEST]
    blind = unsearchable(sequences, queries, hits)
    copies = near_copies([*blind, *short], sequences, settings.leak_coverage, settings.evalue)
    identical = pd.DataFrame({"query": queries, "target": queries, "bits": float("inf"), "evalue": 0.0})
    identical = identical.assign(identity=1.0, coverage_query=1.0, coverage_target=1.0)
    hits = pd.concat([identical, hits[hits["query"] != hits.target], copies], ignore_index=True)
    leakage = rows[tested].merge(_best(rows, tested, hits, settings), on=["sequence_sha256", "fold"], how="left")
    residues = sum(map(len, sequences.values()))
    dark = {name for name in blind if not auditable(sequences[name], residues, settings.evalue)}
    leakage["method"] = "search"
    leakage.loc[leakage.sequence_sha256.isin(blind), "method"] = "residues"
    leakage.loc[leakage.sequence_sha256.isin(dark) & leakage.nearest.isna(), "method"] = "none"
    leakage["nearest"] = leakage.nearest.astype(object).where(leakage.nearest.notna(), None)
    leakage["nearest_set"] = leakage.nearest_set.astype(object).where(leakage.nearest.notna(), None)
    leakage["leak"] = leakage.leak.eq(True)
    return leakage[LEAKAGE.names]


def _best(rows: pd.DataFrame, tested: pd.Series, hits: pd.DataFrame, settings: ClusterSettings) -> pd.DataFrame:
    """The nearest protein of another fold for each tested sequence and fold.

    A leaking hit counts before a longer one that does not leak, a protein of the same set before one of another.
    """
    asked = rows.loc[tested, ["sequence_sha256", "fold"]].drop_duplicates()
    others = rows.sort_values(["set", "id"]).drop_duplicates(["sequence_sha256", "fold"])
    others = others[["sequence_sha256", "fold", "set", "id"]]
    others.columns = ["target", "fold_target", "nearest_set", "nearest"]
    pairs = hits.assign(leak=leaks(hits, settings)).merge(asked, left_on="query", right_on="sequence_sha256")
    pairs = pairs.merge(others, on="target")
    pairs = pairs[pairs.fold != pairs.fold_target]
    order = ["leak", "bits", "nearest", "fold_target"]
    pairs = pairs.sort_values(order, ascending=[False, False, True, True])
    return pairs.drop_duplicates(["sequence_sha256", "fold"])[
        ["sequence_sha256", "fold", "nearest", "nearest_set", *VALUES, "leak"]
    ]


def leaks(hits: pd.DataFrame, settings: ClusterSettings) -> pd.Series:
    """Which hits are so near that the test protein's answer may be known from the training protein."""
    shorter = hits[["coverage_query", "coverage_target"]].max(axis=1)
    return (hits.identity >= settings.leak_identity) & (shorter >= settings.leak_coverage)
