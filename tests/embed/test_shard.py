"""A shard of sequences becomes a file of embeddings and a table of rejects."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file

from foldgraft.embed.command import shard as command
from foldgraft.embed.settings import EmbedSettings
from foldgraft.embed.shard import SCHEMA, choose, embed_shard
from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk_network import Architecture, Network
from foldgraft.records.embeddings import Embeddings, write_embeddings
from foldgraft.records.files import sequence_sha256
from foldgraft.records.rejects import read_rejects
from foldgraft.records.tables import write_frame
from foldgraft.trunk.checkpoint import write_trunk


@pytest.fixture(scope="module")
def trunk():
    torch.manual_seed(0)
    return Trunk(Network(Architecture(2, 24, 3)), "small", "f" * 64, torch.device("cpu"))


def table(path, rows):
    frame = pd.DataFrame(rows, columns=["id", "sequence"])
    write_frame(path, frame.assign(sequence_sha256=frame["sequence"].map(sequence_sha256)), SCHEMA)
    return path


def test_every_sequence_once_in_order_of_its_digest(trunk, tmp_path):
    rows = [("a", "MKTAYIAK"), ("b", "ACD"), ("c", "MKTAYIAK"), ("d", "G" * 40)]
    embed_shard(table(tmp_path / "t.parquet", rows), trunk, tmp_path / "e", tmp_path / "r.csv", EmbedSettings())
    found = Embeddings([tmp_path / "e"])
    assert list(found) == sorted({sequence_sha256(sequence) for _, sequence in rows})
    assert found.trunk == trunk.sha256 and read_rejects(tmp_path / "r.csv").empty
    for _, sequence in rows:
        (exact,) = trunk.embed([sequence])
        np.testing.assert_allclose(found.residue(sequence_sha256(sequence)), exact, atol=2e-3)
        np.testing.assert_allclose(found.pooled(sequence_sha256(sequence)), exact.mean(axis=0), atol=2e-3)


def test_unreadable_sequences_are_rejected_by_id(trunk, tmp_path, capsys):
    rows = [("good", "MKT"), ("stop", "MK*"), ("empty", ""), ("long", "A" * 31), ("jay", "MJJK"), ("rare", "MKUOBZX")]
    settings = EmbedSettings(max_length=30)
    embed_shard(table(tmp_path / "t.parquet", rows), trunk, tmp_path / "e", tmp_path / "r.csv", settings)
    rejects = read_rejects(tmp_path / "r.csv")
    assert dict(zip(rejects["id"], rejects["rule"], strict=True)) == {
        "stop": "illegal_letter", "empty": "empty", "long": "too_long", "jay": "illegal_letter",
    }  # fmt: skip
    assert len(Embeddings([tmp_path / "e"])) == 2
    assert "rejected jay: the trunk has no token for 'J'" in capsys.readouterr().err


def test_a_shard_may_be_rejected_whole(trunk, tmp_path):
    path = table(tmp_path / "t.parquet", [("a", "*")])
    embed_shard(path, trunk, tmp_path / "e", tmp_path / "r.csv", EmbedSettings())
    assert len(Embeddings([tmp_path / "e"])) == 0
    assert load_file(tmp_path / "e")["residue"].shape == (0, 24)


def test_two_sequences_under_one_digest(tmp_path):
    frame = pd.DataFrame({"id": ["a", "b"], "sequence": ["MK", "KM"], "sequence_sha256": ["0", "0"]})
    write_frame(tmp_path / "t.parquet", frame, SCHEMA)
    with pytest.raises(FoldgraftError, match="two sequences"):
        choose(tmp_path / "t.parquet", EmbedSettings())


def test_command_takes_any_table_with_the_columns(trunk, tmp_path):
    weights, description = tmp_path / "model.safetensors", tmp_path / "trunk.json"
    write_trunk(weights, description, trunk.network, "small", {})
    path = table(tmp_path / "t.parquet", [("a", "MKTAYIAK" * 10)])
    command(weights, description, path, tmp_path / "e", tmp_path / "r.csv", EmbedSettings())
    (expected,) = Trunk.load(weights, description).embed(["MKTAYIAK" * 10])
    found = Embeddings([tmp_path / "e"]).residue(sequence_sha256("MKTAYIAK" * 10))
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_file_is_written_as_it_comes(tmp_path):
    """The writer takes one sequence at a time, and what it writes is safetensors."""
    generator = np.random.default_rng(0)
    values = {f"{number:064d}": generator.normal(size=(length, 5)) for number, length in enumerate((3, 1, 7))}
    write_embeddings(tmp_path / "e", iter(values.items()), 5, "t")
    tensors = load_file(tmp_path / "e")
    assert tensors["offsets"].tolist() == [0, 3, 4, 11]
    np.testing.assert_array_equal(tensors["residue"], np.concatenate(list(values.values())).astype(np.float16))
    assert list(tmp_path.iterdir()) == [tmp_path / "e"]
