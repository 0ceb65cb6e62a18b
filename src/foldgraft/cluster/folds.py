"""Folds made of whole components, balanced within each set of proteins."""

import hashlib
from collections import Counter

import numpy as np
import pandas as pd

from foldgraft.cluster.proteins import sets
from foldgraft.cluster.settings import ClusterSettings
from foldgraft.errors import FoldgraftError
from foldgraft.records.split import TEST_FOLD, VALID_FOLD

ROLES = {TEST_FOLD: "test", VALID_FOLD: "valid"}


def split(proteins: pd.DataFrame, clusters: pd.DataFrame, settings: ClusterSettings) -> pd.DataFrame:
    """Give every protein a fold and a role; the rows of `records.split.SPLIT`.

    The sets are split one by one: a component lies in one fold of each set, not always the same in both.

    Raises
    ------
    FoldgraftError
        if a set has fewer than three components, or its published folds leave nothing to train on.
    """
    proteins = proteins.merge(clusters, on="sequence_sha256", how="left", validate="many_to_one")
    if proteins.cluster.isna().any():
        lost = proteins.id[proteins.cluster.isna()].iloc[0]
        raise FoldgraftError(f"clusters.parquet lacks the sequence of {lost!r}; rerun the cluster stage")
    parts = [_split_set(proteins[proteins["set"] == name], name, settings) for name in sets(proteins)]
    return pd.concat(parts, ignore_index=True) if parts else _split_set(proteins, "", settings)


def _split_set(proteins: pd.DataFrame, name: str, settings: ClusterSettings) -> pd.DataFrame:
    proteins = proteins.astype({"cluster": "int64"})
    if proteins.empty:
        return proteins.assign(fold=pd.Series(dtype="int64"), split=pd.Series(dtype=object))
    published = proteins.fold if settings.use_published_folds else pd.Series(pd.NA, proteins.index, dtype="Int64")
    folds, fixed = settings.folds, {}
    if published.notna().any():
        values = sorted(published.dropna().unique())
        folds = len(values)
        published = published.map({value: rank for rank, value in enumerate(values)}).astype("Int64")
        fixed = published.groupby(proteins.cluster).agg(_commonest).dropna().to_dict()
        if folds < 3:
            raise FoldgraftError(
                f"{name}: the published folds are {folds} only, but testing, validating and training take 3; "
                "set cluster.use_published_folds to false"
            )
    assigned = assign(proteins.cluster, folds, settings.seed, fixed)
    fold = published.fillna(proteins.cluster.map(assigned)).astype("int64")
    role = fold.map(ROLES).fillna("train")
    missing = sorted({"train", "valid", "test"} - set(role))
    if missing:
        count = proteins.cluster.nunique()
        raise FoldgraftError(
            f"{name}: {len(proteins)} proteins form {count} unrelated group{'s' * (count != 1)}, which leaves "
            f"{' and '.join(missing)} empty; a split needs at least 3: add proteins of other families, or raise "
            "cluster.min_identity"
        )
    return proteins.assign(fold=fold, split=role)


def _commonest(folds: pd.Series) -> int | None:
    counts = Counter(folds.dropna())
    return min(counts, key=lambda fold: (-counts[fold], fold)) if counts else None


def assign(clusters: pd.Series, folds: int, seed: int, fixed: dict[int, int]) -> dict[int, int]:
    """The fold of each component: largest first, always into the emptiest fold.

    Parameters
    ----------
    clusters
        component of each protein.
    fixed
        components whose fold is given.

    Notes
    -----
    Among equally empty folds a training fold comes first and test and validation next. So the largest component is
    trained on, and three components already fill all three roles.
    """
    sizes = clusters.value_counts().to_dict()
    load = np.zeros(folds, dtype=np.int64)
    for component, fold in fixed.items():
        load[fold] += sizes[component]
    preference = np.argsort([folds - 1, *range(folds - 1)])
    assigned = dict(fixed)
    for component in sorted(sizes.keys() - fixed.keys(), key=lambda c: (-sizes[c], _shuffled(c, seed))):
        fold = min(range(folds), key=lambda f: (load[f], preference[f]))
        assigned[component] = fold
        load[fold] += sizes[component]
    return assigned


def _shuffled(component: int, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{component}".encode()).hexdigest()
