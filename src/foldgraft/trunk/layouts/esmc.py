"""ESM C in its three layouts: the first release's, the hub's later one, and that of transformers."""

import re
from typing import Any

from torch import Tensor

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.esmc import TOKENS
from foldgraft.trunk.layouts.names import Names, Translated, assign, renamed

PREFIX = "esmc."
HEAD_WIDTH = 64
"""Of all published models, where no configuration says it."""
BLOCK = "transformer.blocks.{}."
SHARED = {
    "attn.q_ln.weight": ("self_attn.q_norm.weight",),
    "attn.k_ln.weight": ("self_attn.k_norm.weight",),
    "attn.out_proj.weight": ("self_attn.o_proj.weight",),
}
QKV = tuple(f"self_attn.{part}_proj.weight" for part in "qkv")
GATED = ("mlp.gate_proj.weight", "mlp.up_proj.weight")
FIRST = SHARED | {
    "attn.layernorm_qkv.0.weight": ("input_layernorm.weight",),
    "attn.layernorm_qkv.0.bias": ("input_layernorm.bias",),
    "attn.layernorm_qkv.1.weight": QKV,
    "ffn.0.weight": ("post_attention_layernorm.weight",),
    "ffn.0.bias": ("post_attention_layernorm.bias",),
    "ffn.1.weight": GATED,
    "ffn.3.weight": ("mlp.down_proj.weight",),
}
FUSED = SHARED | {
    "attn.layernorm_qkv.layer_norm_weight": ("input_layernorm.weight",),
    "attn.layernorm_qkv.layer_norm_bias": ("input_layernorm.bias",),
    "attn.layernorm_qkv.weight": QKV,
    "ffn.layer_norm_weight": ("post_attention_layernorm.weight",),
    "ffn.layer_norm_bias": ("post_attention_layernorm.bias",),
    "ffn.fc1_weight": GATED,
    "ffn.fc2_weight": ("mlp.down_proj.weight",),
}
OURS = tuple(name for names in FIRST.values() for name in names)
DOWN = ("ffn.3.weight", "ffn.fc2_weight", "mlp.down_proj.weight")
HEAD = {"0": "dense", "2": "layer_norm", "3": "decoder"}
USELESS = {
    r".*\._extra_state": "what the library that saved it keeps for itself",
    r"classifier\..*": "a head for something else",
}


def is_esmc(tensors: dict[str, Tensor]) -> bool:
    """Whether these are the tensors of an ESM C."""
    return any(re.search(r"\.(q_ln|q_norm)\.weight$", name) for name in tensors)


def translate(tensors: dict[str, Tensor], config: dict[str, Any] | None, where: str) -> Translated:
    """The tensors of a checkpoint by our names, which are those of transformers.

    Parameters
    ----------
    config : dict, optional
        content of `config.json`, where there is one; of the other two layouts the shapes tell all.
    where : str
        they are from; named in errors.

    Raises
    ------
    FoldgraftError
        naming the first tensor that has no place or is missing.
    """
    tensors = renamed(tensors, lambda name: name.removeprefix(PREFIX), where)
    layout, block, layer = _layout(tensors)
    numbers = {int(match[1]) for name in tensors if (match := re.match(block.replace("{}", r"(\d+)"), name))}
    architecture = _architecture(tensors, config, len(numbers), block, where)
    head = next((root for root in ("sequence_head.", "lm_head.") if any(n.startswith(root) for n in tensors)), None)
    state, left_out = assign(tensors, _names(architecture, block, layer, _head(tensors, head)), USELESS, where)
    return Translated(state, architecture, layout, left_out)


def adapter_names(architecture: Architecture) -> Names:
    """Our names by those of all three layouts, as an adapter may call them."""
    names: Names = {}
    for block, layer in ((BLOCK, FIRST), (BLOCK, FUSED), ("layers.{}.", {name: (name,) for name in OURS})):
        names |= _names(architecture, block, layer, {})
    return names


def _layout(tensors: dict[str, Tensor]) -> tuple[str, str, Names]:
    if any(name.endswith("attn.layernorm_qkv.1.weight") for name in tensors):
        return "ESM C, first release", BLOCK, FIRST
    if any(name.endswith("attn.layernorm_qkv.weight") for name in tensors):
        return "ESM C, fused names", BLOCK, FUSED
    return "Hugging Face ESM C", "layers.{}.", {name: (name,) for name in OURS}


def _names(architecture: Architecture, block: str, layer: Names, head: dict[str, str]) -> Names:
    released = block == BLOCK
    names = {("embed.weight" if released else "embed_tokens.weight"): ("embed_tokens.weight",)}
    names[("transformer.norm.weight" if released else "norm.weight")] = ("norm.weight",)
    for number in range(architecture.layers):
        for theirs, ours in layer.items():
            names[block.format(number) + theirs] = tuple(f"layers.{number}.{name}" for name in ours)
    for theirs, ours in head.items():
        names |= {f"{theirs}.{kind}": (f"{ours}.{kind}",) for kind in ("weight", "bias")}
    return names


def _head(tensors: dict[str, Tensor], root: str | None) -> dict[str, str]:
    """The modules of the language head, which are numbered or named."""
    if root is None:
        return {}
    numbered = f"{root}0.weight" in tensors
    return {f"{root}{number if numbered else name}": f"lm_head.{name}" for number, name in HEAD.items()}


def _architecture(
    tensors: dict[str, Tensor], config: dict[str, Any] | None, layers: int, block: str, where: str
) -> Architecture:
    config = config or {}
    embeddings = next((tensors[name] for name in ("embed.weight", "embed_tokens.weight") if name in tensors), None)
    down = next((tensors[name] for name in map(block.format(0).__add__, DOWN) if name in tensors), None)
    if embeddings is None or down is None or embeddings.ndim != 2 or down.ndim != 2:
        raise FoldgraftError(f"{where}: it lacks the embeddings or the first layer of an ESM C")
    rows, width = embeddings.shape
    heads = config.get("num_attention_heads", width // HEAD_WIDTH)
    said = {"hidden_size": width, "num_hidden_layers": layers, "vocab_size": rows}
    for key, held in said.items():
        if config.get(key, held) != held:
            raise FoldgraftError(f"{where}: config.json says {key} {config[key]!r}, but its tensors have {held}")
    if rows != TOKENS:
        raise FoldgraftError(f"{where}: it has embeddings of {rows} tokens; an ESM C has {TOKENS}")
    turns = config.get("rope_parameters") or {}
    base = turns.get("rope_theta", 10000) if isinstance(turns, dict) else turns
    if base != 10000:
        raise FoldgraftError(f"{where}: config.json says rope_theta {base!r}; only 10000 is known")
    shape = {"layers": layers, "width": width, "heads": heads, "hidden": down.shape[1]}
    return Architecture.read(shape | {"family": "ESM C", "token_dropout": False}, where)
