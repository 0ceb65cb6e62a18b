"""What the audit found, in words and numbers, and whether the run may go on."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from foldgraft.cluster.proteins import sets
from foldgraft.cluster.settings import ClusterSettings
from foldgraft.errors import FoldgraftError

WORST = 10
"""Leaking pairs that are listed."""

BINS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 1.0)
"""Edges of the identities by which test proteins are counted, the last one included."""


def verdict(leakage: pd.DataFrame, settings: ClusterSettings, published: Collection[str] = ()) -> dict[str, Any]:
    """What the audit found, set by set.

    Parameters
    ----------
    leakage : frame
        columns of `records.split.LEAKAGE`.
    settings : ClusterSettings
    published : collection of str
        sets whose published folds were kept.

    Returns
    -------
    dict
        of each set: `test`, `leaking`, `fraction`, `threshold`, `verdict`, `not_auditable`, `split` (ours or
        published), `worst` (up to ten pairs), `identities` (test proteins by the identity of their nearest), `text`.
    """
    return {name: _of_set(leakage[leakage["set"] == name], settings, name in published) for name in sets(leakage)}


def _of_set(rows: pd.DataFrame, settings: ClusterSettings, published: bool) -> dict[str, Any]:
    leaking, dark = int(rows.leak.sum()), int((rows.method == "none").sum())
    fraction = leaking / len(rows)
    clean = fraction <= settings.max_leak
    worst = _worst(rows)
    text = (
        f"{leaking} of {len(rows)} test proteins ({fraction:.1%}) have a training or validation protein at "
        f"{settings.leak_identity:.0%} identity or more over {settings.leak_coverage:.0%} of the shorter; "
        f"{settings.max_leak:.1%} {'are' if clean else 'were'} allowed."
    )
    if dark:
        text += f" {dark} more could not be audited: too few residues are known to tell a copy from chance."
    if worst:
        pair = worst[0]
        text += (
            f" The worst: {pair['id']} and {pair['nearest']}, {pair['identity']:.0%} identical over "
            f"{pair['shorter']:.0%} of the shorter."
        )
    return {
        "test": len(rows),
        "leaking": leaking,
        "fraction": fraction,
        "not_auditable": dark,
        "threshold": settings.max_leak,
        "verdict": "clean" if clean else "leaks",
        "split": "published" if published else "ours",
        "worst": worst,
        "identities": _identities(rows),
        "text": text,
    }


def _worst(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The leaking pairs of highest identity, each pair once."""
    leaking = rows[rows.leak].copy()
    leaking["shorter"] = leaking[["coverage_query", "coverage_target"]].max(axis=1)
    leaking = leaking.sort_values(["identity", "shorter", "evalue", "id"], ascending=[False, False, True, True])
    pairs = [frozenset(pair) for pair in zip(leaking.id, leaking.nearest, strict=True)]
    leaking = leaking[~pd.Series(pairs, leaking.index, dtype=object).duplicated()].head(WORST)
    return leaking[["id", "nearest", "nearest_set", "fold", "identity", "shorter"]].to_dict("records")


def _identities(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Test proteins by the identity of their nearest protein: what a metric by identity has to stand on."""
    identities = rows.identity.dropna()
    counts = np.histogram(identities, bins=BINS)[0].tolist()
    bins = [
        {"from": low, "to": high, "test": count} for low, high, count in zip(BINS[:-1], BINS[1:], counts, strict=True)
    ]
    return [{"from": None, "to": None, "test": len(rows) - len(identities)}, *bins]


def enforce(verdicts: Mapping[str, Mapping[str, Any]], settings: ClusterSettings) -> None:
    """Stop the run if the split leaks and the settings say so; see `ClusterSettings.on_leak`.

    Raises
    ------
    FoldgraftError
        with the count and the worst example of each leaking set.
    """
    fatal = {None: ["ours"], "fail": ["ours", "published"], "report": []}[settings.on_leak]
    own = " The split is the table's own; cluster.use_published_folds: false splits anew by clusters."
    bad = [
        f"{name}: {entry['text']}{own if entry['split'] == 'published' else ''}"
        for name, entry in verdicts.items()
        if entry["verdict"] == "leaks" and entry["split"] in fatal
    ]
    if bad:
        raise FoldgraftError("the split leaks. " + " ".join(bad) + " Set cluster.on_leak to report to go on anyway.")
