"""The three layouts of ESM C become one trunk, and that computes what the model of transformers computes."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.records.files import read_json
from foldgraft.trunk.checkpoint import convert, open_checkpoint

LAYERS, WIDTH, HEADS, HIDDEN = 2, 128, 2, 96  # heads of 64, as all published models have


@pytest.fixture(scope="module")
def theirs(transformers):
    torch.manual_seed(0)
    config = transformers.EsmcConfig(
        hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=HIDDEN
    )
    model = transformers.EsmcForMaskedLM(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model


def released(state: dict[str, torch.Tensor], fused: bool) -> dict[str, torch.Tensor]:
    """The tensors as the first release names them, or as the later files of the hub do."""
    state, prefix = dict(state), "esmc." if fused else ""
    norm = ("layernorm_qkv.layer_norm_{}", "ffn.layer_norm_{}") if fused else ("layernorm_qkv.0.{}", "ffn.0.{}")
    packed = ("layernorm_qkv.weight", "ffn.fc1_weight") if fused else ("layernorm_qkv.1.weight", "ffn.1.weight")
    last = "ffn.fc2_weight" if fused else "ffn.3.weight"
    found = {
        f"{prefix}embed.weight": state["esmc.embed_tokens.weight"],
        f"{prefix}transformer.norm.weight": state["esmc.norm.weight"],
    }
    for n in range(LAYERS):
        here, there = f"esmc.layers.{n}.", f"{prefix}transformer.blocks.{n}."
        for kind in ("weight", "bias"):
            found[f"{there}attn.{norm[0].format(kind)}"] = state[f"{here}input_layernorm.{kind}"]
            found[f"{there}{norm[1].format(kind)}"] = state[f"{here}post_attention_layernorm.{kind}"]
        qkv = torch.cat([state[f"{here}self_attn.{part}_proj.weight"] for part in "qkv"])
        found[f"{there}attn.{packed[0]}"] = qkv
        found[f"{there}{packed[1]}"] = torch.cat([state[f"{here}mlp.{part}_proj.weight"] for part in ("gate", "up")])
        found[f"{there}{last}"] = state[f"{here}mlp.down_proj.weight"]
        found[f"{there}attn.q_ln.weight"] = state[f"{here}self_attn.q_norm.weight"]
        found[f"{there}attn.k_ln.weight"] = state[f"{here}self_attn.k_norm.weight"]
        found[f"{there}attn.out_proj.weight"] = state[f"{here}self_attn.o_proj.weight"]
        if fused:
            found[f"{there}attn._extra_state"] = torch.zeros(4, dtype=torch.uint8)
    for number, name in ((0, "dense"), (2, "layer_norm"), (3, "decoder")):
        root = f"lm_head.{name}" if fused else f"sequence_head.{number}"
        found |= {f"{root}.{kind}": state[f"lm_head.{name}.{kind}"] for kind in ("weight", "bias")}
    return found


def save(model, folder: Path, layout: str) -> Path:
    if layout == "transformers":
        model.save_pretrained(folder)
        return folder
    folder.mkdir()
    if layout == "first release":
        torch.save(released(model.state_dict(), fused=False), folder / "esmc.pth")
        return folder / "esmc.pth"
    save_file(released(model.state_dict(), fused=True), folder / "model.safetensors")
    if layout == "fused with a configuration":
        config = {"model_type": "esmc", "hidden_size": WIDTH, "num_attention_heads": HEADS, "num_hidden_layers": LAYERS}
        (folder / "config.json").write_text(json.dumps(config))
        return folder
    return folder / "model.safetensors"


@pytest.mark.parametrize("layout", ["first release", "fused", "fused with a configuration", "transformers"])
@torch.no_grad()
def test_every_layout(theirs, tmp_path, layout):
    weights, description = tmp_path / "model.safetensors", tmp_path / "trunk.json"
    convert(save(theirs, tmp_path / "esmc", layout), weights, description)
    about, trunk = read_json(description), Trunk.load(weights, description, torch.device("cpu"))
    rows = alphabet.batch([alphabet.encode(text) for text in ("MKTAYIAKQRQISFVKSHFSRQ", "MKTAYIAKQ", "X")])
    tokens = torch.from_numpy(rows)
    tokens[0, 4] = alphabet.MASK
    for batch in (tokens, tokens[:1]):
        real = batch != alphabet.PAD
        expected = theirs(input_ids=batch, attention_mask=real.long(), output_hidden_states=True)
        found = trunk.network(batch)
        assert torch.allclose(found[real], expected.hidden_states[-1][real], atol=1e-4)
        assert torch.allclose(trunk.network.logits(found)[real], expected.logits[real], atol=1e-4)
    shape = {"family": "ESM C", "layers": LAYERS, "width": WIDTH, "heads": HEADS, "hidden": HIDDEN}
    assert about["architecture"].items() >= shape.items()
    assert about["language_head"] and not about["contact_regression"] and about["proof"] is None
    assert all(name.endswith("_extra_state") for name in about.get("left_out", {}))
    with pytest.raises(FoldgraftError, match="no contact regression"):
        trunk.contacts("MKT")


@pytest.mark.parametrize("head", ["EsmcModel", "EsmcForSequenceClassification"])
def test_without_a_language_head(transformers, theirs, tmp_path, head):
    torch.manual_seed(0)
    model = getattr(transformers, head)(theirs.config).eval()
    model.save_pretrained(tmp_path)
    found = open_checkpoint(tmp_path)
    assert found.network.lm_head is None
    assert {name.split(".")[0] for name in found.about.get("left_out", {})} <= {"classifier"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s.pop("transformer.norm.weight"), r"it lacks the tensor transformer\.norm\.weight"),
        (lambda s: s.update(extra=torch.ones(3)), "there is no place for its tensor extra"),
        (lambda s: s.pop("embed.weight"), "it lacks the embeddings or the first layer of an ESM C"),
        (lambda s: s.update({"embed.weight": torch.ones(33, WIDTH)}), "embeddings of 33 tokens; an ESM C has 64"),
        (lambda s: s.update({"transformer.blocks.0.ffn.1.weight": torch.ones(5, WIDTH)}), "which is not 2 of one size"),
        (lambda s: s.update({"transformer.norm.weight": torch.full((WIDTH,), float("inf"))}), "infinite values or NaN"),
        (lambda s: s.pop("transformer.blocks.1.attn.q_ln.weight"), r"it lacks the tensor transformer\.blocks\.1\.attn"),
    ],
)
def test_tensors_that_do_not_fit(theirs, tmp_path, change, reason):
    state = released(theirs.state_dict(), fused=False)
    change(state)
    torch.save(state, tmp_path / "esmc.pth")
    with pytest.raises(FoldgraftError, match=reason):
        open_checkpoint(tmp_path / "esmc.pth")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hidden_size": 64}, "hidden_size 64, but its tensors have 128"),
        ({"num_hidden_layers": 3}, "num_hidden_layers 3, but its tensors have 2"),
        ({"rope_parameters": {"rope_theta": 5e5}}, r"rope_theta 500000\.0; only 10000 is known"),
    ],
)
def test_configurations_that_do_not_fit(theirs, tmp_path, changes, reason):
    save(theirs, tmp_path / "esmc", "transformers")
    path = tmp_path / "esmc/config.json"
    path.write_text(json.dumps(read_json(path) | changes))
    with pytest.raises(FoldgraftError, match=reason):
        open_checkpoint(tmp_path / "esmc")


def test_an_adapter_of_packed_and_of_plain_names(theirs, tmp_path):
    base = open_checkpoint(save(theirs, tmp_path / "esmc", "first release")).network.state_dict()
    down, up = torch.randn(2, WIDTH), torch.randn(3 * WIDTH, 2)
    one, two = torch.randn(2, HIDDEN), torch.randn(WIDTH, 2)
    folder = tmp_path / "tuned"
    folder.mkdir()
    names = ("transformer.blocks.0.attn.layernorm_qkv.1", "esmc.layers.1.mlp.down_proj")
    pairs = {f"base_model.model.{names[0]}.lora_{k}.weight": t for k, t in (("A", down), ("B", up))}
    pairs |= {f"base_model.model.{names[1]}.lora_{k}.weight": t for k, t in (("A", one), ("B", two))}
    save_file(pairs, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": 4}))
    found = open_checkpoint(tmp_path / "esmc/esmc.pth", folder).network.state_dict()
    added = 2 * (up.double() @ down.double())
    for part, rows in zip("qkv", added.chunk(3), strict=True):
        name = f"layers.0.self_attn.{part}_proj.weight"
        assert torch.equal(found[name], (base[name].double() + rows).float())
    name = "layers.1.mlp.down_proj.weight"
    assert torch.equal(found[name], (base[name].double() + 2 * (two.double() @ one.double())).float())
