"""ESM-2, ESM-1b and ESM-1v as the classes of Hugging Face's transformers save them, bare or with a head."""

import re
from typing import Any

import torch
from torch import Tensor

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import alphabet
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.esm1b import FIRST_POSITION
from foldgraft.models.trunk.esm2 import ROTARY
from foldgraft.trunk.layouts.names import Names, Translated, assign, renamed

LAYOUT = "Hugging Face ESM"
PREFIX = "esm."
"""Of all names but those of the heads, except in a bare model."""
NORMS = re.compile(r"LayerNorm\.(gamma|beta)$")
"""What version 5 of transformers calls the weights and biases of norms when it saves a model that it did not load."""
LAYER = {
    "attention.self.query": "self_attn.q_proj",
    "attention.self.key": "self_attn.k_proj",
    "attention.self.value": "self_attn.v_proj",
    "attention.output.dense": "self_attn.out_proj",
    "attention.LayerNorm": "self_attn_layer_norm",
    "intermediate.dense": "fc1",
    "output.dense": "fc2",
    "LayerNorm": "final_layer_norm",
}
CONTACTS = ("contact_head.regression.weight", "contact_head.regression.bias")
USELESS = {
    r"embeddings\.position_ids": "counts the positions",
    r"pooler\..*": "a head for something else",
    r"classifier\..*": "a head for something else",
}
FIXED = {"vocab_size": 33, "pad_token_id": alphabet.PAD, "mask_token_id": alphabet.MASK, "layer_norm_eps": 1e-5}
"""What `config.json` must say where it says it, since the network knows nothing else."""
UNSAID_EPSILON = 1e-12
"""What transformers takes where `config.json` says no `layer_norm_eps`, as it leaves out what is its default."""
INITIAL = 0.12
"""Six standard deviations of what transformers initialises a layer with: no trained regression is so small."""


def translate(tensors: dict[str, Tensor], config: dict[str, Any], where: str) -> Translated:
    """The tensors of a checkpoint by our names.

    Parameters
    ----------
    config : dict
        content of `config.json`.
    where : str
        they are from; named in errors.

    Raises
    ------
    FoldgraftError
        naming the first tensor that has no place or is missing, or the key that the network does not know.
    """
    architecture = read_architecture(config, where)
    tensors = renamed(tensors, _usual, where)
    language = any(name.startswith("lm_head.") for name in tensors)
    contacts = any(name.startswith("contact_head.") for name in tensors)
    tensors = _untied(tensors, where)
    rotary = [tensors.pop(name) for name in list(tensors) if name.endswith("rotary_embeddings.inv_freq")]
    useless = USELESS
    if architecture.family == "ESM-2":
        useless = USELESS | {r"embeddings\.position_embeddings\.weight": "a trunk with rotary positions has no others"}
        tensors |= {"rotary_embeddings.inv_freq": one_of(rotary, where)} if rotary else {}
    state, left_out = assign(tensors, names(architecture, language, contacts), useless, where)
    if contacts and _initial(state):
        left_out |= dict.fromkeys(CONTACTS, "only initialised, never trained")
        state = {name: tensor for name, tensor in state.items() if name not in CONTACTS}
    return Translated(state, architecture, LAYOUT, left_out)


def names(architecture: Architecture, language: bool, contacts: bool) -> Names:
    """Our names by theirs, without the prefix."""
    pairs = {"embeddings.word_embeddings.weight": "embed_tokens.weight"}
    modules = {"encoder.emb_layer_norm_after": "emb_layer_norm_after"}
    for number in range(architecture.layers):
        modules |= {f"encoder.layer.{number}.{theirs}": f"layers.{number}.{ours}" for theirs, ours in LAYER.items()}
    if architecture.family == "ESM-2":
        pairs["rotary_embeddings.inv_freq"] = ROTARY
    else:
        pairs["embeddings.position_embeddings.weight"] = "embed_positions.weight"
    if architecture.norm_before:
        modules["embeddings.layer_norm"] = "emb_layer_norm_before"
    if language:
        modules |= {"lm_head.dense": "lm_head.dense", "lm_head.layer_norm": "lm_head.layer_norm"}
        pairs["lm_head.bias"] = "lm_head.bias"
    if contacts:
        pairs |= dict(zip(CONTACTS, CONTACTS, strict=True))
    for theirs, ours in modules.items():
        pairs |= {f"{theirs}.{kind}": f"{ours}.{kind}" for kind in ("weight", "bias")}
    return {theirs: (ours,) for theirs, ours in pairs.items()}


def read_architecture(config: dict[str, Any], where: str) -> Architecture:
    """The architecture that a `config.json` describes."""
    config = {"layer_norm_eps": UNSAID_EPSILON} | config
    for key, wanted in FIXED.items():
        if config.get(key, wanted) not in (wanted, None):
            raise FoldgraftError(f"{where}: config.json says {key} {config[key]!r}; only {wanted} is known")
    positions = config.get("position_embedding_type", "absolute")
    if positions not in ("rotary", "absolute"):
        raise FoldgraftError(f"{where}: config.json says position_embedding_type {positions!r}, no trunk has it")
    learned = positions == "absolute"
    try:
        width = config["hidden_size"]
        shape = {"layers": config["num_hidden_layers"], "width": width, "heads": config["num_attention_heads"]}
        hidden = config.get("intermediate_size", 4 * width)
        max_tokens = config.get("max_position_embeddings", 1026) - FIRST_POSITION if learned else None
    except (KeyError, TypeError) as error:
        raise FoldgraftError(f"{where}: config.json does not describe an ESM ({error})") from None
    if hidden != 4 * width:
        raise FoldgraftError(f"{where}: config.json says intermediate_size {hidden!r}; an ESM has {4 * width}")
    given = {
        "family": "ESM-1b" if learned else "ESM-2",
        "token_dropout": bool(config.get("token_dropout", False)),
        "max_tokens": max_tokens,
        "norm_before": bool(config.get("emb_layer_norm_before", False)),
    }
    if given["norm_before"] and not learned:
        raise FoldgraftError(f"{where}: config.json says emb_layer_norm_before and rotary positions; none has both")
    return Architecture.read(shape | given, where)


def _usual(name: str) -> str:
    """The name without the prefix, and of a norm as all versions but one have it."""
    usual = {"gamma": "weight", "beta": "bias"}
    return NORMS.sub(lambda match: f"LayerNorm.{usual[match[1]]}", name.removeprefix(PREFIX))


def one_of(rotary: list[Tensor], where: str) -> Tensor:
    """The rotary frequencies, which a file may hold once or once a layer."""
    if not all(torch.equal(rotary[0], other) for other in rotary):
        raise FoldgraftError(f"{where}: its layers differ in their rotary frequencies, so it is no such trunk")
    return rotary[0]


def _untied(tensors: dict[str, Tensor], where: str) -> dict[str, Tensor]:
    """Without the copies that a language head may have of the embeddings and of its bias."""
    copies = {
        "lm_head.decoder.weight": "embeddings.word_embeddings.weight",
        "lm_head.decoder.bias": "lm_head.bias",
    }
    for copy, original in copies.items():
        if copy in tensors and original in tensors and not torch.equal(tensors[copy], tensors[original]):
            raise FoldgraftError(f"{where}: {copy} is not {original}, so it is no such trunk")
    return {name: tensor for name, tensor in tensors.items() if name not in copies}


def _initial(state: dict[str, Tensor]) -> bool:
    """Whether a contact regression is still as it was initialised, by transformers or by PyTorch."""
    weight, bias = (state[name].float() for name in CONTACTS)
    largest = max(float(weight.abs().max()), float(bias.abs().max()))
    return largest <= max(INITIAL, weight.numel() ** -0.5)
