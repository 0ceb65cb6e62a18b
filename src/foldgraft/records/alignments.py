"""What is aligned (`msa/queries.parquet`), the alignments (`msa/alignments/<shard>.parquet`) and coevolution scores
(`msa/coevolution/<shard>.parquet`).

Chains of one sequence share a row, whichever shards they are in: it is in the first of them, under its sha256.
"""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from foldgraft.records.tables import read_selected

QUERIES = pa.schema(
    [
        pa.field("shard", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("sequence_sha256", pa.string(), nullable=False),
        pa.field("sequence", pa.string(), nullable=False),
        pa.field("given", pa.bool_(), nullable=False),
    ],
    metadata={
        "shard": "the first that holds the sequence, and that aligns it",
        "id": "its first chain",
        "given": "whether an alignment that the user gave serves it",
    },
)


def read_queries(path: Path, shard: str) -> pd.DataFrame:
    """The sequences that a shard aligns."""
    return read_selected(path, QUERIES, "shard", {shard}).to_pandas()


ALIGNMENTS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("sequence_sha256", pa.string(), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
        pa.field("a3m", pa.large_string(), nullable=False),
        pa.field("depth", pa.int64(), nullable=False),
        pa.field("neff", pa.float64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("found", pa.int64(), nullable=False),
        pa.field("unusable", pa.int64(), nullable=False),
        pa.field("repeated", pa.int64(), nullable=False),
        pa.field("short", pa.int64(), nullable=False),
        pa.field("distant", pa.int64(), nullable=False),
        pa.field("alike", pa.int64(), nullable=False),
        pa.field("surplus", pa.int64(), nullable=False),
        pa.field("gaps", pa.list_(pa.float32()), nullable=False),
    ],
    metadata={
        "id": "the first chain of the sequence",
        "a3m": "the sequence itself first; lower-case insertions",
        "depth": "number of sequences, the query included: 1 + found - repeated - short - distant - alike - surplus",
        "neff": "effective number: each sequence weighs 1 / (number within 80 % identity of it, itself included)",
        "source": "search, or the file name of the precomputed alignment",
        "found": "homologs before any filter",
        "unusable": "records of the file that are no rows; not among those found",
        "repeated": "dropped: the same aligned letters as a row before",
        "short": "dropped: below msa.min_coverage",
        "distant": "dropped: below msa.min_identity",
        "alike": "dropped: above msa.max_identity with a row before",
        "surplus": "dropped: beyond msa.max_sequences",
        "gaps": "(L,) fraction of the homologs without an amino acid at the residue; 1 without homologs",
    },
)

COEVOLUTION = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("sequence_sha256", pa.string(), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
        pa.field("neff", pa.float64(), nullable=False),
        pa.field("scores", pa.list_(pa.float32()), nullable=False),
    ],
    metadata={
        "id": "the first chain of the sequence",
        "scores": "(L * (L - 1) / 2,) average-product-corrected, upper triangle as foldgraft.records.pairs packs it; "
        "zero where the alignment says nothing",
    },
)
