"""Checkpoints of fair-esm become trunks that compute the same; whatever else is refused in a sentence."""

import argparse

import esm
import numpy as np
import pytest
import torch

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import build_network
from foldgraft.records.files import file_sha256, read_json, write_json
from foldgraft.trunk.checkpoint import convert, open_checkpoint, write_trunk

SEQUENCE = "MKTAYIAKQRQISFVKSHFSRQ"


@pytest.fixture
def outputs(tmp_path):
    return tmp_path / "trunk" / "model.safetensors", tmp_path / "trunk" / "trunk.json"


def test_converted_trunk_computes_what_fair_esm_computes(fair_files, outputs):
    convert(fair_files[0], *outputs)
    with torch.serialization.safe_globals([argparse.Namespace]):
        model, letters = esm.pretrained.load_model_and_alphabet_local(fair_files[0])
    _, _, tokens = letters.get_batch_converter()([("", SEQUENCE)])
    with torch.no_grad():
        expected = model.eval()(tokens, repr_layers=[2], return_contacts=True)
    trunk = Trunk.load(*outputs)
    (found,) = trunk.embed([SEQUENCE])
    np.testing.assert_allclose(found, expected["representations"][2][0, 1:-1].numpy(), atol=1e-4)
    contacts = expected["contacts"][0].numpy()[np.triu_indices(len(SEQUENCE), k=1)]
    np.testing.assert_allclose(trunk.contacts(SEQUENCE), contacts, atol=1e-4)


def test_description_says_where_it_comes_from(fair_files, outputs, fair_model):
    convert(fair_files[0], *outputs)
    about = read_json(outputs[1])
    assert about["name"] == "esm2_t6_8M_UR50D" and about["contact_regression"]
    assert about["sha256"] == file_sha256(outputs[0])
    assert about["source"] == {
        "kind": "checkpoint",
        "layout": "fair-esm",
        "files": {path.name: file_sha256(path) for path in fair_files},
    }
    assert about["language_head"] and "left_out" not in about
    assert about["architecture"] == {
        "layers": 2,
        "width": 24,
        "heads": 4,
        "family": "ESM-2",
        "token_dropout": True,
        "norm_before": False,
    }
    assert about["parameters"] == sum(parameter.numel() for parameter in fair_model.parameters())


def test_regression_is_optional(fair_files, outputs, tmp_path):
    alone = tmp_path / "mine.pt"
    alone.write_bytes(fair_files[0].read_bytes())
    convert(alone, *outputs)
    assert not read_json(outputs[1])["contact_regression"]
    with pytest.raises(FoldgraftError, match="no contact regression"):
        Trunk.load(*outputs).contacts(SEQUENCE)


@pytest.mark.parametrize("form", ["folder", "file"])
def test_own_trunks_are_taken_as_they_are(fair_files, outputs, tmp_path, form):
    convert(fair_files[0], *outputs)
    again = tmp_path / "again" / "model.safetensors", tmp_path / "again" / "trunk.json"
    convert(outputs[0].parent if form == "folder" else outputs[0], *again)
    assert Trunk.load(*again).state_sha256() == Trunk.load(*outputs).state_sha256()
    assert read_json(again[1])["name"] == "esm2_t6_8M_UR50D"


def test_own_trunks_load_into_fair_esm(outputs):
    network = build_network(Architecture(2, 24, 4))
    write_trunk(*outputs, network, "small", {})
    model = esm.ESM2(2, 24, 4)
    missing, unexpected = model.load_state_dict(network.state_dict(), strict=False)
    assert unexpected == ["inv_freq"]
    assert all(name.endswith(("inv_freq", "lm_head.weight")) or "contact_head" in name for name in missing)


def test_writing_is_reproducible(outputs, fair_files):
    convert(fair_files[0], *outputs)
    first = outputs[0].read_bytes()
    convert(fair_files[0], *outputs)
    assert outputs[0].read_bytes() == first


def save(path, content):
    torch.save(content, path)
    return path


def test_missing_file(tmp_path, outputs):
    with pytest.raises(FoldgraftError, match=r"absent\.pt does not exist"):
        convert(tmp_path / "absent.pt", *outputs)


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04 half of a file"])
def test_not_a_checkpoint(tmp_path, content):
    path = tmp_path / "x.pt"
    path.write_bytes(content)
    with pytest.raises(FoldgraftError, match=r"x\.pt: is (empty|no file of tensors|cut short).*fetch it anew"):
        open_checkpoint(path)


class Harmful:
    """Unpickles by calling a function."""

    def __reduce__(self):
        return (print, ("executed",))


def test_code_in_a_checkpoint_is_not_run(tmp_path, capsys):
    path = save(tmp_path / "x.pt", {"cfg": Harmful(), "model": {}})
    with pytest.raises(FoldgraftError, match=r"x\.pt: would call print when it is read"):
        open_checkpoint(path)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({}, "holds no tensors by name"),
        ([], "holds no tensors by name"),
        ({"epoch": 3}, "holds other than tensors by name"),
        ({"weight": torch.ones(3)}, "no ESM-2, ESM-1b or ESM-1v checkpoint, nor one of ESM C"),
        ({"cfg": {"model": argparse.Namespace()}, "model": {}}, "no ESM-2, ESM-1b or ESM-1v checkpoint of fair-esm"),
        ({"cfg": 1, "model": 2}, "no ESM-2, ESM-1b or ESM-1v checkpoint of fair-esm"),
    ],
)
def test_other_content(tmp_path, content, reason):
    with pytest.raises(FoldgraftError, match=rf"x\.pt: {reason}|x\.pt: is {reason}"):
        open_checkpoint(save(tmp_path / "x.pt", content))


def esm1b_files(folder, name: str, norm_before: bool, tied: bool):
    """A checkpoint in the format of ESM-1b and ESM-1v, its regression, and fair-esm's network of it."""
    torch.manual_seed(1)
    shape = {"layers": 2, "embed_dim": 24, "ffn_embed_dim": 96, "attention_heads": 4}
    more = {"arch": "roberta_large", "max_positions": 40, "token_dropout": True}
    letters = esm.Alphabet.from_architecture("roberta_large")
    model = esm.ProteinBertModel(argparse.Namespace(**shape, **more, emb_layer_norm_before=norm_before), letters)
    tensors, regression = {}, {}
    for key, tensor in model.state_dict().items():
        prefix = "encoder." if key.startswith("lm_head") else "encoder.sentence_encoder."
        (regression if key.startswith("contact_head") else tensors)[
            key if key.startswith("contact_head") else prefix + key
        ] = tensor
    if not tied:
        tensors["encoder.lm_head.weight"] = tensors["encoder.lm_head.weight"].clone()
    args = argparse.Namespace(**{f"encoder_{key}": value for key, value in shape.items()}, **more)
    beside = folder / f"{name}-contact-regression.pt"
    if not name.startswith("esm1v"):
        save(beside, {"model": regression})
    return save(folder / f"{name}.pt", {"args": args, "model": tensors})


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(("name", "norm_before"), [("esm1b_t33_650M_UR50S", True), ("esm1v_t33_650M_UR90S_1", False)])
@pytest.mark.filterwarnings("ignore:Regression weights not found")
@torch.no_grad()
def test_esm_1b_and_esm_1v_compute_what_fair_esm_computes(tmp_path, outputs, name, norm_before, tied):
    checkpoint = esm1b_files(tmp_path, name, norm_before, tied)
    convert(checkpoint, *outputs)
    with torch.serialization.safe_globals([argparse.Namespace]):
        model, letters = esm.pretrained.load_model_and_alphabet_local(checkpoint)
    _, _, tokens = letters.get_batch_converter()([("", SEQUENCE), ("", SEQUENCE[:9])])
    tokens[0, 5] = letters.mask_idx
    expected = model.eval()(tokens, repr_layers=[2])
    about, trunk = read_json(outputs[1]), Trunk.load(*outputs)
    found = trunk.network(tokens)
    real = tokens != letters.padding_idx
    assert torch.allclose(found[real], expected["representations"][2][real], atol=1e-4)
    assert torch.allclose(trunk.network.logits(found)[real], expected["logits"][real], atol=1e-4)
    assert about["architecture"]["family"] == "ESM-1b" and about["architecture"]["norm_before"] == norm_before
    assert trunk.max_window == 38 and about["name"] == name
    assert about["contact_regression"] == (not name.startswith("esm1v"))
    if about["contact_regression"]:
        alone = letters.get_batch_converter()([("", SEQUENCE)])[2]
        contacts = model.predict_contacts(alone)[0].numpy()[np.triu_indices(len(SEQUENCE), k=1)]
        np.testing.assert_allclose(trunk.contacts(SEQUENCE), contacts, atol=1e-4)


def test_esm_1_is_refused(tmp_path):
    path = save(tmp_path / "x.pt", {"args": argparse.Namespace(arch="protein_bert_base"), "model": {}})
    with pytest.raises(FoldgraftError, match="no ESM-2, ESM-1b or ESM-1v"):
        open_checkpoint(path)


def content_of(path):
    with torch.serialization.safe_globals([argparse.Namespace]):
        return torch.load(path, weights_only=True)


@pytest.mark.parametrize(
    "shape", [{"encoder_attention_heads": 0}, {"encoder_layers": float("inf")}, {"encoder_layers": 10**9}]
)
def test_impossible_sizes(tmp_path, fair_files, shape):
    content = content_of(fair_files[0])
    vars(content["cfg"]["model"]).update(shape)
    with pytest.raises(FoldgraftError, match=r"x\.pt: the sizes of a trunk are whole numbers"):
        open_checkpoint(save(tmp_path / "x.pt", content))


BIAS, EMBEDDINGS = (f"encoder.sentence_encoder.{name}" for name in ("layers.0.fc1.bias", "embed_tokens.weight"))


@pytest.mark.parametrize(
    ("name", "tensor", "reason"),
    [
        (BIAS, torch.full((96,), float("nan")), r"layers\.0\.fc1\.bias holds infinite values or NaN"),
        (BIAS, torch.ones(96, dtype=torch.complex64), "no dense tensor of real numbers"),
        (BIAS, torch.ones(96).to_sparse(), "no dense tensor of real numbers"),
        (BIAS, torch.ones(96, device="meta"), "no dense tensor of real numbers"),
        (BIAS, torch.ones(96, dtype=torch.int8), r"layers\.0\.fc1\.bias"),
        (BIAS, torch.ones(1, dtype=torch.float16).expand(10**15), r"layers\.0\.fc1\.bias has the shape"),
        (EMBEDDINGS, torch.ones(33, 24).to_sparse(), "no ESM-2"),
    ],
    ids=["nan", "complex", "sparse", "meta", "integers", "huge", "sparse embeddings"],
)
def test_odd_tensors(tmp_path, fair_files, outputs, name, tensor, reason):
    content = content_of(fair_files[0])
    content["model"][name] = tensor
    with pytest.raises(FoldgraftError, match=reason):
        convert(save(tmp_path / "x.pt", content), *outputs)
    assert not any(path.exists() for path in outputs)


def test_rotary_frequencies_are_taken_from_the_file(tmp_path, fair_files):
    content = content_of(fair_files[0])
    names = [name for name in content["model"] if name.endswith("inv_freq")]
    for name in names:
        content["model"][name] = content["model"][name].half()
    network = open_checkpoint(save(tmp_path / "x.pt", content)).network
    assert torch.equal(network.inv_freq, content["model"][names[0]].float())
    content["model"][names[1]] = content["model"][names[1]] * 2
    with pytest.raises(FoldgraftError, match="layers differ in their rotary frequencies"):
        open_checkpoint(save(tmp_path / "x.pt", content))
    content["model"] = {name: tensor for name, tensor in content["model"].items() if name not in names}
    with pytest.raises(FoldgraftError, match="lacks the tensor inv_freq"):
        open_checkpoint(save(tmp_path / "x.pt", content))


def test_too_few_embeddings(tmp_path):
    content = content_of(esm1b_files(tmp_path, "esm1b_t33_650M_UR50S", True, tied=True))
    content["model"] = {EMBEDDINGS: torch.ones(10, 24)}
    with pytest.raises(FoldgraftError, match="no ESM-2"):
        open_checkpoint(save(tmp_path / "x.pt", content))


def test_half_precision_becomes_float32(tmp_path, fair_files):
    content = content_of(fair_files[0])
    content["model"] = {name: tensor.half() for name, tensor in content["model"].items()}
    network = open_checkpoint(save(tmp_path / "x.pt", content)).network
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_own_trunk_with_the_description_of_another(fair_files, outputs):
    convert(fair_files[0], *outputs)
    about = read_json(outputs[1])
    write_json(outputs[1], about | {"sha256": "0" * 64})
    with pytest.raises(FoldgraftError, match="sha256 differs"):
        convert(outputs[0], outputs[0].with_name("again.safetensors"), outputs[1].with_name("again.json"))


def test_a_language_head_of_its_own_is_refused(tmp_path):
    path = esm1b_files(tmp_path, "esm1b_t33_650M_UR50S", True, tied=False)
    content = content_of(path)
    content["model"]["encoder.lm_head.weight"][5, 5] += 1
    with pytest.raises(FoldgraftError, match="does not share the embeddings"):
        open_checkpoint(save(path, content))


def test_tensors_of_another_architecture(tmp_path, fair_files):
    content = content_of(fair_files[0])
    content["cfg"]["model"].encoder_layers = 3
    with pytest.raises(FoldgraftError, match=r"layers\.2"):
        open_checkpoint(save(tmp_path / "x.pt", content))


def test_foreign_regression(tmp_path, fair_files):
    checkpoint = save(tmp_path / "x.pt", content_of(fair_files[0]))
    save(tmp_path / "x-contact-regression.pt", {"model": {}})
    with pytest.raises(FoldgraftError, match=r"x-contact-regression\.pt: holds no contact regression of fair-esm"):
        open_checkpoint(checkpoint)
