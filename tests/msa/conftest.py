"""Made-up alignments, and the queries of chains."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from foldgraft.msa.command import app
from foldgraft.records import index
from foldgraft.records.files import sequence_sha256
from foldgraft.records.tables import write_frame
from foldgraft.residues import AMINO_ACIDS

LETTERS = np.array(list(AMINO_ACIDS))
SHARD = "files-00000"


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
def queried(tmp_path):
    """Runs `queries` on chains from id to sequence, by shard or all in one; returns the options for `search`."""

    def run(chains: dict[str, str], *more: object, shards: Mapping[str, str] = {}):
        frame = pd.DataFrame({"id": list(chains), "sequence": list(chains.values())})
        frame["sequence_sha256"] = [sequence_sha256(text) for text in frame["sequence"]]
        frame["length"] = frame["sequence"].str.len()
        frame["shard"] = [shards.get(name, SHARD) for name in chains]
        whole = frame.assign(entry="e", resolved_fraction=1.0, released=None, organism=None)
        write_frame(tmp_path / "index.parquet", whole, index.SCHEMA)
        queries = tmp_path / "queries.parquet"
        words = ("queries", "--index", tmp_path / "index.parquet", "--queries", queries)
        words += ("--digests", tmp_path / "queries.json", *more)
        CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        return "--queries", queries, "--shard", SHARD

    return run
