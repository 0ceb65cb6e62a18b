"""What experiments and baselines say of validation and test proteins."""

import pyarrow as pa

SOLUBILITY = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("sequence_sha256", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("fold", pa.int64(), nullable=False),
        pa.field("label", pa.float64(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("score_low", pa.float64(), nullable=False),
        pa.field("score_high", pa.float64(), nullable=False),
    ],
    metadata={
        "split": "valid or test: as what the protein served the members that scored it; "
        "with cross-validation a protein has a row for each",
        "fold": "the protein's fold",
        "score": "probability of being soluble, the mean over the members; low and high are their extremes",
    },
)

CONTACT = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("sequence_sha256", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("fold", pa.int64(), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
        pa.field("scores", pa.list_(pa.float32()), nullable=False),
    ],
    metadata={"scores": "(L * (L - 1) / 2,) probability of a contact, packed as foldgraft.records.pairs packs it"},
)
