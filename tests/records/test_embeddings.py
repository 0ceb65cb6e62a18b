"""Embeddings of shards: read back at random, and refused where broken."""

import copy
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from foldgraft.errors import FoldgraftError
from foldgraft.records.embeddings import OPEN_FILES, Embeddings, write_embeddings

WIDTH = 6


def shard(path, names, trunk="t1", seed=0):
    rng = np.random.default_rng(seed)
    entries = [(name, rng.normal(size=(int(rng.integers(1, 9)), WIDTH)).astype(np.float32)) for name in names]
    write_embeddings(path, entries, WIDTH, trunk)
    return dict(entries)


def test_what_is_written_is_read_within_half_precision(tmp_path):
    first = shard(tmp_path / "a.safetensors", ["s1", "s2", "s3"])
    second = shard(tmp_path / "b.safetensors", ["s4"], seed=1)
    read = Embeddings([tmp_path / "a.safetensors", tmp_path / "b.safetensors"])
    assert list(read) == ["s1", "s2", "s3", "s4"]
    assert len(read) == 4
    assert "s2" in read
    assert "s5" not in read
    assert read.trunk == "t1"
    for name, values in (first | second).items():
        assert read.residue(name).dtype == read.pooled(name).dtype == np.float16
        np.testing.assert_allclose(read.residue(name), values, rtol=2**-11, atol=1e-7)
        np.testing.assert_allclose(read.pooled(name), values.mean(axis=0), rtol=2**-10, atol=1e-6)


def test_an_empty_shard_beside_a_full_one(tmp_path):
    shard(tmp_path / "a.safetensors", [])
    values = shard(tmp_path / "b.safetensors", ["s1"])
    read = Embeddings([tmp_path / "a.safetensors", tmp_path / "b.safetensors"])
    assert read.residue("s1").shape == values["s1"].shape


def test_pooling_is_done_in_float32(tmp_path):
    """The float16 sum of many equal numbers stops growing; the mean must not suffer."""
    write_embeddings(tmp_path / "a.safetensors", [("s", np.full((5000, 2), 3.0, np.float32))], 2, "t")
    assert Embeddings([tmp_path / "a.safetensors"]).pooled("s").tolist() == [3.0, 3.0]


def test_a_sequence_in_two_shards_is_the_first(tmp_path):
    first = shard(tmp_path / "a.safetensors", ["s1"], seed=2)
    shard(tmp_path / "b.safetensors", ["s1"], seed=3)
    read = Embeddings([tmp_path / "a.safetensors", tmp_path / "b.safetensors"])
    assert len(read) == 1
    assert len(read.residue("s1")) == len(first["s1"])


def test_many_shards_are_read_with_few_files_open(tmp_path):
    everything = {}
    for number in range(OPEN_FILES + 20):
        everything |= shard(tmp_path / f"{number}.safetensors", [f"s{number}a", f"s{number}b"], seed=number)
    read = Embeddings(tmp_path.glob("*.safetensors"))
    for name in sorted(everything) * 2:
        np.testing.assert_allclose(read.residue(name), everything[name], rtol=2**-10, atol=1e-6)
    mine = {str(tmp_path / f"{number}.safetensors") for number in range(OPEN_FILES + 20)}
    held = [path for path in Path("/proc/self/fd").iterdir() if path.exists() and str(path.readlink()) in mine]
    assert len(held) == OPEN_FILES


def test_vectors_stay_on_disk(tmp_path):
    """What is held of a shard says where its vectors are, and grows with neither their width nor their length."""
    names = [f"{number:064d}" for number in range(500)]
    sizes = []
    for width in (8, 256):
        path = tmp_path / f"{width}.safetensors"
        write_embeddings(path, ((name, np.ones((4, width), np.float32)) for name in names), width, "t")
        tracemalloc.start()
        read = Embeddings([path])
        sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert len(read) == 500
    assert sizes[1] < 1.1 * sizes[0] < 1.1 * 120 * 500


def test_a_copy_for_a_worker_opens_its_own_files(tmp_path):
    shard(tmp_path / "a.safetensors", ["s1"])
    read = Embeddings([tmp_path / "a.safetensors"])
    expected = read.residue("s1")
    np.testing.assert_array_equal(copy.copy(read).residue("s1"), expected)


def test_a_sequence_that_is_not_there(tmp_path):
    shard(tmp_path / "a.safetensors", ["s1"])
    with pytest.raises(KeyError, match="s2"):
        Embeddings([tmp_path / "a.safetensors"]).pooled("s2")


def test_a_shard_is_a_safetensors_file(tmp_path):
    written = shard(tmp_path / "a.safetensors", ["s1", "s2"])
    tensors = load_file(tmp_path / "a.safetensors")
    assert tensors["offsets"].tolist() == [0, *np.cumsum([len(values) for values in written.values()])]
    np.testing.assert_array_equal(tensors["residue"], np.concatenate(list(written.values())).astype(np.float16))
    assert tensors["pooled"].shape == (2, WIDTH)


def test_shards_of_different_trunks_do_not_mix(tmp_path):
    shard(tmp_path / "a.safetensors", ["s1"])
    shard(tmp_path / "b.safetensors", ["s2"], trunk="t2")
    with pytest.raises(FoldgraftError, match=r"b\.safetensors: made with another trunk"):
        Embeddings([tmp_path / "a.safetensors", tmp_path / "b.safetensors"])


def damage_nothing(path):
    path.unlink()


def damage_bytes(path):
    path.write_bytes(path.read_bytes()[:-10])


def damage_metadata(path):
    save_file({"pooled": np.zeros((0, 2), np.float16)}, path)


def damage_tensors(path):
    save_file({"pooled": np.zeros((0, 2), np.float16)}, path, metadata={"sequences": "[]", "trunk": "t1"})


def damage_names(path):
    tensors = {"pooled": np.zeros((0, 2), np.float16), "offsets": np.zeros(1, np.int64)}
    save_file(tensors, path, metadata={"sequences": "[", "trunk": "t1"})


def saved(path, names, offsets):
    tensors = {"pooled": np.zeros((1, 2), np.float16), "residue": np.zeros((3, 2), np.float16)}
    metadata = {"sequences": json.dumps(names), "trunk": "t1"}
    save_file(tensors | {"offsets": np.array(offsets, np.int64)}, path, metadata=metadata)


def damage_count(path):
    saved(path, ["s1", "s2"], [0, 3])


def damage_order(path):
    saved(path, ["s1", "s2"], [0, 4, 3])


def damage_end(path):
    saved(path, ["s1"], [0, 4])


def damage_offsets(path):
    saved(path, [], [])


DAMAGES = [
    damage_nothing,
    damage_bytes,
    damage_metadata,
    damage_tensors,
    damage_names,
    damage_count,
    damage_order,
    damage_end,
    damage_offsets,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_broken_shard_is_one_clear_error(damage, tmp_path):
    path = tmp_path / "a.safetensors"
    shard(path, ["s1"])
    damage(path)
    with pytest.raises(FoldgraftError, match=r"a\.safetensors: cannot be read as embeddings"):
        Embeddings([path])
