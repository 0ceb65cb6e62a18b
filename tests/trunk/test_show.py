"""`foldgraft trunk show` says what a checkpoint is."""

import json

from safetensors.torch import save_file
from typer.testing import CliRunner

from foldgraft.records.files import file_sha256
from foldgraft.trunk.checkpoint import convert
from foldgraft.trunk.command import app


def shown(*words) -> dict[str, str]:
    result = CliRunner().invoke(app, ["show", *map(str, words)])
    if result.exception:
        raise result.exception
    rows = [line.partition("  ") for line in result.stdout.splitlines()]
    return {key: value.strip() for key, _, value in rows}


def test_of_a_file_of_fair_esm_and_of_the_trunk_that_is_made_of_it(fair_files, fair_model, tmp_path):
    found = shown(fair_files[0])
    assert found["name"] == "esm2_t6_8M_UR50D" and found["layout"] == "fair-esm"
    assert found["file"] == f"{fair_files[1].name}, sha256 {file_sha256(fair_files[1])}"
    assert found["architecture, family"] == "ESM-2" and found["architecture, layers"] == "2"
    assert found["parameters"] == f"{sum(parameter.numel() for parameter in fair_model.parameters()):,}"
    assert found["language head"] == found["contact regression"] == "yes"
    assert float(found["logits, apart from fair-esm 2.0.0"]) < 1e-4
    convert(fair_files[0], tmp_path / "model.safetensors", tmp_path / "trunk.json")
    again = shown(tmp_path)
    assert again["layout"] == "Foldgraft"
    same = ("name", "parameters", "fingerprint, row 1", "fingerprint, row 6")
    assert {key: again[key] for key in same} == {key: found[key] for key in same}
    kept = json.loads((tmp_path / "trunk.json").read_text())["fingerprint"]
    assert found["fingerprint, row 2"].split()[:4] == [f"{value:.4f}" for value in kept[1][:4]]


def test_of_a_classifier_with_an_adapter(transformers, tmp_path):
    config = transformers.EsmConfig(
        vocab_size=33, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
        position_embedding_type="rotary", pad_token_id=1, mask_token_id=32, layer_norm_eps=1e-5, token_dropout=True,
        max_position_embeddings=60,
    )  # fmt: skip
    model = transformers.EsmForSequenceClassification(config)
    model.save_pretrained(tmp_path / "fine")
    bias, weight = (f"base_model.model.esm.encoder.layer.0.output.dense.lora_{part}.weight" for part in "BA")
    (tmp_path / "lora").mkdir()
    tensors = {bias: model.state_dict()["classifier.out_proj.weight"].T.contiguous()}
    tensors[weight] = model.state_dict()["esm.encoder.layer.0.output.dense.weight"][:2].contiguous()
    save_file(tensors, tmp_path / "lora/adapter_model.safetensors")
    (tmp_path / "lora/adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": 2}))
    found = shown(tmp_path / "fine", "--adapter", tmp_path / "lora")
    assert found["adapter"] == "lora, merged into 1 matrices" and found["name"] == "fine+lora"
    assert found["language head"] == found["contact regression"] == "none"
    assert found["left out"].endswith(": only initialised, never trained")
    assert "logits, apart from fair-esm 2.0.0" not in found
