"""Predicted contact maps, one row per sequence and experiment."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from foldgraft.models.feature_pairs import Layout
from foldgraft.models.head_file import Trained
from foldgraft.models.head_maps import contact_map
from foldgraft.models.trunk import Trunk
from foldgraft.predict.sequences import Candidate
from foldgraft.progress import progress
from foldgraft.records.files import sequence_sha256
from foldgraft.records.rejects import Reject, write_rejects
from foldgraft.records.tables import row_writer

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("experiment", pa.string(), nullable=False),
        pa.field("sequence_sha256", pa.string(), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
        pa.field("scores", pa.list_(pa.float32()), nullable=False),
    ],
    metadata={
        "scores": "(L * (L - 1) / 2,) probability of a contact, packed as foldgraft.records.pairs packs it; zero for "
        "pairs fewer than six residues apart",
    },
)


def write_maps(path: Path, rejects: Path, records: Iterable[Candidate], heads: Sequence[Trained], trunk: Trunk) -> None:
    """Write the maps of all records that can be predicted, and a table of those that cannot."""
    layouts = [Layout(head.info.features, trunk.layers, trunk.heads) for head in heads]
    rejected = []
    with row_writer(path, SCHEMA) as writer:
        for record in progress(records, "sequences"):
            if record.reason:
                rejected.append(Reject(record.id, "sequence", str(len(record.sequence)), record.reason))
                continue
            residue = _residue(record.sequence, heads, trunk)
            for head, layout in zip(heads, layouts, strict=True):
                writer.write(
                    {
                        "id": record.id,
                        "experiment": head.info.name,
                        "sequence_sha256": sequence_sha256(record.sequence),
                        "length": len(record.sequence),
                        "scores": contact_map(head, layout, trunk, record.sequence, None, residue),
                    }
                )
    write_rejects(rejects, rejected)


def _residue(sequence: str, heads: Sequence[Trained], trunk: Trunk) -> np.ndarray | None:
    """Residue embeddings if a head wants them, rounded as the cached ones are."""
    if not any("embedding" in head.info.features for head in heads):
        return None
    (embedded,) = trunk.embed([sequence])
    return embedded.astype(np.float16)
