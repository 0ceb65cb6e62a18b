"""A shard of sequences becomes a file of embeddings and a table of rejects, also if the job is killed on its way."""

import os
import signal
import subprocess
import sys
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file

from foldgraft.embed.command import shard as command
from foldgraft.embed.repeats import REPEATS, elsewhere, write_repeats
from foldgraft.embed.settings import EmbedSettings
from foldgraft.embed.shard import SCHEMA, Outputs, choose, embed_shard, layer_numbers
from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import build_network
from foldgraft.records import index
from foldgraft.records.embedding_shards import KEY_BYTES, record_bytes, write_embeddings
from foldgraft.records.embeddings import Contents, Embedded, Embeddings
from foldgraft.records.files import read_json, sequence_sha256
from foldgraft.records.rejects import read_rejects
from foldgraft.records.tables import write_frame
from foldgraft.residues import AMINO_ACIDS
from foldgraft.trunk.checkpoint import write_trunk
from label_tables import write_labels


@pytest.fixture(scope="module")
def trunk():
    torch.manual_seed(0)
    return Trunk(build_network(Architecture(2, 24, 3)), "small", "f" * 64, torch.device("cpu"))


def table(path, rows):
    frame = pd.DataFrame(rows, columns=["id", "sequence"])
    write_frame(path, frame.assign(sequence_sha256=frame["sequence"].map(sequence_sha256)), SCHEMA)
    return path


def outputs(folder, name="e"):
    return Outputs(folder / name, folder / "r.csv")


def test_every_sequence_once_in_order_of_its_digest(trunk, tmp_path):
    rows = [("a", "MKTAYIAK"), ("b", "ACD"), ("c", "MKTAYIAK"), ("d", "G" * 40)]
    embed_shard(table(tmp_path / "t.parquet", rows), set(), trunk, [1, 2], outputs(tmp_path))
    found = Embeddings([tmp_path / "e"])
    assert list(found) == sorted({sequence_sha256(sequence) for _, sequence in rows})
    assert found.trunk == trunk.sha256 and read_rejects(tmp_path / "r.csv").empty
    assert (found.layers, found.depth, found.width) == ((1, 2), 2, 24)
    for _, sequence in rows:
        (exact,) = trunk.embed_layers([sequence], [1, 2])
        np.testing.assert_allclose(found.residues(sequence_sha256(sequence)), exact.residues, atol=2e-3)
        pooled = found.pooled([sequence_sha256(sequence)])[0]
        np.testing.assert_allclose(pooled, exact.residues.mean(axis=0), atol=2e-3)


def test_without_a_layer_asked_for_the_means_alone_are_kept(trunk, tmp_path):
    path = table(tmp_path / "t.parquet", [("a", "MKTAYIAK"), ("b", "ACD" * 30)])
    for layers, name in (([], "pooled"), ([2], "both")):
        embed_shard(path, set(), trunk, layers, outputs(tmp_path, name))
    pooled, both = Embeddings([tmp_path / "pooled"]), Embeddings([tmp_path / "both"])
    assert pooled.layers == () and pooled.residues(sequence_sha256("MKTAYIAK")).shape == (8, 0, 24)
    np.testing.assert_array_equal(pooled.pooled(list(pooled)), both.pooled(list(both)))
    assert (tmp_path / "both").stat().st_size - (tmp_path / "pooled").stat().st_size >= (8 + 90) * 24 * 2
    with pytest.raises(FoldgraftError, match=r"both: made with another trunk, or of other layers"):
        Embeddings([tmp_path / "pooled", tmp_path / "both"])


def test_layers_by_name():
    assert layer_numbers(["last", "2"], 6) == [2, 6] and layer_numbers(["all", "3"], 4) == [1, 2, 3, 4]
    assert layer_numbers([], 6) == []
    for word in ("7", "0", "-1", "first"):
        with pytest.raises(FoldgraftError, match=f"has the layers 1 to 6; give one, last, or all, not '{word}'"):
            layer_numbers([word], 6)


def test_unreadable_sequences_are_rejected_by_id(trunk, tmp_path, capsys):
    rows = [("good", "MKT"), ("stop", "MK*"), ("empty", ""), ("long", "A" * 31), ("jay", "MJJK"), ("rare", "MKUOBZX")]
    settings = EmbedSettings(max_length=30)
    embed_shard(table(tmp_path / "t.parquet", rows), set(), trunk, [2], outputs(tmp_path), settings)
    rejects = read_rejects(tmp_path / "r.csv")
    assert dict(zip(rejects["id"], rejects["rule"], strict=True)) == {
        "stop": "illegal_letter", "empty": "empty", "long": "too_long", "jay": "illegal_letter",
    }  # fmt: skip
    assert len(Embeddings([tmp_path / "e"])) == 2
    assert "rejected jay: the trunk has no token for 'J'" in capsys.readouterr().err


def test_a_shard_may_be_rejected_whole(trunk, tmp_path):
    path = table(tmp_path / "t.parquet", [("a", "*")])
    embed_shard(path, set(), trunk, [2], outputs(tmp_path))
    assert len(Embeddings([tmp_path / "e"])) == 0
    assert load_file(tmp_path / "e")["residue"].shape == (0, 1, 24)


def test_two_sequences_under_one_digest(tmp_path):
    frame = pd.DataFrame({"id": ["a", "b"], "sequence": ["MK", "KM"], "sequence_sha256": ["0", "0"]})
    write_frame(tmp_path / "t.parquet", frame, SCHEMA)
    with pytest.raises(FoldgraftError, match="two sequences"):
        choose(tmp_path / "t.parquet", set(), EmbedSettings())


@pytest.fixture
def trunk_files(trunk, tmp_path):
    weights, description = tmp_path / "model.safetensors", tmp_path / "trunk.json"
    write_trunk(weights, description, trunk.network, "small", {})
    return weights, description


def test_command_takes_any_table_with_the_columns(trunk_files, tmp_path):
    path = table(tmp_path / "t-00000.parquet", [("a", "MKTAYIAK" * 10), ("b", "MKV")])
    repeats = pd.DataFrame([["t-00000", sequence_sha256("MKV")]], columns=REPEATS.names)
    write_frame(tmp_path / "repeats.parquet", repeats, REPEATS)
    command(*trunk_files, path, tmp_path / "repeats.parquet", tmp_path / "e", tmp_path / "r.csv", ["last"])
    (expected,) = Trunk.load(*trunk_files).embed(["MKTAYIAK" * 10])
    found = Embeddings([tmp_path / "e"])
    assert list(found) == [sequence_sha256("MKTAYIAK" * 10)]
    np.testing.assert_allclose(found.residues(sequence_sha256("MKTAYIAK" * 10))[:, 0], expected, atol=2e-3)


def test_half_precision_keeps_to_the_error_that_the_records_state(trunk, tmp_path):
    rng = np.random.default_rng(4)
    sequences = ["".join(rng.choice(list(AMINO_ACIDS), length)) for length in (30, 200, 90)]
    path = table(tmp_path / "t.parquet", [(str(number), text) for number, text in enumerate(sequences)])
    embed_shard(path, set(), trunk, [1, 2], outputs(tmp_path))
    read = Embeddings([tmp_path / "e"])
    by_name = sorted(sequences, key=sequence_sha256)  # the order in which the shard embeds them: batches alike
    exact = list(trunk.embed_layers(by_name, [1, 2]))
    residues = np.concatenate([read.residues(sequence_sha256(text)) for text in by_name])
    pairs = (
        (residues, np.concatenate([one.residues for one in exact])),
        (read.pooled([sequence_sha256(text) for text in by_name]), np.stack([one.pooled for one in exact])),
    )
    for found, wanted in pairs:
        assert found.dtype == np.float32 and found.shape == wanted.shape
        error = np.abs(found.astype(np.float64) - wanted)
        assert (error <= np.maximum(2.0**-11 * np.abs(wanted), 2.0**-25)).all()
        assert 0 < np.sqrt((error**2).mean() / (wanted.astype(np.float64) ** 2).mean()) < 3e-4


def test_a_value_beyond_half_precision_is_no_infinity(tmp_path):
    with pytest.raises(FoldgraftError, match="70000, beyond half precision"):
        one = Embedded(np.ones((1, 3), np.float32), np.full((2, 1, 3), 7e4, np.float32))
        write_embeddings(tmp_path / "e", [("s", one)], Contents("t", 1, 3, (1,)))
    assert list(tmp_path.iterdir()) == []


OF_TWO = Contents("f" * 64, 2, 24, (2,))
"""What the shards of the small trunk hold."""

KILLED = """
import sys, time
from pathlib import Path
from foldgraft.embed import command
from foldgraft.models.trunk import Trunk

embed, calls = Trunk.embed_layers, []

def slow(self, *given):  # the third block never ends
    calls.append(None)
    for number, values in enumerate(embed(self, *given)):
        if len(calls) == 3 and number == 1:
            print("in the third block", flush=True)
            time.sleep(3600)
        yield values

Trunk.embed_layers = slow
command.app(sys.argv[1:])
"""


def test_a_killed_job_goes_on_where_it_was_and_ends_in_the_same_bytes(trunk_files, tmp_path):
    rng = np.random.default_rng(0)
    rows = [(f"p{n}", "".join(rng.choice(list(AMINO_ACIDS), int(rng.integers(20, 120))))) for n in range(120)]
    path = table(tmp_path / "t-00000.parquet", rows)
    write_repeats([], None, tmp_path / "repeats.parquet", tmp_path / "repeats.json")
    files = {"trunk": trunk_files[0], "description": trunk_files[1], "sequences": path}
    files |= {"repeats": tmp_path / "repeats.parquet", "rejects": tmp_path / "r.csv"}

    def words(out):
        given = {**files, "embeddings": out, "settings": '{"batch_tokens": 128}'}
        return ["shard", "--residues=last", *(f"--{name}={value}" for name, value in given.items())]

    def run():
        command = [sys.executable, "-m", "foldgraft", "embed", *words(tmp_path / "killed/e")]
        return subprocess.run(command, capture_output=True, text=True)

    done = subprocess.run(
        [sys.executable, "-m", "foldgraft", "embed", *words(tmp_path / "whole/e")], capture_output=True
    )
    assert done.returncode == 0, done.stderr
    part = tmp_path / "killed/.e.part"
    job = subprocess.Popen([sys.executable, "-c", KILLED, *words(tmp_path / "killed/e")], stdout=subprocess.PIPE)
    lengths = [len(text) for _, text in sorted(rows, key=lambda row: sequence_sha256(row[1]))]
    first_two = KEY_BYTES + 2 * 16 * 128 * 24 * 2  # at least: a block has as many residues
    assert job.stdout.readline() == b"in the third block\n"
    os.kill(job.pid, signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL
    job.stdout.close()
    assert not (tmp_path / "killed/e").exists()
    kept = part.stat().st_size
    assert first_two <= kept < KEY_BYTES + sum(record_bytes(length, OF_TWO) for length in lengths)
    with part.open("ab") as handle:
        handle.write(b"half a record")
    went_on = run()
    assert went_on.returncode == 0, went_on.stderr
    assert "of an earlier attempt" in went_on.stderr
    assert (tmp_path / "killed/e").read_bytes() == (tmp_path / "whole/e").read_bytes()
    assert not part.exists()


def test_what_another_trunk_left_is_not_taken_over(trunk, tmp_path, capsys):
    path = table(tmp_path / "t.parquet", [("a", "MKTAYIAK")])
    (tmp_path / ".e.part").write_bytes(bytes(KEY_BYTES) + bytes(9 * record_bytes(8, OF_TWO)))
    embed_shard(path, set(), trunk, [2], outputs(tmp_path))
    assert "earlier attempt" not in capsys.readouterr().err
    assert Embeddings([tmp_path / "e"]).residues(sequence_sha256("MKTAYIAK")).any()


def test_memory_does_not_grow_with_the_shard(trunk, tmp_path):
    """Blocks of sequences come and go: what is held at once of 4 blocks is what is held of 16."""
    peaks = []
    for count in (4, 16):
        sequences = [f"{'ACDEFGHIKLMNPQRSTVWY' * 6}{number:05d}".translate(LETTERS) for number in range(count * 9)]
        path = table(tmp_path / f"{count}.parquet", [(str(n), text) for n, text in enumerate(sequences)])
        tracemalloc.start()
        embed_shard(path, set(), trunk, [2], outputs(tmp_path, f"{count}.e"), EmbedSettings(batch_tokens=64))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


LETTERS = str.maketrans("0123456789", "ACDEFGHIKL")


def test_a_sequence_belongs_to_the_first_shard_that_holds_it_labels_first(tmp_path):
    sequences = {name: f"MK{name}" for name in "ACDEF"}
    shards = [
        table(tmp_path / f"labels-{number:05d}.parquet", [(f"p{number}{name}", sequences[name]) for name in held])
        for number, held in enumerate(("AAC", "CD"))
    ]
    for path in shards:
        frame = pd.read_parquet(path).assign(label=1.0, fold=None)
        write_labels(path, frame)
    rows = [
        ("x1", "D", "files-00000"),
        ("x2", "E", "files-00000"),
        ("x3", "E", "rcsb-00000"),
        ("x4", "F", "rcsb-00000"),
    ]
    chains = pd.DataFrame(rows, columns=["id", "letter", "shard"])
    chains["sequence"] = chains["letter"].map(sequences)
    chains["sequence_sha256"] = chains["sequence"].map(sequence_sha256)
    light = {"length": 3, "resolved_fraction": 1.0, "released": None, "organism": None}
    write_frame(tmp_path / "index.parquet", chains.assign(entry=chains["id"], **light), index.SCHEMA)
    letters = {sequence_sha256(text): name for name, text in sequences.items()}

    def found(kind, chains):
        write_repeats(shards, chains, tmp_path / f"{kind}.parquet", tmp_path / f"{kind}.json")
        names = ("labels-00000", "labels-00001", "files-00000", "rcsb-00000")
        each = {name: {letters[digest] for digest in elsewhere(tmp_path / f"{kind}.parquet", name)} for name in names}
        return {name: there for name, there in each.items() if there}, read_json(tmp_path / f"{kind}.json")

    of_labels, digests = found("labels", None)
    assert of_labels == {"labels-00001": {"C"}} and digests.keys() == {"labels-00000", "labels-00001"}
    of_structures, before = found("structures", tmp_path / "index.parquet")
    assert of_structures == {"files-00000": {"D"}, "rcsb-00000": {"E"}} and before.keys() == of_structures.keys()
    write_frame(tmp_path / "index.parquet", pd.read_parquet(tmp_path / "index.parquet").iloc[[0, 2, 3]], index.SCHEMA)
    of_structures, after = found("structures", tmp_path / "index.parquet")
    assert of_structures == {"files-00000": {"D"}}
    assert before["rcsb-00000"] != after["rcsb-00000"]  # it has the same rows, and more to embed


def test_file_is_written_as_it_comes(tmp_path):
    """The writer takes one sequence at a time, and what it writes is safetensors."""
    generator = np.random.default_rng(0)
    values = {
        f"{number:064d}": Embedded(generator.normal(size=(3, 5)), generator.normal(size=(length, 2, 5)))
        for number, length in enumerate((3, 1, 7))
    }
    write_embeddings(tmp_path / "e", iter(values.items()), Contents("t", 3, 5, (1, 3)))
    tensors = load_file(tmp_path / "e")
    assert tensors["offsets"].tolist() == [0, 3, 4, 11]
    residues = np.concatenate([one.residues for one in values.values()])
    np.testing.assert_array_equal(tensors["residue"], residues.astype(np.float16))
    pooled = np.stack([one.pooled for one in values.values()])
    np.testing.assert_array_equal(tensors["pooled"], pooled.astype(np.float16))
    assert list(tmp_path.iterdir()) == [tmp_path / "e"]
