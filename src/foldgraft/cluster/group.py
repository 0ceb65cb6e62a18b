"""Groups of related sequences: connected components of clusters.

A fast clustering first folds near-identical sequences together. It leaves relatives in different clusters, so every
representative is then searched among all sequences with full sensitivity, and clusters joined by a hit become one
component. A representative whose hits are its own family's copies is searched once more without them, and what no
search can find is compared residue by residue (`nearcopies`).
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa

from foldgraft import mmseqs
from foldgraft.cluster.components import components
from foldgraft.cluster.nearcopies import near_copies, unsearchable
from foldgraft.cluster.search import Searches
from foldgraft.cluster.settings import ClusterSettings

CLUSTERS = pa.schema(
    [
        pa.field("sequence_sha256", pa.string(), nullable=False),
        pa.field("cluster", pa.int64(), nullable=False),
    ],
    metadata={"cluster": "number of the connected component, in the order of the smallest sha256 in each"},
)


def group(sequences: Mapping[str, str], settings: ClusterSettings, folder: Path, threads: int = 1) -> pd.DataFrame:
    """Group sequences (name to sequence) into components; the rows of `CLUSTERS`, sorted by name."""
    names = sorted(sequences)
    searches = Searches(sequences, settings, folder, threads)
    members = cluster(mmseqs.searchable(sequences), settings, folder, threads)
    representatives = sorted(set(members.representative))
    hits = searches.among_all(representatives)
    blind = unsearchable(sequences, [*representatives, *(sequences.keys() - set(members.member))], hits)
    copies = near_copies(blind, sequences, settings.coverage, settings.evalue)
    pairs = [*zip(members.representative, members.member, strict=True), *_links(hits, settings)]
    pairs += _links(copies, settings)
    numbers = components(names, pairs)
    crowded = mmseqs.crowded(hits)
    while crowded:
        hits = searches.elsewhere(crowded, {name: [number] for name, number in zip(names, numbers, strict=True)})
        pairs += _links(hits, settings)
        before, numbers = numbers, components(names, pairs)
        crowded = mmseqs.crowded(hits) if numbers.max() < before.max() else []
    return pd.DataFrame({"sequence_sha256": names, "cluster": numbers})


def cluster(sequences: Mapping[str, str], settings: ClusterSettings, folder: Path, threads: int) -> pd.DataFrame:
    """Cluster in linear time with MMseqs2's linclust; columns `representative, member`, one row per sequence."""
    columns = ["representative", "member"]
    if not sequences:
        return pd.DataFrame(columns=columns, dtype=object)
    source, result, table = mmseqs.database(sequences, folder / "all"), folder / "clusters", folder / "clusters.tsv"
    limits = ("--min-seq-id", settings.min_identity, "-c", settings.coverage, "--cov-mode", 0, "-e", settings.evalue)
    mmseqs.run("linclust", source, result, folder / "linclust", *limits, "--threads", threads)
    mmseqs.run("createtsv", source, source, result, table, "--threads", threads)
    return pd.read_csv(table, sep="\t", names=columns, dtype=str, keep_default_na=False)


def _links(hits: pd.DataFrame, settings: ClusterSettings) -> list[tuple[str, str]]:
    """Pairs that are close enough to be one component."""
    coverage = hits[["coverage_query", "coverage_target"]]
    covered = coverage.min(axis=1) if settings.link == "both" else coverage.max(axis=1)
    close = hits[(hits.identity >= settings.min_identity) & (covered >= settings.coverage)]
    return list(zip(close["query"], close.target, strict=True))
