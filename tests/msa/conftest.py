"""Made-up alignments, and a chain table with the columns that the stage reads."""

import numpy as np
import pytest

from foldgraft.records.chains import SCHEMA, Chain
from foldgraft.records.files import sequence_sha256
from foldgraft.records.tables import row_writer
from foldgraft.residues import AMINO_ACIDS, ATOMS

LETTERS = np.array(list(AMINO_ACIDS))


@pytest.fixture(scope="session")
def family():
    """A random sequence of 150 residues and 30 relatives, 40 % mutated, some with a piece missing or inserted."""
    rng = np.random.default_rng(21)
    ancestor = "".join(rng.choice(LETTERS, 150))
    members = []
    for k in range(30):
        letters = np.array(list(ancestor))
        hit = rng.random(150) < 0.4
        letters[hit] = rng.choice(LETTERS, hit.sum())
        text = "".join(letters)
        members.append(text[:70] + ("" if k % 3 else "GGSGG") + text[70 + 3 * (k % 2) :])
    return ancestor, members


@pytest.fixture
def write_chains(tmp_path):
    """Writes a shard of chains without coordinates from id to sequence; returns its path."""

    def write(sequences: dict[str, str]):
        path = tmp_path / "chains.parquet"
        with row_writer(path, SCHEMA) as writer:
            for name, sequence in sequences.items():
                length = len(sequence)
                texts = dict.fromkeys(["auth_asym_id", "entity", "method", "released", "uniprot", "organism"])
                chain = Chain(
                    id=name,
                    entry=name,
                    label_asym_id="A",
                    sequence=sequence,
                    sequence_sha256=sequence_sha256(sequence),
                    resolved=np.ones(length, bool),
                    label_seq_id=np.arange(1, length + 1),
                    auth_seq_id=[""] * length,
                    coordinates=np.full((length, len(ATOMS), 3), np.nan, np.float32),
                    b_factor=np.zeros(length, np.float32),
                    resolution=None,
                    source="files",
                    **texts,
                )
                writer.write(chain.row())
        return path

    return write
