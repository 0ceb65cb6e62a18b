"""Checkpoints that transformers saves become trunks that compute what its own models compute."""

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.records.files import file_sha256, read_json
from foldgraft.trunk import tensor_files
from foldgraft.trunk.checkpoint import Checkpoint, convert, open_checkpoint
from foldgraft.trunk.locate import locate

SEQUENCES = ("MKTAYIAKQRQISFVKSHFSRQ", "MKTAYIAKQ")
SHAPE = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
KINDS = {
    "ESM-2": {"position_embedding_type": "rotary"},
    "ESM-1b": {"position_embedding_type": "absolute", "emb_layer_norm_before": True},
    "ESM-1v": {"position_embedding_type": "absolute", "emb_layer_norm_before": False},
}
HEADS = ("EsmForMaskedLM", "EsmModel", "EsmForSequenceClassification", "EsmForTokenClassification")
CONTACTS = "contact_head.regression."


def model_of(transformers, kind: str = "ESM-2", head: str = "EsmForMaskedLM", **more):
    """A model with random weights everywhere, and rotary frequencies rounded as the published ones are."""
    torch.manual_seed(0)
    special = {"pad_token_id": alphabet.PAD, "mask_token_id": alphabet.MASK, "token_dropout": True}
    fixed = {"vocab_size": 33, "max_position_embeddings": 60, "layer_norm_eps": 1e-5, **special}
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = transformers.EsmConfig(**SHAPE, **fixed, **dropout, **KINDS[kind], **more)
    config._attn_implementation = "eager"  # which gives the maps that contacts need
    model = getattr(transformers, head)(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter += (2.0 if CONTACTS in name else 0.1) * torch.randn_like(parameter)
        for name, buffer in model.named_buffers():
            if name.endswith("inv_freq"):
                buffer.copy_(buffer.half())
    return model


def save(model, folder: Path, form: str = "safetensors") -> Path:
    if form in ("safetensors", "shards"):
        model.save_pretrained(folder, max_shard_size="20KB" if form == "shards" else "5GB")
        return folder
    model.config.save_pretrained(folder)
    state = model.state_dict()
    if form == "older bin":  # as transformers wrote it before version 5
        prefix = "esm." if any(name.startswith("esm.") for name in state) else ""
        rotary = state.pop(f"{prefix}rotary_embeddings.inv_freq")
        state |= {f"{prefix}encoder.layer.{n}.attention.self.rotary_embeddings.inv_freq": rotary for n in range(2)}
        state[f"{prefix}embeddings.position_ids"] = torch.arange(60)[None]
        state[f"{prefix}embeddings.position_embeddings.weight"] = torch.randn(60, 24)
        state[f"{prefix}pooler.dense.weight"] = torch.randn(24, 24)
    torch.save(state, folder / "pytorch_model.bin")
    return folder


@torch.no_grad()
def compare(found: Checkpoint, model, tolerance: float = 1e-4) -> None:
    """Representations, contacts and, where there are any, scores of a padded batch with a mask."""
    base = getattr(model, "esm", model)
    rows = alphabet.batch([alphabet.encode(sequence) for sequence in SEQUENCES])
    tokens = torch.from_numpy(rows)
    real = tokens != alphabet.PAD
    contacts = base.predict_contacts(tokens, real.long())
    trunk = Trunk(found.network, "", "", torch.device("cpu"))
    if found.network.contact_head is not None:
        for sequence, theirs in zip(SEQUENCES, contacts.numpy(), strict=True):
            ours = trunk.contacts(sequence)
            np.testing.assert_allclose(ours, theirs[np.triu_indices(len(sequence), k=1)], atol=tolerance)
    tokens[0, 4] = alphabet.MASK
    for batch, mask in ((tokens, real), (tokens[:1], real[:1])):
        expected = base(input_ids=batch, attention_mask=mask.long()).last_hidden_state
        representations = trunk.network(batch)
        assert torch.allclose(representations[mask], expected[mask], atol=tolerance)
        if hasattr(model, "lm_head"):
            logits = model(input_ids=batch, attention_mask=mask.long()).logits
            assert torch.allclose(trunk.network.logits(representations)[mask], logits[mask], atol=tolerance)


@pytest.mark.parametrize("form", ["safetensors", "shards", "bin", "older bin"])
@pytest.mark.parametrize("head", HEADS)
def test_every_class_in_every_form(transformers, tmp_path, head, form):
    model = model_of(transformers, head=head)
    found = open_checkpoint(save(model, tmp_path, form))
    compare(found, model)
    assert (found.network.lm_head is not None) == (head == "EsmForMaskedLM")
    assert found.network.contact_head is not None
    assert torch.equal(found.network.inv_freq, getattr(model, "esm", model).rotary_embeddings.inv_freq)
    left_out = {name.split(".")[0] for name in found.about.get("left_out", {})}
    heads = {"EsmForMaskedLM": set(), "EsmModel": {"pooler"}}.get(head, {"classifier"})
    assert left_out == heads | ({"embeddings", "pooler"} if form == "older bin" else set())


@pytest.mark.parametrize("kind", ["ESM-1b", "ESM-1v"])
@pytest.mark.parametrize("head", ["EsmForMaskedLM", "EsmForSequenceClassification"])
def test_learned_positions(transformers, tmp_path, kind, head):
    model = model_of(transformers, kind, head)
    found = open_checkpoint(save(model, tmp_path))
    compare(found, model)
    shape = found.network.architecture
    assert (shape.family, shape.max_tokens, shape.norm_before) == ("ESM-1b", 58, kind == "ESM-1b")


def test_an_epsilon_that_is_not_said_is_that_of_transformers(transformers, tmp_path):
    model = model_of(transformers)
    model.config.layer_norm_eps = 1e-12
    save(model, tmp_path)
    config = read_json(tmp_path / "config.json")
    config.pop("layer_norm_eps", None)
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert transformers.EsmConfig.from_pretrained(tmp_path).layer_norm_eps == 1e-12
    with pytest.raises(FoldgraftError, match="layer_norm_eps 1e-12; only 1e-05 is known"):
        open_checkpoint(tmp_path)


def test_token_dropout_can_be_off(transformers, tmp_path):
    model = model_of(transformers)
    model.config.token_dropout = model.esm.embeddings.token_dropout = False
    compare(open_checkpoint(save(model, tmp_path)), model)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(transformers, tmp_path, dtype):
    model = model_of(transformers).to(dtype)
    save(model, tmp_path)
    compare(open_checkpoint(tmp_path), model.float(), 1e-4)


def test_one_file_stands_for_its_folder(transformers, tmp_path):
    save(model_of(transformers), tmp_path, "shards")
    everything = set(tmp_path.iterdir())
    shard = next(path for path in sorted(everything) if path.name.startswith("model-00002"))
    for path in (tmp_path, shard, tmp_path / "config.json", tmp_path / "model.safetensors.index.json"):
        assert set(locate(path).files) == {path for path in everything if path.name != "generation_config.json"}
    save(model_of(transformers), tmp_path / "other", "bin")
    (tmp_path / "other/model.safetensors").write_bytes(b"another file")
    assert locate(tmp_path / "other/pytorch_model.bin").weights == (tmp_path / "other/pytorch_model.bin",)


def test_names_of_folders_and_of_the_cache_of_the_hub(transformers, tmp_path):
    cached = tmp_path / "models--facebook--esm2_t6_8M_UR50D" / "snapshots" / "c731040f"
    save(model_of(transformers), cached)
    assert open_checkpoint(cached).name == "esm2_t6_8M_UR50D"
    save(model_of(transformers), tmp_path / "mine")
    assert open_checkpoint(tmp_path / "mine").name == "mine"


def test_the_description_says_what_there_is_and_what_not(transformers, tmp_path):
    save(model_of(transformers, head="EsmForSequenceClassification"), tmp_path / "fine")
    weights, description = tmp_path / "model.safetensors", tmp_path / "trunk.json"
    convert(tmp_path / "fine", weights, description)
    about = read_json(description)
    assert not about["language_head"] and about["contact_regression"]
    assert about["left_out"]["classifier.dense.weight"] == "a head for something else"
    files = {path.name: file_sha256(path) for path in (tmp_path / "fine").iterdir()}
    assert about["source"] == {"kind": "checkpoint", "layout": "Hugging Face ESM", "files": files}
    assert about["proof"]["logits"] is None and max(about["proof"][k] for k in ("representations", "contacts")) < 1e-4
    trunk = Trunk.load(weights, description)
    with pytest.raises(FoldgraftError, match="no language head"):
        trunk.network.logits(torch.zeros(1, 24))
    np.testing.assert_allclose(np.array(about["fingerprint"]), trunk.fingerprint, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("initial", ["transformers", "PyTorch"])
def test_a_regression_that_is_only_initialised_is_none(transformers, tmp_path, initial):
    model = model_of(transformers)
    head = model.esm.contact_head.regression
    if initial == "PyTorch":
        head.reset_parameters()
    else:
        torch.nn.init.normal_(head.weight, std=0.02)
        torch.nn.init.zeros_(head.bias)
    found = open_checkpoint(save(model, tmp_path))
    assert found.network.contact_head is None
    assert found.about["left_out"]["contact_head.regression.weight"] == "only initialised, never trained"


def edit_config(folder: Path, **changes) -> None:
    config = read_json(folder / "config.json") | changes
    (folder / "config.json").write_text(json.dumps(config))


def edit_tensors(folder: Path, change) -> None:
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")


@pytest.fixture
def saved(transformers, tmp_path) -> Path:
    return save(model_of(transformers), tmp_path / "esm")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "bert"}, r"config\.json: model_type is 'bert'; a trunk is an ESM-2, ESM-1b or ESM-1v"),
        ({"model_type": "t5"}, r"model_type is 't5'"),
        ({"is_folding_model": True}, "is of ESMFold; its language model alone is esm2_t36_3B_UR50D"),
        ({"quantization_config": {"load_in_8bit": True}}, "the checkpoint is quantised"),
        ({"vocab_size": 64}, "vocab_size 64; only 33 is known"),
        ({"layer_norm_eps": 1e-12}, "layer_norm_eps 1e-12; only 1e-05 is known"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type 'relative_key'"),
        ({"intermediate_size": 50}, "intermediate_size 50; an ESM has 96"),
        ({"hidden_size": None}, "does not describe an ESM"),
        ({"num_hidden_layers": "two"}, "the sizes of a trunk are whole numbers"),
        ({"num_hidden_layers": 3}, r"it lacks the tensor encoder\.layer\.2\."),
        ({"num_hidden_layers": 1}, r"there is no place for its tensor encoder\.layer\.1\."),
        ({"hidden_size": 48, "intermediate_size": 192}, r"has the shape \(3,\), not \(6,\)"),
        ({"position_embedding_type": "absolute"}, r"it lacks the tensor embeddings\.position_embeddings\.weight"),
    ],
)
def test_configurations_of_something_else(saved, changes, reason):
    edit_config(saved, **changes)
    with pytest.raises(FoldgraftError, match=reason) as caught:
        open_checkpoint(saved)
    assert "\n" not in str(caught.value)


def rename(state, old: str, new: str) -> None:
    state[new] = state.pop(old)


BIAS = "esm.encoder.layer.0.intermediate.dense.bias"
ROTARY = "esm.encoder.layer.*.attention.self.rotary_embeddings.inv_freq"  # with the star, as transformers 5 saves it


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s.pop(BIAS), r"it lacks the tensor encoder\.layer\.0\.intermediate\.dense\.bias"),
        (lambda s: s.update(extra=torch.ones(3)), "there is no place for its tensor extra"),
        (lambda s: rename(s, BIAS, "bert.x.bias"), r"there is no place for its tensor bert\.x\.bias"),
        (lambda s: s.pop(ROTARY), r"it lacks the tensor rotary_embeddings\.inv_freq"),
        (lambda s: s.pop("lm_head.bias"), r"it lacks the tensor lm_head\.bias"),
        (lambda s: s[BIAS].fill_(float("nan")), r"layers\.0\.fc1\.bias holds infinite values or NaN"),
        (lambda s: s.update({BIAS: s[BIAS][:5].clone()}), r"layers\.0\.fc1\.bias has the shape \(5,\), not \(96,\)"),
        (lambda s: s.update({BIAS: s[BIAS].to(torch.float8_e4m3fn)}), "is quantised"),
        (lambda s: s.update({"esm.x.weight": torch.ones(3, 3, dtype=torch.int8)}), r"is quantised \(esm\.x\.weight"),
        (lambda s: s.update({"esm.x.SCB": torch.ones(3)}), "is quantised"),
        (lambda s: s.update({"lm_head.decoder.weight": torch.ones(33, 24)}), r"lm_head\.decoder\.weight is not"),
        (lambda s: s.update({BIAS.removeprefix("esm."): s[BIAS].clone()}), "twice"),
    ],
)
def test_tensors_that_do_not_fit(saved, change, reason):
    edit_tensors(saved, change)
    with pytest.raises(FoldgraftError, match=reason) as caught:
        open_checkpoint(saved)
    assert "\n" not in str(caught.value) and "esm" in str(caught.value)


def test_layers_that_differ_in_their_frequencies(transformers, tmp_path):
    save(model_of(transformers), tmp_path, "older bin")
    state = torch.load(tmp_path / "pytorch_model.bin", weights_only=True)
    name = "esm.encoder.layer.1.attention.self.rotary_embeddings.inv_freq"
    state[name] = state[name] * 2
    torch.save(state, tmp_path / "pytorch_model.bin")
    with pytest.raises(FoldgraftError, match="differ in their rotary frequencies"):
        open_checkpoint(tmp_path)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 31373984\n"


def test_a_pointer_of_git_lfs(saved):
    (saved / "model.safetensors").write_bytes(POINTER)
    with pytest.raises(FoldgraftError, match=r"model\.safetensors: is a Git LFS pointer.*run `git lfs pull`"):
        locate(saved)


@pytest.mark.parametrize("part", [0, 5, 100, 2000])
def test_half_a_file(saved, part):
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:part])
    reason = "is cut short or damaged" if part else "is empty"
    with pytest.raises(FoldgraftError, match=rf"model\.safetensors: {reason}.*fetch it anew$"):
        open_checkpoint(saved)


def test_a_header_larger_than_its_file(saved):
    (saved / "model.safetensors").write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
    with pytest.raises(FoldgraftError, match="is cut short or damaged"):
        open_checkpoint(saved)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (5000, r"is cut short: it begins as a file of PyTorch does, and its end is missing; fetch it anew"),
        (0, r"is empty; fetch it anew"),
        (b"hello\n", r"is no file of tensors that PyTorch saved, or is damaged; fetch it anew, or take another"),
    ],
)
def test_half_a_bin_or_none(transformers, tmp_path, content, reason):
    path = save(model_of(transformers), tmp_path, "bin") / "pytorch_model.bin"
    path.write_bytes(path.read_bytes()[:content] if isinstance(content, int) else content)
    with pytest.raises(FoldgraftError, match=rf"pytorch_model\.bin: {reason}$"):
        open_checkpoint(tmp_path)


class Harmful:
    """Unpickles by calling a function."""

    def __init__(self, called, argument):
        self.called, self.argument = called, argument

    def __reduce__(self):
        return (self.called, (self.argument,))


@pytest.mark.parametrize(("called", "name"), [(print, "print"), (os.system, r"posix\.system")])
def test_code_is_named_and_not_run(transformers, tmp_path, capsys, called, name):
    path = save(model_of(transformers), tmp_path, "bin") / "pytorch_model.bin"
    torch.save({"esm.x": Harmful(called, "echo executed")}, path)
    with pytest.raises(FoldgraftError, match=rf"would call {name} when it is read.*as safetensors") as caught:
        open_checkpoint(tmp_path)
    assert "executed" not in capsys.readouterr().out and "weights_only" not in str(caught.value)


def test_a_file_larger_than_the_memory(transformers, tmp_path, monkeypatch):
    save(model_of(transformers), tmp_path / "esm", "bin")
    (tmp_path / "meminfo").write_text("MemTotal: 30 kB\nMemAvailable:      20 kB\n")
    monkeypatch.setattr(tensor_files, "MEMORY", tmp_path / "meminfo")
    with pytest.raises(FoldgraftError, match=r"pytorch_model\.bin: its .* GiB do not fit .* take a machine with more"):
        open_checkpoint(tmp_path / "esm")


def test_shards(transformers, tmp_path):
    save(model_of(transformers), tmp_path, "shards")
    shard = sorted(tmp_path.glob("model-*.safetensors"))[1]
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 2])
    with pytest.raises(FoldgraftError, match=rf"{shard.name}: is cut short or damaged"):
        open_checkpoint(tmp_path)
    shard.unlink()
    with pytest.raises(FoldgraftError, match=rf"{shard.name}: this part of the checkpoint is missing"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("names", [{"a": "../x.safetensors"}, {"a": "/etc/passwd"}, {"a": 3}, {}, [], None])
def test_an_index_names_files_of_its_folder_alone(transformers, tmp_path, names):
    save(model_of(transformers), tmp_path, "shards")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    with pytest.raises(FoldgraftError, match=r"index\.json: is no index of shards"):
        locate(tmp_path)


def test_a_vocabulary_of_other_letters(saved):
    (saved / "vocab.txt").write_text("\n".join(alphabet.TOKENS))
    assert open_checkpoint(saved).network.lm_head is not None
    (saved / "vocab.txt").write_text("\n".join(reversed(alphabet.TOKENS)))
    with pytest.raises(FoldgraftError, match=r"vocab\.txt: its tokens are not those of an ESM"):
        open_checkpoint(saved)


def test_folders_that_are_none(saved):
    (saved / "model.safetensors").unlink()
    with pytest.raises(FoldgraftError, match=r"has a config\.json but no weights"):
        locate(saved)
    (saved / "model.safetensors").write_bytes(b"x")
    (saved / "config.json").write_text('{\n"model_type": "esm",')
    with pytest.raises(FoldgraftError, match=r"config\.json: is no JSON from line 2, column 21 on; if it was"):
        locate(saved)
    (saved / "config.json").write_text("[]")
    with pytest.raises(FoldgraftError, match=r"config\.json: is no configuration of a model"):
        locate(saved)
    (saved / "config.json").rename(saved / "adapter_config.json")
    with pytest.raises(FoldgraftError, match="is an adapter; name its base as the checkpoint"):
        locate(saved)
    (saved / "adapter_config.json").unlink()
    with pytest.raises(FoldgraftError, match=r"has model\.safetensors but no config\.json; fetch that, too"):
        locate(saved)
    (saved / "model.safetensors").unlink()
    with pytest.raises(FoldgraftError, match=r"has neither config\.json .* so it is no checkpoint"):
        locate(saved)
    (saved / "notes.txt").write_text("x")
    with pytest.raises(FoldgraftError, match=r"notes\.txt: is no file of tensors"):
        locate(saved / "notes.txt")


def test_tensors_without_their_configuration(saved):
    (saved / "config.json").unlink()
    with pytest.raises(FoldgraftError, match=r"has no config\.json beside it; fetch it"):
        open_checkpoint(saved / "model.safetensors")
