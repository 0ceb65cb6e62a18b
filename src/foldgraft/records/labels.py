"""Labelled sequences: `fetch/labels/<shard>.parquet`."""

import pyarrow as pa

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("sequence", pa.string(), nullable=False),
        pa.field("sequence_sha256", pa.string(), nullable=False),
        pa.field("label", pa.float64(), nullable=False),
        pa.field("fold", pa.int64()),
    ],
    metadata={
        "label": "0 (insoluble) or 1 (soluble), or a fraction between them",
        "fold": "the published fold of the table, null where it has none",
    },
)
