"""PEFT adapters: merged as a calculation by hand merges them, and refused where they do not match."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from foldgraft.errors import FoldgraftError
from foldgraft.records.files import file_sha256, read_json
from foldgraft.trunk.checkpoint import convert, open_checkpoint

CONFIG = {"peft_type": "LORA", "r": 2, "lora_alpha": 6, "use_rslora": False, "bias": "none", "init_lora_weights": True}
QUERY, DENSE, HEAD = "attention.self.query", "intermediate.dense", "lm_head.dense"
OURS = {
    f"encoder.layer.0.{QUERY}": "layers.0.self_attn.q_proj",
    f"encoder.layer.1.{DENSE}": "layers.1.fc1",
    HEAD: "lm_head.dense",
}
ROWS = {f"encoder.layer.0.{QUERY}": 24, f"encoder.layer.1.{DENSE}": 96, HEAD: 24}


def adapter(folder: Path, prefix: str = "esm.", rank: int = 2, more: dict | None = None, **config) -> Path:
    """An adapter of three matrices as PEFT saves it; its module names carry the prefix of the class that was tuned."""
    generator = torch.Generator().manual_seed(3)
    tensors = {}
    for module, rows in ROWS.items():
        stem = f"base_model.model.{'' if module == HEAD else prefix}{module}"
        tensors[f"{stem}.lora_A.weight"] = 0.1 * torch.randn(rank, 24, generator=generator)
        tensors[f"{stem}.lora_B.weight"] = 0.1 * torch.randn(rows, rank, generator=generator)
    folder.mkdir()
    save_file(tensors | (more or {}), folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG | {"r": rank} | config))
    return folder


def matrices(folder: Path) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """B and A of each module, by our names."""
    state = load_file(folder / "adapter_model.safetensors")
    return {
        ours: tuple(
            next(t.double() for name, t in state.items() if theirs in name and f"lora_{part}" in name) for part in "BA"
        )
        for theirs, ours in OURS.items()
    }


@pytest.mark.parametrize("prefix", ["esm.", ""])
@pytest.mark.parametrize(
    ("config", "scale"),
    [({}, 3.0), ({"use_rslora": True}, 6 / 2**0.5), ({"alpha_pattern": {QUERY: 6, DENSE: 6, "lm_head.dense": 6}}, 3.0)],
    ids=["alpha / r", "alpha / sqrt(r)", "by module"],
)
def test_the_sum_is_that_by_hand(fair_files, tmp_path, prefix, config, scale):
    folder = adapter(tmp_path / "tuned", prefix, **config)
    base = open_checkpoint(fair_files[0])
    found = open_checkpoint(fair_files[0], folder)
    before, after = base.network.state_dict(), found.network.state_dict()
    by_hand = matrices(folder)
    for name, tensor in after.items():
        expected = before[name]
        if (module := name.removesuffix(".weight")) in by_hand and name.endswith(".weight"):
            b, a = by_hand[module]
            expected = (expected.double() + scale * (b @ a)).float()
            assert not torch.equal(tensor, before[name])
        assert torch.equal(tensor, expected), name
    assert found.name == "esm2_t6_8M_UR50D+tuned"
    assert found.about["adapter"]["matrices"] == 3
    assert found.about["adapter"]["files"] == {path.name: file_sha256(path) for path in folder.iterdir()}


def test_ranks_and_alphas_by_module(fair_files, tmp_path):
    folder = adapter(tmp_path / "x", rank=4, r=8, rank_pattern={".*": 4}, alpha_pattern={r"layer\.0\..*query": 2})
    base = open_checkpoint(fair_files[0]).network.state_dict()
    found = open_checkpoint(fair_files[0], folder).network.state_dict()
    for module, scale in (("layers.0.self_attn.q_proj", 2 / 4), ("layers.1.fc1", 6 / 4)):
        b, a = matrices(folder)[module]
        assert torch.equal(found[f"{module}.weight"], (base[f"{module}.weight"].double() + scale * (b @ a)).float())


def test_the_description_names_the_adapter_and_what_was_not_used_of_it(fair_files, tmp_path):
    # PEFT saves a head that was trained whole, and tunes any `dense`, that of a head or a pooler as well
    heads = ("classifier.out_proj.weight", "classifier.dense.lora_A.weight", "esm.pooler.dense.lora_B.weight")
    folder = adapter(tmp_path / "tuned", more={f"base_model.model.{name}": torch.ones(3, 3) for name in heads})
    weights, description = tmp_path / "model.safetensors", tmp_path / "trunk.json"
    convert(fair_files[0], weights, description, folder)
    about = read_json(description)
    assert about["name"] == "esm2_t6_8M_UR50D+tuned" and about["adapter"]["rank"] == 2
    why = "a head for something else"
    assert about["adapter"]["left_out"] == {f"base_model.model.{name}": why for name in heads}
    assert about["proof"]["representations"] < 1e-4
    again = open_checkpoint(weights)
    assert again.about["adapter"] == about["adapter"] and again.name == about["name"]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"peft_type": "IA3"}, "peft_type is 'IA3'; only LORA can be merged"),
        ({"use_dora": True}, "use_dora is set"),
        ({"fan_in_fan_out": True}, "fan_in_fan_out is set"),
        ({"bias": "all"}, "bias is 'all'"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights is 'pissa', which changed the base"),
        ({"init_lora_weights": ["x"]}, "init_lora_weights"),
        ({"r": 3}, "has the rank 2, and the configuration says 3"),
        ({"r": "two"}, "r must be a number above 0, not 'two'"),
        ({"lora_alpha": None}, "lora_alpha must be a number above 0"),
        ({"lora_alpha": float("nan")}, "lora_alpha must be a number above 0"),
        ({"rank_pattern": 3}, "rank_pattern"),
        ({"alpha_pattern": {"(": 3}}, "alpha_pattern"),
    ],
)
def test_more_than_a_lora_is_refused(fair_files, tmp_path, config, reason):
    folder = adapter(tmp_path / "x", **config)
    with pytest.raises(FoldgraftError, match=reason) as caught:
        open_checkpoint(fair_files[0], folder)
    assert "adapter" in str(caught.value) and "\n" not in str(caught.value)


def stem(module: str) -> str:
    return f"base_model.model.esm.{module}"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({stem("encoder.layer.2.output.dense.lora_A.weight"): torch.ones(2, 96)}, "two matrices lora_A and lora_B"),
        (
            {
                stem("encoder.layer.7.output.dense.lora_A.weight"): torch.ones(2, 96),
                stem("encoder.layer.7.output.dense.lora_B.weight"): torch.ones(24, 2),
            },
            r"the trunk has no esm\.encoder\.layer\.7\.output\.dense to add to, so the adapter is of another base",
        ),
        (
            {
                stem("encoder.layer.1.output.dense.lora_A.weight"): torch.ones(2, 50),
                stem("encoder.layer.1.output.dense.lora_B.weight"): torch.ones(24, 2),
            },
            r"is of \(24, 50\) where the trunk has \(24, 96\), so the adapter is of another base",
        ),
        (
            {
                stem("encoder.layer.1.output.dense.lora_A.weight"): torch.ones(2, 96),
                stem("encoder.layer.1.output.dense.lora_B.weight"): torch.ones(24, 3),
            },
            "do not fit together",
        ),
        ({stem("embeddings.word_embeddings.lora_embedding_A"): torch.ones(2, 33)}, "is no part of a LoRA"),
        ({stem("encoder.layer.1.output.dense.bias"): torch.ones(24)}, "is no part of a LoRA"),
    ],
)
def test_what_does_not_match_is_an_error(fair_files, tmp_path, more, reason):
    folder = adapter(tmp_path / "x", more=more)
    with pytest.raises(FoldgraftError, match=reason):
        open_checkpoint(fair_files[0], folder)


def test_an_adapter_of_a_head_that_the_base_lacks(fair_files, tmp_path, transformers):
    config = transformers.EsmConfig(
        vocab_size=33, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
        position_embedding_type="rotary", pad_token_id=1, mask_token_id=32, layer_norm_eps=1e-5, token_dropout=True,
        max_position_embeddings=60,
    )  # fmt: skip
    transformers.EsmModel(config).save_pretrained(tmp_path / "base")
    with pytest.raises(FoldgraftError, match=r"the trunk has no lm_head\.dense to add to"):
        open_checkpoint(tmp_path / "base", adapter(tmp_path / "x"))


def test_an_adapter_that_says_it_is_of_another_published_model(fair_files, tmp_path):
    other = adapter(tmp_path / "other", base_model_name_or_path="facebook/esm2_t12_35M_UR50D")
    with pytest.raises(FoldgraftError, match=r"is of esm2_t12_35M_UR50D, and the checkpoint is esm2_t6_8M_UR50D"):
        open_checkpoint(fair_files[0], other)
    for number, base in enumerate(("facebook/esm2_t6_8M_UR50D", "/home/me/mine", None, "")):
        same = adapter(tmp_path / str(number), base_model_name_or_path=base)
        assert open_checkpoint(fair_files[0], same).about["adapter"]["matrices"] == 3


def test_an_adapter_without_weights_or_with_none_in_them(fair_files, tmp_path):
    folder = adapter(tmp_path / "x")
    save_file({"base_model.model.classifier.bias": torch.ones(2)}, folder / "adapter_model.safetensors")
    with pytest.raises(FoldgraftError, match="holds no LoRA"):
        open_checkpoint(fair_files[0], folder)
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(FoldgraftError, match="its adapter has no weights"):
        open_checkpoint(fair_files[0], folder)
