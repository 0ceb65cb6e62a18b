"""ESM-2, ESM-1b and ESM-1v as fair-esm distributes them."""

import argparse
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import alphabet
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.esm2 import ROTARY
from foldgraft.trunk.layouts.huggingface import CONTACTS, one_of
from foldgraft.trunk.layouts.names import Translated
from foldgraft.trunk.tensor_files import read

LAYOUT = "fair-esm"
PREFIX = re.compile(r"^encoder\.(sentence_encoder\.)?")


def is_fair(content: Any) -> bool:
    """Whether this is what a file of fair-esm holds: a description, and tensors in `model`."""
    return isinstance(content, dict) and "model" in content and ("cfg" in content or "args" in content)


def translate(content: dict[str, Any], regression: Path | None, where: str) -> Translated:
    """The tensors of a checkpoint by our names.

    Parameters
    ----------
    content : dict
        `{"cfg": {"model": Namespace}, "model": tensors}` for ESM-2, `{"args": Namespace, "model": tensors}` with the
        architecture roberta_large for ESM-1b and ESM-1v.
    regression : Path, optional
        the file with the weights of its contact regression.

    Raises
    ------
    FoldgraftError
        for anything else, an ESM-1 among it.
    """
    try:
        tensors = {PREFIX.sub("", name): tensor for name, tensor in content["model"].items()}
        shape = _esm1b(content["args"], tensors) if "args" in content else _esm2(content["cfg"]["model"])
        architecture = Architecture.read(shape, where)
        # one copy of the embeddings is kept, the language head's, and one of the rotary frequencies
        embeddings = tensors["embed_tokens.weight"]
        tied = tensors.pop("lm_head.weight", embeddings)
        shared = torch.equal(tied, embeddings)
        if architecture.family == "ESM-1b":
            embeddings[alphabet.MASK] = 0  # in place, as fair-esm does it: the head's copy follows if it is the same
        tensors["embed_tokens.weight"] = tied
        rotary = [tensors.pop(name) for name in list(tensors) if name.endswith("rot_emb.inv_freq")]
        tensors |= {ROTARY: one_of(rotary, where)} if rotary else {}
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        raise FoldgraftError(f"{where}: is no ESM-2, ESM-1b or ESM-1v checkpoint of fair-esm") from None
    if not shared:
        raise FoldgraftError(f"{where}: its language head does not share the embeddings, so it is no such trunk")
    if regression:
        tensors |= _read_regression(regression)
    return Translated(tensors, architecture, LAYOUT, {})


def _esm2(config: argparse.Namespace) -> dict[str, Any]:
    return {
        "layers": config.encoder_layers,
        "width": config.encoder_embed_dim,
        "heads": config.encoder_attention_heads,
        "token_dropout": bool(config.token_dropout),
    }


def _esm1b(config: argparse.Namespace, tensors: dict[str, Tensor]) -> dict[str, Any]:
    if config.arch != "roberta_large":
        raise ValueError(config.arch)
    given = {name.removeprefix("encoder_"): value for name, value in vars(config).items()}
    return {
        "layers": given["layers"],
        "width": given["embed_dim"],
        "heads": given["attention_heads"],
        "token_dropout": bool(given.get("token_dropout", False)),
        "family": "ESM-1b",
        "max_tokens": given["max_positions"],
        "norm_before": "emb_layer_norm_before.weight" in tensors,
    }


def _read_regression(path: Path) -> dict[str, Tensor]:
    content = read(path)
    try:
        return {name: content["model"][name] for name in CONTACTS}
    except (AttributeError, LookupError, TypeError):
        raise FoldgraftError(f"{path}: holds no contact regression of fair-esm") from None
