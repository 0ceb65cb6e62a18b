"""Made-up families whose members are known."""

import numpy as np
import pandas as pd
import pytest

from foldgraft.records import index
from foldgraft.records.files import sequence_sha256
from foldgraft.records.tables import write_frame
from foldgraft.residues import AMINO_ACIDS
from label_tables import write_labels

LETTERS = np.array(list(AMINO_ACIDS))


def mutated(sequence: str, fraction: float, rng: np.random.Generator) -> str:
    """The sequence with about this fraction of its residues replaced at random."""
    letters = np.array(list(sequence))
    hit = rng.random(len(letters)) < fraction
    letters[hit] = rng.choice(LETTERS, hit.sum())
    return "".join(letters)


@pytest.fixture(scope="session")
def mutate():
    return mutated


@pytest.fixture(scope="session")
def families():
    """Eight families of three to ten members each, 30 % mutated from random ancestors; `id, sequence, family`."""
    rng = np.random.default_rng(11)
    rows = []
    for family in range(8):
        ancestor = "".join(rng.choice(LETTERS, 120 + 10 * family))
        rows += [(f"f{family}m{k}", mutated(ancestor, 0.3, rng), family) for k in range(3 + family)]
    return pd.DataFrame(rows, columns=["id", "sequence", "family"])


@pytest.fixture
def labelled(families):
    """The families as a table of labelled sequences."""
    return families.assign(
        sequence_sha256=families.sequence.map(sequence_sha256), label=0.0, fold=pd.Series([None] * len(families))
    ).astype({"fold": "Int64"})


@pytest.fixture
def write_inputs(tmp_path):
    """Writes an index and a shard of labels; returns their paths."""

    def write(structures: pd.DataFrame, labelled: pd.DataFrame):
        chains = structures.assign(
            entry=structures.id,
            sequence_sha256=structures.sequence.map(sequence_sha256),
            length=structures.sequence.str.len(),
            resolved_fraction=1.0,
            released=None,
            organism=None,
            shard="files-00000",
        )
        write_frame(tmp_path / "index.parquet", chains, index.SCHEMA)
        write_labels(tmp_path / "labels-00000.parquet", labelled)
        return tmp_path / "index.parquet", tmp_path / "labels-00000.parquet"

    return write
