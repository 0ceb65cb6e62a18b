"""Configurations and tensors that anybody may have written end in one line, never in a traceback."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.tensors import build_network, fill_network
from foldgraft.trunk.adapter import merge
from foldgraft.trunk.layouts import esmc, huggingface
from foldgraft.trunk.locate import Located, locate
from foldgraft.trunk.tensor_files import by_name

ESM = {
    "model_type": "esm",
    "vocab_size": 33,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "position_embedding_type": "rotary",
    "max_position_embeddings": 20,
    "pad_token_id": 1,
    "mask_token_id": 32,
    "layer_norm_eps": 1e-5,
    "token_dropout": True,
    "emb_layer_norm_before": False,
}
ESMC = {"model_type": "esmc", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "rope_parameters": {}}
LORA = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "bias": "none", "init_lora_weights": True}
MORE = {"rank_pattern": None, "alpha_pattern": None, "use_rslora": None, "use_dora": None, "quantization_config": None}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 40) | st.floats() | st.text(max_size=5) | st.just(1 << 70),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
QUERY = "encoder.layer.0.attention.self.query"


def changed(known: dict) -> st.SearchStrategy:
    """The configuration with some of its keys given other values, or taken away."""
    keys = [*known, *MORE]
    edits = st.dictionaries(st.sampled_from(keys), VALUES, min_size=1, max_size=3)
    return st.tuples(edits, st.sets(st.sampled_from(keys), max_size=1)).map(
        lambda drawn: {key: value for key, value in (known | drawn[0]).items() if key not in drawn[1]}
    )


@pytest.fixture(scope="module")
def esm_tensors():
    architecture = Architecture(1, 8, 2)
    ours = build_network(architecture, contacts=True).state_dict()
    return {theirs: ours[name[0]] for theirs, name in huggingface.names(architecture, True, True).items()}


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(config=changed(ESM))
def test_configurations_of_an_esm(esm_tensors, tmp_path, config):
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"")
    try:
        found = huggingface.translate(esm_tensors, locate(tmp_path).config, "here")
        fill_network(found.state, found.architecture, "here")
    except FoldgraftError as error:
        assert "\n" not in str(error)


@settings(max_examples=60)
@given(config=changed(ESMC))
def test_configurations_of_an_esm_c(config):
    shape = Architecture(1, 8, 2, family="ESM C", hidden=16, token_dropout=False)
    try:
        found = esmc.translate(build_network(shape).state_dict(), config, "here")
        fill_network(found.state, found.architecture, "here")
    except FoldgraftError as error:
        assert "\n" not in str(error)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(config=changed(LORA))
def test_configurations_of_an_adapter(tmp_path, config):
    path = tmp_path / "adapter_model.bin"
    stem = f"base_model.model.esm.{QUERY}"
    torch.save({f"{stem}.lora_A.weight": torch.ones(2, 8), f"{stem}.lora_B.weight": torch.ones(8, 2)}, path)
    architecture = Architecture(1, 8, 2)
    adapter = Located("x", (path,), config, (tmp_path / "adapter_config.json",))
    try:
        merged, _ = merge(build_network(architecture).state_dict(), architecture, adapter)
        assert merged["layers.0.self_attn.q_proj.weight"].isfinite().all()
    except FoldgraftError as error:
        assert "\n" not in str(error)


@settings(max_examples=60)
@given(
    name=st.text(max_size=12) | st.sampled_from([f"esm.{QUERY}.weight", "lm_head.decoder.weight", "transformer.x"]),
    shape=st.lists(st.integers(0, 3), max_size=3),
    dtype=st.sampled_from([torch.float32, torch.int64, torch.bool, torch.complex64]),
)
def test_tensors_of_any_name_and_shape(esm_tensors, name, shape, dtype):
    try:
        tensors = by_name(esm_tensors | {name: torch.ones(shape, dtype=dtype)}, Path("here"))
        found = huggingface.translate(tensors, ESM, "here")
        fill_network(found.state, found.architecture, "here")
    except FoldgraftError as error:
        assert "\n" not in str(error)
