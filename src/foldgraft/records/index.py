"""The light index of all curated chains: `curate/index.parquet`, without coordinates."""

import pyarrow as pa

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("entry", pa.string(), nullable=False),
        pa.field("sequence", pa.string(), nullable=False),
        pa.field("sequence_sha256", pa.string(), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
        pa.field("resolved_fraction", pa.float64(), nullable=False),
        pa.field("released", pa.string()),
        pa.field("organism", pa.string()),
        pa.field("shard", pa.string(), nullable=False),
    ],
    metadata={
        "length": "residues of the SEQRES sequence",
        "resolved_fraction": "of them, with a CA",
        "released": "ISO date of the first release",
        "organism": "scientific name of the source",
    },
)
