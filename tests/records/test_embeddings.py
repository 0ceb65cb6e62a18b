"""Embeddings of shards: read back at random, and refused where broken."""

import copy
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from foldgraft.errors import FoldgraftError
from foldgraft.records.embedding_shards import write_embeddings
from foldgraft.records.embeddings import OPEN_FILES, Contents, Embedded, Embeddings

DEPTH, WIDTH, LAYERS = 3, 6, (2, 3)


def shard(path, names, trunk="t1", seed=0, layers=LAYERS):
    rng = np.random.default_rng(seed)

    def vectors(*shape):
        return rng.normal(size=(*shape, WIDTH)).astype(np.float32)

    entries = {name: Embedded(vectors(DEPTH), vectors(int(rng.integers(1, 9)), len(layers))) for name in names}
    write_embeddings(path, entries.items(), Contents(trunk, DEPTH, WIDTH, layers))
    return entries


def test_what_is_written_is_read_within_half_precision(tmp_path):
    first = shard(tmp_path / "a.safetensors", ["s1", "s2", "s3"])
    second = shard(tmp_path / "b.safetensors", ["s4"], seed=1)
    read = Embeddings([tmp_path / "a.safetensors", tmp_path / "b.safetensors"])
    assert list(read) == ["s1", "s2", "s3", "s4"]
    assert len(read) == 4
    assert "s2" in read
    assert "s5" not in read
    assert (read.trunk, read.depth, read.width, read.layers) == ("t1", DEPTH, WIDTH, LAYERS)
    for name, values in (first | second).items():
        assert read.residues(name).dtype == np.float32
        np.testing.assert_allclose(read.residues(name), values.residues, rtol=2**-11, atol=1e-7)
    names = ["s4", "s1", "s4"]
    exact = np.stack([(first | second)[name].pooled for name in names])
    assert read.pooled(names).dtype == np.float32
    np.testing.assert_allclose(read.pooled(names), exact, rtol=2**-11, atol=1e-7)
    np.testing.assert_array_equal(read.pooled(names, [3, 1]), read.pooled(names)[:, [2, 0]])
    assert read.pooled([]).shape == (0, DEPTH, WIDTH)
    for layers in ([0], [4]):
        with pytest.raises(ValueError, match="layers are counted from 1 to 3"):
            read.pooled(names, layers)


def test_an_empty_shard_beside_a_full_one(tmp_path):
    shard(tmp_path / "a.safetensors", [])
    values = shard(tmp_path / "b.safetensors", ["s1"])
    read = Embeddings([tmp_path / "a.safetensors", tmp_path / "b.safetensors"])
    assert read.residues("s1").shape == values["s1"].residues.shape


def test_no_shards_hold_nothing():
    read = Embeddings([])
    assert len(read) == 0 and (read.trunk, read.depth, read.layers) == (None, 0, ())


def test_a_sequence_in_two_shards_is_the_first(tmp_path):
    first = shard(tmp_path / "a.safetensors", ["s1"], seed=2)
    shard(tmp_path / "b.safetensors", ["s1"], seed=3)
    read = Embeddings([tmp_path / "a.safetensors", tmp_path / "b.safetensors"])
    assert len(read) == 1
    assert len(read.residues("s1")) == len(first["s1"].residues)


def test_many_shards_are_read_with_few_files_open(tmp_path):
    everything = {}
    for number in range(OPEN_FILES + 20):
        everything |= shard(tmp_path / f"{number}.safetensors", [f"s{number}a", f"s{number}b"], seed=number)
    read = Embeddings(tmp_path.glob("*.safetensors"))
    for name in sorted(everything) * 2:
        np.testing.assert_allclose(read.residues(name), everything[name].residues, rtol=2**-10, atol=1e-6)
    mine = {str(tmp_path / f"{number}.safetensors") for number in range(OPEN_FILES + 20)}
    held = [path for path in Path("/proc/self/fd").iterdir() if path.exists() and str(path.readlink()) in mine]
    assert len(held) == OPEN_FILES


def test_vectors_stay_on_disk(tmp_path):
    """What is held of a shard says where its vectors are, and grows with neither their width nor their length."""
    names = [f"{number:064d}" for number in range(500)]
    sizes = []
    for width in (8, 256):
        path = tmp_path / f"{width}.safetensors"
        one = Embedded(np.ones((4, width), np.float32), np.ones((4, 2, width), np.float32))
        write_embeddings(path, ((name, one) for name in names), Contents("t", 4, width, (1, 4)))
        tracemalloc.start()
        read = Embeddings([path])
        sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert len(read) == 500
    assert sizes[1] < 1.1 * sizes[0] < 1.1 * 130 * 500


def test_a_copy_for_a_worker_opens_its_own_files(tmp_path):
    shard(tmp_path / "a.safetensors", ["s1"])
    read = Embeddings([tmp_path / "a.safetensors"])
    expected = read.residues("s1")
    np.testing.assert_array_equal(copy.copy(read).residues("s1"), expected)


def test_a_sequence_that_is_not_there(tmp_path):
    shard(tmp_path / "a.safetensors", ["s1"])
    with pytest.raises(KeyError, match="s2"):
        Embeddings([tmp_path / "a.safetensors"]).pooled(["s2"])


def test_a_shard_is_a_safetensors_file(tmp_path):
    written = shard(tmp_path / "a.safetensors", ["s1", "s2"])
    tensors = load_file(tmp_path / "a.safetensors")
    assert tensors["offsets"].tolist() == [0, *np.cumsum([len(values.residues) for values in written.values()])]
    whole = np.concatenate([values.residues for values in written.values()])
    np.testing.assert_array_equal(tensors["residue"], whole.astype(np.float16))
    assert tensors["pooled"].shape == (2, DEPTH, WIDTH)


@pytest.mark.parametrize("other", [{"trunk": "t2"}, {"layers": (3,)}])
def test_shards_of_different_trunks_or_layers_do_not_mix(tmp_path, other):
    shard(tmp_path / "a.safetensors", ["s1"])
    shard(tmp_path / "b.safetensors", ["s2"], **other)
    with pytest.raises(FoldgraftError, match=r"b\.safetensors: made with another trunk, or of other layers"):
        Embeddings([tmp_path / "a.safetensors", tmp_path / "b.safetensors"])


def test_any_flipped_bit_is_seen(tmp_path):
    """Wherever it is, in the header, the offsets, the checksums or a vector, and by whoever reads the vector."""
    path = tmp_path / "a.safetensors"
    written = shard(path, ["s1", "s2"])
    whole = path.read_bytes()
    for place in range(8, len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(FoldgraftError, match=r"a\.safetensors: (cannot be|the embedding of sequence s[12]) "):
            read = Embeddings([path])
            read.pooled(list(written))
            for name in written:
                read.residues(name)
    path.write_bytes(whole)
    assert len(Embeddings([path])) == 2


def test_a_file_cut_short_while_it_is_read(tmp_path):
    path = tmp_path / "a.safetensors"
    shard(path, ["s1"])
    read = Embeddings([path])
    read.pooled(["s1"])
    with path.open("r+b") as handle:
        handle.truncate(20)
    with pytest.raises(FoldgraftError, match=r"a\.safetensors: the embedding of sequence s1 is not what was written"):
        read.pooled(["s1"])


def damage_nothing(path):
    path.unlink()


def damage_bytes(path):
    path.write_bytes(path.read_bytes()[:-10])


def damage_all(path):
    path.write_bytes(b"")


def damage_metadata(path):
    save_file({"pooled": np.zeros((0, 1, 2), np.float16)}, path)


def damage_tensors(path):
    save_file({"pooled": np.zeros((0, 1, 2), np.float16)}, path, metadata={"sequences": "[]", "trunk": "t1"})


def saved(path, names, offsets, sequences=None):
    tensors = {"pooled": np.zeros((1, 1, 2), np.float16), "residue": np.zeros((3, 1, 2), np.float16)}
    tensors |= {"offsets": np.array(offsets, np.int64), "checksums": np.zeros(3, np.uint32)}
    save_file(tensors, path, metadata={"sequences": sequences or json.dumps(names), "trunk": "t1", "layers": "[1]"})


def damage_names(path):
    saved(path, [], [0, 3], "[")


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
    damage_all,
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
