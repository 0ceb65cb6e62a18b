"""Groups of related sequences: connected components of clusters.

A fast clustering first folds near-identical sequences together. It leaves relatives in different clusters, so every
representative is then searched among all sequences with full sensitivity, and clusters joined by a hit become one
component.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from foldgraft import mmseqs
from foldgraft.cluster.settings import ClusterSettings

CLUSTERS = pa.schema(
    [
        pa.field("sequence_sha256", pa.string(), nullable=False),
        pa.field("cluster", pa.int64(), nullable=False),
    ],
    metadata={"cluster": "number of the connected component, in the order of the smallest sha256 in each"},
)


def group(sequences: Mapping[str, str], settings: ClusterSettings, folder: Path, threads: int = 1) -> pd.DataFrame:
    """Group sequences (name to sequence) into components; the rows of `CLUSTERS`, sorted by name.

    Sequences shorter than `mmseqs.SHORTEST` residues form a component each.
    """
    names = sorted(sequences)
    members = cluster(mmseqs.searchable(sequences), settings, folder, threads)
    links = related(sequences, sorted(set(members.representative)), settings, folder, threads)
    pairs = [*zip(members.representative, members.member, strict=True), *zip(links["query"], links.target, strict=True)]
    return pd.DataFrame({"sequence_sha256": names, "cluster": components(names, pairs)})


def cluster(sequences: Mapping[str, str], settings: ClusterSettings, folder: Path, threads: int) -> pd.DataFrame:
    """Cluster in linear time with MMseqs2's linclust; columns `representative, member`, one row per sequence."""
    columns = ["representative", "member"]
    if not sequences:
        return pd.DataFrame(columns=columns, dtype=object)
    source, found, table = mmseqs.database(sequences, folder / "all"), folder / "clusters", folder / "clusters.tsv"
    limits = ("--min-seq-id", settings.min_identity, "-c", settings.coverage, "--cov-mode", 0, "-e", settings.evalue)
    mmseqs.run("linclust", source, found, folder / "linclust", *limits, "--threads", threads)
    mmseqs.run("createtsv", source, source, found, table, "--threads", threads)
    return pd.read_csv(table, sep="\t", names=columns, dtype=str, keep_default_na=False)


def related(
    sequences: Mapping[str, str], representatives: Iterable[str], settings: ClusterSettings, folder: Path, threads: int
) -> pd.DataFrame:
    """Hits of the representatives among all sequences that are close enough to link their clusters."""
    hits = mmseqs.search(
        {name: sequences[name] for name in representatives},
        sequences,
        folder,
        sensitivity=settings.sensitivity,
        evalue=settings.evalue,
        threads=threads,
    )
    coverage = hits[["coverage_query", "coverage_target"]]
    covered = coverage.min(axis=1) if settings.link == "both" else coverage.max(axis=1)
    return hits[(hits.identity >= settings.min_identity) & (covered >= settings.coverage)]


def components(names: list[str], pairs: Iterable[tuple[str, str]]) -> np.ndarray:
    """Number of each name's connected component under the pairs; numbered in the order of their first names."""
    position = {name: row for row, name in enumerate(names)}
    edges = np.array([(position[a], position[b]) for a, b in pairs], dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges), dtype=np.int8), (edges[:, 0], edges[:, 1])), shape=(len(names), len(names)))
    _, labels = connected_components(graph, directed=False)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)
