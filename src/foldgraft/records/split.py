"""Which protein serves for what (`cluster/split.parquet`), and how near the test proteins are to the training ones."""

import pyarrow as pa

SPLIT = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("set", pa.string(), nullable=False),
        pa.field("sequence_sha256", pa.string(), nullable=False),
        pa.field("cluster", pa.int64(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("fold", pa.int64(), nullable=False),
    ],
    metadata={
        "set": "structures or labels: the two may share ids",
        "cluster": "number of the connected component of clusters",
        "split": "train, valid or test",
        "fold": "0 to folds - 1; the published fold where the table has one; fold 0 is test and fold 1 valid",
    },
)

LEAKAGE = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("set", pa.string(), nullable=False),
        pa.field("fold", pa.int64(), nullable=False),
        pa.field("nearest", pa.string()),
        pa.field("identity", pa.float64()),
        pa.field("coverage_query", pa.float64()),
        pa.field("coverage_target", pa.float64()),
        pa.field("evalue", pa.float64()),
        pa.field("leak", pa.bool_(), nullable=False),
    ],
    metadata={
        "id": "a test protein; one row each, of the same set as its nearest",
        "fold": "the fold that is the test set; one for each set, all of them for a cross-validated one",
        "nearest": "the training or validation protein most like it, null where the search found none",
        "identity": "fraction of aligned residues that are identical",
        "coverage_query": "aligned fraction of the test protein",
        "coverage_target": "aligned fraction of the training protein",
    },
)
