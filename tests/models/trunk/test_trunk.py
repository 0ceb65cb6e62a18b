"""The frozen trunk: order, padding, windows, attention features, and what it refuses."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from foldgraft.errors import FoldgraftError
from foldgraft.models.attention import pair_features
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import build_network
from foldgraft.models.trunk.windows import Window, batches, blocks, pair_numbers, windows
from foldgraft.records.files import read_json, write_json
from foldgraft.records.pairs import pack, triangle

ARCHITECTURE = Architecture(layers=2, width=24, heads=3)
SEQUENCES = st.text(alphabet=alphabet.LETTERS, min_size=1, max_size=60)


def small_trunk(**options) -> Trunk:
    torch.manual_seed(0)
    return Trunk(build_network(ARCHITECTURE), "small", "", torch.device("cpu"), **options)


@pytest.fixture(scope="module")
def trunk():
    return small_trunk()


@pytest.fixture
def files(tmp_path):
    weights, description = tmp_path / "model.safetensors", tmp_path / "trunk.json"
    torch.manual_seed(0)
    save_file(build_network(ARCHITECTURE).state_dict(), weights)
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    write_json(description, {"name": "small", "sha256": sha256, "architecture": ARCHITECTURE.as_dict()})
    return weights, description


@settings(max_examples=30)
@given(st.lists(SEQUENCES, max_size=12))
def test_embeddings_come_in_order_and_padding_changes_nothing(trunk, sequences):
    together = list(trunk.embed(sequences))
    assert [len(values) for values in together] == [len(sequence) for sequence in sequences]
    for sequence, values in zip(sequences, together, strict=True):
        (alone,) = trunk.embed([sequence])
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, alone, atol=1e-5 * np.abs(alone).max())


def test_tokens_around_the_sequence_are_left_out(trunk):
    tokens = torch.tensor([[alphabet.CLS, *alphabet.encode("MKTAYI").tolist(), alphabet.EOS]])
    (found,) = trunk.embed(["MKTAYI"])
    np.testing.assert_allclose(found, trunk.network(tokens)[0, 1:-1].numpy(), atol=1e-6)


def test_many_sequences_go_through_small_batches_in_order():
    generator = np.random.default_rng(0)
    sequences = ["".join(generator.choice(list("ACDEFGHIK"), size)) for size in generator.integers(1, 50, 200)]
    few, many = small_trunk(batch_tokens=40), small_trunk(batch_tokens=100_000)
    for a, b in zip(few.embed(sequences), many.embed(sequences), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_long_sequences_are_averaged_over_windows(capsys):
    sequence = "".join(np.random.default_rng(0).choice(list("ACDEFGHIK"), 25))
    spans = windows(25, 10)
    assert spans == [(0, 10), (5, 15), (10, 20), (15, 25)]
    trunk = small_trunk(max_window=10)
    total, count = np.zeros((25, 24)), np.zeros((25, 1))
    for start, stop in spans:
        (piece,) = small_trunk().embed([sequence[start:stop]])
        total[start:stop] += piece
        count[start:stop] += 1
    (found,) = trunk.embed([sequence])
    np.testing.assert_allclose(found, total / count, atol=1e-5)
    assert "1 sequences > 10 residues read in 4 windows" in capsys.readouterr().err


@given(st.integers(1, 3000), st.integers(2, 1022))
def test_windows_cover_all_and_overlap_by_half(length, longest):
    spans = windows(length, longest)
    assert spans[0][0] == 0 and spans[-1][1] == length
    assert all(stop - start == min(length, longest) for start, stop in spans)
    assert all(before[1] - after[0] >= longest - longest // 2 - 1 for before, after in pairwise(spans))


@given(st.lists(st.integers(1, 300), min_size=1, max_size=40), st.integers(10, 1000))
def test_batches_keep_their_budget_and_lose_nothing(lengths, tokens):
    pieces = [Window(number, 0, length) for number, length in enumerate(lengths)]
    found = list(batches(pieces, tokens))
    assert sorted(piece for batch in found for piece in batch) == pieces
    assert all(len(batch) == 1 or len(batch) * (max(p.length for p in batch) + 2) <= tokens for batch in found)


@given(st.lists(SEQUENCES, max_size=20), st.integers(1, 100))
def test_blocks_are_bounded_and_in_order(sequences, residues):
    found = list(blocks(sequences, residues))
    assert [sequence for block in found for sequence in block] == sequences
    assert all(sum(map(len, block[:-1])) < residues for block in found)


def maps_by_hand(trunk: Trunk, sequence: str) -> list[np.ndarray]:
    """Symmetrised and corrected maps (heads, L, L) of each layer, step by step."""
    tokens = torch.tensor([[alphabet.CLS, *alphabet.encode(sequence).tolist(), alphabet.EOS]])
    state, found = trunk.network.embed(tokens), []
    for layer in trunk.network.layers:
        state, maps = layer.with_maps(state, trunk.network.rotary(tokens.shape[1]))
        a = maps[0, :, 1:-1, 1:-1].double().numpy()
        s = a + a.swapaxes(1, 2)
        found.append(s - s.sum(1, keepdims=True) * s.sum(2, keepdims=True) / s.sum((1, 2), keepdims=True))
    return found


@pytest.mark.parametrize("sequence", ["M", "MK", "MKTAYIAKQRQISFVK"])
def test_attention_is_symmetrised_corrected_and_packed(trunk, sequence):
    expected = [pack(maps) for maps in maps_by_hand(trunk, sequence)]
    found = list(trunk.attention(sequence))
    assert len(found) == 2 and all(values.dtype == np.float32 for values in found)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_head_that_looks_only_at_the_tokens_around_the_sequence_has_no_features():
    maps = torch.rand(2, 5, 5, generator=torch.Generator().manual_seed(0))
    maps[1] = 0
    found = pair_features(maps, *(torch.from_numpy(numbers) for numbers in triangle(5)))
    assert (found[1] == 0).all() and found[0].abs().min() > 0


@pytest.mark.parametrize("max_window", [1022, 10])
def test_attention_of_chosen_pairs(max_window):
    sequence = "".join(np.random.default_rng(1).choice(list("ACDEFGHIK"), 27))
    trunk, chosen = small_trunk(max_window=max_window), np.array([5, 350, 0, 77, 200])
    for some, every in zip(trunk.attention(sequence, chosen), trunk.attention(sequence), strict=True):
        np.testing.assert_allclose(some, every[:, chosen], atol=1e-7)


def test_attention_of_long_sequences_is_averaged_where_windows_hold_the_pair():
    length, longest = 27, 10
    sequence = "".join(np.random.default_rng(1).choice(list("ACDEFGHIK"), length))
    total, count = np.zeros((2, 3, length, length)), np.zeros((length, length))
    for start, stop in windows(length, longest):
        total[:, :, start:stop, start:stop] += maps_by_hand(small_trunk(), sequence[start:stop])
        count[start:stop, start:stop] += 1
    expected = pack(total / np.maximum(count, 1))
    found = np.array(list(small_trunk(max_window=longest).attention(sequence)))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (found[:, :, pack(count) == 0] == 0).all() and (pack(count) == 0).any()


@given(st.integers(2, 60), st.data())
def test_pair_numbers_of_a_window(length, data):
    start = data.draw(st.integers(0, length - 2))
    stop = data.draw(st.integers(start + 2, length))
    numbers = pair_numbers(length, start, stop)
    i, j = triangle(length)
    assert list(zip(i[numbers] - start, j[numbers] - start, strict=True)) == list(
        zip(*triangle(stop - start), strict=True)
    )


def test_attention_leaves_gradients_as_they_were(trunk):
    layers = trunk.attention("MKTAYIAK")
    next(layers)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("sequence", "named"), [("MKJT", "'J'"), ("mkt", "'k'"), ("MK*", "'*'"), ("MKé€", "'é', '€'"), ("", "empty")]
)
def test_illegal_letters_are_named(trunk, sequence, named):
    with pytest.raises(FoldgraftError, match=".*" + named.replace("*", r"\*")):
        list(trunk.embed([sequence]))


def test_unknown_letters_have_tokens_of_their_own(trunk):
    found = list(trunk.embed(["MKUT", "MKZT", "MKOT", "MKBT", "MKXT", "MK.T", "MK-T"]))
    assert len({values.tobytes() for values in found}) == 7


def test_load_is_frozen_and_its_hash_moves_with_any_tensor(files):
    trunk = Trunk.load(*files, device=torch.device("cpu"))
    assert (trunk.name, trunk.layers, trunk.width, trunk.heads) == ("small", 2, 24, 3)
    assert trunk.sha256 == read_json(files[1])["sha256"]
    assert not trunk.network.training and not any(p.requires_grad for p in trunk.network.parameters())
    before = trunk.state_sha256()
    list(trunk.embed(["MKT"])), list(trunk.attention("MKT"))
    assert trunk.state_sha256() == before == Trunk.load(*files).state_sha256()
    trunk.network.layers[0].fc1.bias[0] += 1e-6
    assert trunk.state_sha256() != before


def test_half_precision_files_are_read_in_float32(files):
    weights, description = files
    save_file({name: tensor.half() for name, tensor in build_network(ARCHITECTURE).state_dict().items()}, weights)
    about = read_json(description)
    write_json(description, about | {"sha256": hashlib.sha256(weights.read_bytes()).hexdigest()})
    trunk = Trunk.load(weights, description)
    assert all(parameter.dtype == torch.float32 for parameter in trunk.network.parameters())


def test_reduced_precision_is_near_and_leaves_weights_attention_and_contacts_alone():
    full, reduced = small_trunk(), small_trunk(precision=torch.bfloat16)
    sequences = ["MKTAYIAKQRQISFVK", "MKT"]
    for a, b in zip(full.embed(sequences), reduced.embed(sequences), strict=True):
        assert b.dtype == np.float32 and not np.array_equal(a, b)
        np.testing.assert_allclose(b, a, atol=0.05 * np.abs(a).max())
    assert all(np.array_equal(a, b) for a, b in zip(full.attention("MKTAY"), reduced.attention("MKTAY"), strict=True))
    assert reduced.state_sha256() == full.state_sha256()


def test_a_file_without_rotary_frequencies_is_of_an_earlier_version(files):
    weights, description = files
    save_file({k: v for k, v in build_network(ARCHITECTURE).state_dict().items() if k != "inv_freq"}, weights)
    about = read_json(description)
    write_json(description, about | {"sha256": hashlib.sha256(weights.read_bytes()).hexdigest()})
    with pytest.raises(FoldgraftError, match=r"lacks the rotary frequencies .* make it anew"):
        Trunk.load(weights, description)


def test_contacts_need_a_regression(trunk):
    with pytest.raises(FoldgraftError, match="no contact regression"):
        trunk.contacts("MKT")


def test_load_refuses_files_that_do_not_belong_together(files, tmp_path):
    weights, description = files
    about = read_json(description)
    with pytest.raises(FoldgraftError, match="no such file"):
        Trunk.load(tmp_path / "absent", description)
    write_json(description, about | {"sha256": "0" * 64})
    with pytest.raises(FoldgraftError, match="sha256 differs"):
        Trunk.load(weights, description)
    write_json(description, about | {"architecture": ARCHITECTURE.as_dict() | {"layers": 3}})
    with pytest.raises(FoldgraftError, match=r"lacks the tensor layers\.2"):
        Trunk.load(weights, description)
    write_json(description, about | {"architecture": ARCHITECTURE.as_dict() | {"layers": 1}})
    with pytest.raises(FoldgraftError, match=r"no place for its tensor layers\.1"):
        Trunk.load(weights, description)
    write_json(description, about | {"architecture": {"depth": 3}})
    with pytest.raises(FoldgraftError, match="architecture cannot be read"):
        Trunk.load(weights, description)
    write_json(description, [])
    with pytest.raises(FoldgraftError, match="no description"):
        Trunk.load(weights, description)
    weights.write_bytes(b"not safetensors")
    write_json(description, about | {"sha256": hashlib.sha256(b"not safetensors").hexdigest()})
    with pytest.raises(FoldgraftError, match="cannot be read as safetensors"):
        Trunk.load(weights, description)
