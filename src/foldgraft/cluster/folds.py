"""The split: whole units of proteins dealt to folds, within each party of sets that are split together."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from foldgraft.cluster import balance
from foldgraft.cluster.components import components
from foldgraft.cluster.proteins import STRUCTURES, sets
from foldgraft.cluster.settings import ClusterSettings
from foldgraft.errors import FoldgraftError
from foldgraft.records.split import TEST_FOLD, VALID_FOLD

ROLES = {TEST_FOLD: "test", VALID_FOLD: "valid"}
PUBLISHED_ROLES = {"test": TEST_FOLD, "valid": VALID_FOLD, "train": 2}

Reject = tuple[str, str, str, str]


@dataclass(frozen=True)
class Split:
    """A split and what it cost.

    Attributes
    ----------
    rows : frame
        the columns of `records.split.SPLIT`.
    rejects : list of Reject
        proteins that serve for nothing, with the reason.
    summary : dict
        of each set: how it was split, what that cost, proteins and mean label of each fold.
    """

    rows: pd.DataFrame
    rejects: list[Reject]
    summary: dict[str, Any]


def published(proteins: pd.DataFrame, settings: ClusterSettings) -> list[str]:
    """The sets whose published folds or roles are kept."""
    given = proteins.published_fold.notna() | proteins.published_role.notna()
    return sets(proteins[given]) if settings.use_published_folds else []


def parties(proteins: pd.DataFrame, settings: ClusterSettings) -> list[list[str]]:
    """The sets that are split together and audited as one; a set with published folds stands alone."""
    alone = published(proteins, settings)
    ours = [name for name in sets(proteins) if name not in alone]
    made = [ours] if settings.together else [[name] for name in ours]
    return [party for party in [*made, *([name] for name in alone)] if party]


def split(
    proteins: pd.DataFrame, clusters: pd.DataFrame, settings: ClusterSettings, tried: Collection[str] = ()
) -> Split:
    """Give every protein a fold and a role.

    Parameters
    ----------
    proteins : frame
        columns `proteins.COLUMNS`.
    clusters : frame
        the component of each sequence, columns `group.CLUSTERS`.
    settings : ClusterSettings
    tried : collection of str
        sets from which no head learns, so that roles of theirs may be empty.

    Raises
    ------
    FoldgraftError
        if another set has fewer than three unrelated units, or its published folds leave nothing to train on.
    """
    proteins = proteins.merge(clusters, on="sequence_sha256", how="left", validate="many_to_one")
    if proteins.cluster.isna().any():
        lost = proteins.id[proteins.cluster.isna()].iloc[0]
        raise FoldgraftError(f"clusters.parquet lacks the sequence of {lost!r}; rerun the cluster stage")
    proteins = proteins.astype({"cluster": "int64"})
    alone = published(proteins, settings)
    parts, rejects, summary = [proteins.iloc[:0].assign(fold=0, split="", unit="")], [], {}
    for party in parties(proteins, settings):
        rows = proteins[proteins["set"].isin(party)]
        late = _late(rows, settings)
        rejects += [(row.id, "released", row.released, _LATE) for row in rows[late].itertuples()]
        rows = _split_party(rows[~late], settings, party[0] in alone, tried)
        parts.append(rows)
        for name in party:
            summary[name] = _summary(rows[rows["set"] == name], name, party, int(late.sum()), settings)
    order = {name: rank for rank, name in enumerate(sets(proteins))}
    table = pd.concat(parts, ignore_index=True)
    table = table.sort_values(["set", "id"], key=lambda c: c.map(order) if c.name == "set" else c, ignore_index=True)
    return Split(table, sorted(rejects), summary)


_LATE = "released on or after the day of the split, but related to a chain released before it"


def _late(rows: pd.DataFrame, settings: ClusterSettings) -> pd.Series:
    """Chains of the test period with a relative of the training period: they can serve for neither."""
    if settings.split_by != "released":
        return pd.Series(False, rows.index)
    new, old = _new(rows, settings), _old(rows, settings)
    return new & rows.cluster.isin(rows.cluster[old])


def _new(rows: pd.DataFrame, settings: ClusterSettings) -> pd.Series:
    return (rows["set"] == STRUCTURES) & (rows.released.fillna("") >= settings.released.isoformat())


def _old(rows: pd.DataFrame, settings: ClusterSettings) -> pd.Series:
    """Chains released before the day, and those without a date, which may have been."""
    return (rows["set"] == STRUCTURES) & ~_new(rows, settings)


def _split_party(
    rows: pd.DataFrame, settings: ClusterSettings, keep_published: bool, tried: Collection[str]
) -> pd.DataFrame:
    rows = rows.assign(unit=_units(rows, settings))
    given, folds = _published(rows, tried) if keep_published else (pd.Series(pd.NA, rows.index, dtype="Int64"), 0)
    folds = folds or settings.folds
    rows = rows.assign(unit=_free_units(rows, given)) if keep_published else rows
    groups = rows.assign(name=_name(rows, settings)).groupby("unit", sort=True)
    names = groups.name.min()
    allowed = _allowed(rows, given, folds, settings)
    stratum = _strata(rows)
    free = given.isna()
    unit = groups.ngroup()
    counts, fixed = np.zeros((len(names), stratum.max() + 1)), np.zeros((folds, stratum.max() + 1))
    np.add.at(counts, (unit[free], stratum[free]), 1)
    np.add.at(fixed, (given[~free].astype("int64"), stratum[~free]), 1)
    assigned = balance.assign(names.tolist(), counts, allowed, fixed, settings.seed)
    fold = given.fillna(pd.Series(assigned[unit], rows.index)).astype("int64")
    rows = rows.assign(fold=fold, split=fold.map(ROLES).fillna("train"))
    _check(rows[~rows["set"].isin(tried)])
    return rows


def _units(rows: pd.DataFrame, settings: ClusterSettings) -> pd.Series:
    """What is not parted: the number of a component, or of groups; as text."""
    cluster = "cluster " + rows.cluster.astype(str)
    if settings.split_by != "group":
        return cluster
    group = (rows["set"] + " " + rows.group.astype(object)).where(rows.group.notna())
    if settings.related_groups == "part":
        return group.fillna(cluster)
    names = sorted({*cluster, *group.dropna()})
    tied = group.notna()
    joined = dict(zip(names, components(names, zip(cluster[tied], group[tied], strict=True)), strict=True))
    return cluster.map(joined).astype(str)


def _free_units(rows: pd.DataFrame, given: pd.Series) -> pd.Series:
    """The units, but each sequence by itself where all that is to validate and to train is of one: as of a mutational
    scan, whose published test set has relatives in training in any case."""
    free = given.isna() & (rows.published_role == "train")
    if not free.any() or rows.unit[free].nunique() > 1:
        return rows.unit
    return rows.unit.where(~free, "sequence " + rows.sequence_sha256)


def _name(rows: pd.DataFrame, settings: ClusterSettings) -> pd.Series:
    """What a unit is known by to the hash: the least sha256 of its sequences, or the group. Numbers would change."""
    if settings.split_by == "group" and settings.related_groups == "part":
        return rows.group.fillna(rows.sequence_sha256)
    return rows.sequence_sha256


def _published(rows: pd.DataFrame, tried: Collection[str]) -> tuple[pd.Series, int]:
    """The published fold of each protein, numbered from 0, and how many there are (0: as the settings say)."""
    name = rows["set"].iloc[0]
    if rows.published_fold.notna().any():
        values = sorted(rows.published_fold.dropna().unique())
        if len(values) < 3 and name not in tried:
            raise FoldgraftError(
                f"{name}: the published folds are {len(values)} only, but testing, validating and training take 3; "
                "set cluster.use_published_folds to false"
            )
        return rows.published_fold.map({value: rank for rank, value in enumerate(values)}).astype("Int64"), max(
            3, len(values)
        )
    role = rows.published_role
    fold = role.map(PUBLISHED_ROLES).astype("Int64")
    if (role == "valid").any():
        return fold, 3
    return fold.where(role == "test"), 0


def _allowed(rows: pd.DataFrame, given: pd.Series, folds: int, settings: ClusterSettings) -> np.ndarray:
    """The folds that each unit may be in, in the order of the units; shape (U, folds)."""
    units = np.sort(rows.unit.unique())
    allowed = np.ones((len(units), folds), dtype=bool)
    chosen = _commonest(rows.unit, given).reindex(units)
    known = chosen.notna().to_numpy()
    allowed[known] = np.arange(folds) == chosen[known].astype("int64").to_numpy()[:, None]
    trains = _any(rows.unit, (rows.published_role == "train") & settings.use_published_folds & given.isna())
    allowed[trains] = np.arange(folds) != TEST_FOLD
    if settings.split_by == "released":
        allowed[_any(rows.unit, _new(rows, settings))] = np.arange(folds) == TEST_FOLD
        allowed[_any(rows.unit, _old(rows, settings)), TEST_FOLD] = False
    return allowed


def _commonest(unit: pd.Series, fold: pd.Series) -> pd.Series:
    """The commonest fold of each unit that has any, the first of those equally common."""
    counts = pd.DataFrame({"unit": unit, "fold": fold}).dropna().value_counts(sort=False).reset_index(name="count")
    counts = counts.sort_values(["unit", "count", "fold"], ascending=[True, False, True])
    return counts.drop_duplicates("unit").set_index("unit").fold


def _any(unit: pd.Series, mask: pd.Series) -> np.ndarray:
    """Whether the mask holds anywhere in a unit, in the order of the units."""
    return mask.groupby(unit, sort=True).any().to_numpy(dtype=bool)


def _strata(rows: pd.DataFrame) -> pd.Series:
    """A number for each set and stratum of its labels."""
    stratum = pd.concat([balance.strata(part.label) for _, part in rows.groupby("set", sort=True)]).reindex(rows.index)
    return rows.assign(stratum=stratum).groupby(["set", "stratum"], sort=True).ngroup()


def _check(rows: pd.DataFrame) -> None:
    """Stop if a set of the party has an empty role."""
    for name in sets(rows):
        here = rows[rows["set"] == name]
        missing = sorted({"train", "valid", "test"} - set(here.split))
        if missing:
            count = here.unit.nunique()
            raise FoldgraftError(
                f"{name}: {len(here)} proteins form {count} unrelated group{'s' * (count != 1)}, which leaves "
                f"{' and '.join(missing)} empty; a split needs at least 3 that are free to go there: add proteins of "
                "other families, raise cluster.min_identity, or split otherwise (cluster.split_by, together)"
            )


def _summary(rows: pd.DataFrame, name: str, party: Iterable[str], late: int, settings: ClusterSettings) -> dict:
    sizes = rows.unit.value_counts()
    folds = rows.groupby("fold").agg(proteins=("id", "size"), mean_label=("label", "mean")).reset_index()
    return {
        "split_by": "published" if list(party) == [name] and _is_published(rows, settings) else settings.split_by,
        "together_with": [other for other in party if other != name],
        "proteins": len(rows),
        "left_out": late if name == STRUCTURES else 0,
        "units": len(sizes),
        "largest_unit": int(sizes.max()),
        "folds": [{k: v for k, v in row.items() if v == v} for row in folds.to_dict("records")],
    }


def _is_published(rows: pd.DataFrame, settings: ClusterSettings) -> bool:
    return bool(published(rows, settings))


def sentences(summary: dict[str, Any]) -> Iterator[str]:
    """What the split cost, a sentence for each set."""
    for name, counts in summary.items():
        way = {"cluster": "components of relatives", "group": "groups", "released": "release date"}
        text = f"{name}: {counts['proteins']} proteins split by {way.get(counts['split_by'], 'its published column')}"
        text += f", {counts['left_out']} left out" if counts["left_out"] else ", none left out"
        text += f"; {counts['units']} units, the largest of {counts['largest_unit']} proteins"
        if counts["together_with"]:
            text += f"; together with {', '.join(counts['together_with'])}"
        yield text
