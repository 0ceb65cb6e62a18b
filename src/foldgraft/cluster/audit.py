"""The audit of a split: every test protein is searched among the training and validation proteins of its set.

Where an experiment is cross-validated each fold is the test set once, and is audited as such.

Clusters say what was intended; a search says what happened. Both coverages are looked at, because a fragment of a
training protein passes any clustering that asks for coverage of both.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from foldgraft import mmseqs
from foldgraft.cluster.proteins import sets, unique_sequences
from foldgraft.cluster.settings import ClusterSettings
from foldgraft.errors import FoldgraftError
from foldgraft.records.split import LEAKAGE

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
    proteins
        `set, id, sequence, sequence_sha256, split, fold`.
    folder
        scratch folder for the search.
    cross_validated
        sets of which every fold is tested, not that of the split alone.
    """
    parts = []
    for name, tested in _tested(proteins, cross_validated):
        of_set = proteins["set"] == name
        part = folder / f"{name}-{len(parts)}"
        part.mkdir()
        parts.append(_nearest(proteins[of_set & tested], proteins[of_set & ~tested], settings, part, threads))
    return pd.concat(parts, ignore_index=True) if parts else LEAKAGE.empty_table().to_pandas()


def _tested(proteins: pd.DataFrame, cross_validated: Collection[str]) -> Iterator[tuple[str, pd.Series]]:
    """Each set with a mask of proteins that serve as its test set at one time."""
    for name in sets(proteins):
        folds = proteins.fold[proteins["set"] == name].unique()
        if name in cross_validated:
            yield from ((name, proteins.fold == fold) for fold in sorted(folds))
        elif len(folds):
            yield name, proteins.split == "test"


def _nearest(
    test: pd.DataFrame, rest: pd.DataFrame, settings: ClusterSettings, folder: Path, threads: int
) -> pd.DataFrame:
    hits = mmseqs.search(
        unique_sequences(test),
        unique_sequences(rest),
        folder,
        sensitivity=settings.sensitivity,
        evalue=settings.evalue,
        threads=threads,
    )
    hits["leak"] = leaks(hits, settings)
    # A leaking hit counts before a longer one that does not leak.
    hits = hits.sort_values(["leak", "bits", "target"], ascending=[False, False, True]).drop_duplicates("query")
    # Identical sequences are known by their hash: the search can miss short ones and those of low complexity.
    same = sorted(set(test.sequence_sha256) & set(rest.sequence_sha256))
    identical = pd.DataFrame({"query": same, "target": same, "leak": True}).assign(
        identity=1.0, coverage_query=1.0, coverage_target=1.0, evalue=0.0
    )
    best = (
        pd.concat([identical, hits[~hits["query"].isin(same)]]).set_index("query") if same else hits.set_index("query")
    )
    ids = rest.sort_values("id").drop_duplicates("sequence_sha256").set_index("sequence_sha256").id
    rows = test[["id", "set", "fold", "sequence_sha256"]].join(best[["target", *VALUES, "leak"]], on="sequence_sha256")
    rows["nearest"] = rows.target.map(ids).astype(object).where(rows.target.notna(), None)
    rows["leak"] = rows.leak.eq(True)
    return rows[LEAKAGE.names]


def leaks(hits: pd.DataFrame, settings: ClusterSettings) -> pd.Series:
    """Which hits are so near that the test protein's answer may be known from the training protein."""
    shorter = hits[["coverage_query", "coverage_target"]].max(axis=1)
    return (hits.identity >= settings.leak_identity) & (shorter >= settings.leak_coverage)


def verdict(leakage: pd.DataFrame, settings: ClusterSettings) -> dict[str, dict[str, Any]]:
    """What the audit found, set by set: `test`, `leaking`, `fraction`, `threshold`, `verdict` and a sentence."""
    found = {}
    for name in sets(leakage):
        rows = leakage[leakage["set"] == name]
        if rows.empty:
            continue
        leaking = int(rows.leak.sum())
        fraction = leaking / len(rows)
        clean = fraction <= settings.max_leak
        text = (
            f"{leaking} of {len(rows)} test proteins ({fraction:.1%}) have a training or validation protein at "
            f"{settings.leak_identity:.0%} identity or more over {settings.leak_coverage:.0%} of the shorter; "
            f"{settings.max_leak:.1%} {'are' if clean else 'were'} allowed."
        )
        if leaking:
            text += f" The worst: {_worst(rows)}."
        found[name] = {
            "test": len(rows),
            "leaking": leaking,
            "fraction": fraction,
            "threshold": settings.max_leak,
            "verdict": "clean" if clean else "leaks",
            "text": text,
        }
    return found


def _worst(rows: pd.DataFrame) -> str:
    leaking = rows[rows.leak].copy()
    leaking["shorter"] = leaking[["coverage_query", "coverage_target"]].max(axis=1)
    row = leaking.sort_values(["identity", "shorter", "evalue", "id"], ascending=[False, False, True, True]).iloc[0]
    return f"{row.id} and {row.nearest}, {row.identity:.0%} identical over {row.shorter:.0%} of the shorter"


def enforce(verdicts: Mapping[str, Mapping[str, Any]], settings: ClusterSettings) -> None:
    """Stop the run if the split leaks and the settings say so.

    Raises
    ------
    FoldgraftError
        with the count and the worst example of each leaking set.
    """
    bad = [f"{name}: {entry['text']}" for name, entry in verdicts.items() if entry["verdict"] == "leaks"]
    if bad and settings.on_leak == "fail":
        raise FoldgraftError("the split leaks. " + " ".join(bad) + " Set cluster.on_leak to report to go on anyway.")
