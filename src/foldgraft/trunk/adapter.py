"""PEFT adapters of LoRA (Hu et al. 2021), merged into the trunk's own matrices: W + s B A."""

import re
from collections.abc import Collection
from typing import Any

from torch import Tensor

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.trunk.layouts import esmc, huggingface
from foldgraft.trunk.layouts.names import Names, split
from foldgraft.trunk.locate import Located
from foldgraft.trunk.settings import PUBLISHED
from foldgraft.trunk.tensor_files import read_all

PREFIX = "base_model.model."
BASE = re.compile(r"^esmc?\.")
"""Of the names in a model with a head; a bare one lacks it."""
HEADS = ("classifier.", "pooler.", "score.")
"""Modules that are no part of a trunk, tuned along or saved whole."""
PART = re.compile(r"(?P<module>.+)\.lora_(?P<part>[AB])\.weight")
KNOWN_STARTS = {True, False, None, "gaussian", "eva", "orthogonal"}
"""Values of `init_lora_weights` that leave the base as it is; others change it, and the adapter does not say how."""
UNKNOWN = ("use_dora", "use_qalora", "fan_in_fan_out", "megatron_config", "trainable_token_indices", "lora_bias")
"""Keys of the configuration that, if set, make the adapter something else than W + s B A."""


def merge(
    state: dict[str, Tensor], architecture: Architecture, adapter: Located
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The trunk's tensors with an adapter added to them, and what was done, for the description.

    Parameters
    ----------
    state : dict of str to Tensor
        the trunk's tensors by our names.
    adapter : Located
        its files; the names in them may be those of any layout of the trunk's family, with or without `esm.`.

    Raises
    ------
    FoldgraftError
        if it is no such adapter, or anything in it does not match the trunk.
    """
    where = str(adapter.weights[0])
    config = adapter.config or {}
    _check(config, str(adapter.beside[0]))
    names = _names(architecture)
    pairs, left_out = _pairs(read_all(adapter.weights), where)
    merged = dict(state)
    for module, (down, up) in pairs.items():
        name = f"{BASE.sub('', module)}.weight"
        if name not in names or not all(ours in state for ours in names[name]):
            raise FoldgraftError(f"{where}: the trunk has no {module} to add to, so the adapter is of another base")
        scale = _scale(config, module, down, where)
        added = scale * (up.double() @ down.double())
        for ours, part in split(added, names[name], f"{where}: {module}").items():
            if part.shape != state[ours].shape:
                raise FoldgraftError(
                    f"{where}: {module} is of {tuple(part.shape)} where the trunk has {tuple(state[ours].shape)}, so "
                    "the adapter is of another base"
                )
            merged[ours] = (state[ours].double() + part).float()
    about = {"name": adapter.name, "matrices": len(pairs), "rank": config["r"], "left_out": left_out}
    return merged, about


def check_base(adapter: Located, names: Collection[str]) -> None:
    """Refuse an adapter that says that it is of another published model than the checkpoint is.

    Parameters
    ----------
    names : collection of str
        under which the checkpoint is known.
    """
    known = {name.rsplit("/", 1)[-1] for name in PUBLISHED}
    base = str((adapter.config or {}).get("base_model_name_or_path") or "").rstrip("/").rsplit("/", 1)[-1]
    ours = known.intersection(names)
    if base in known and ours and base not in ours:
        raise FoldgraftError(f"{adapter.beside[0]}: the adapter is of {base}, and the checkpoint is {min(ours)}")


def _check(config: dict[str, Any], where: str) -> None:
    if config.get("peft_type") != "LORA":
        raise FoldgraftError(f"{where}: peft_type is {config.get('peft_type')!r}; only LORA can be merged")
    for key in UNKNOWN:
        if config.get(key):
            raise FoldgraftError(f"{where}: {key} is set, so the adapter is more than a LoRA and cannot be merged")
    if config.get("bias", "none") != "none":
        raise FoldgraftError(f"{where}: bias is {config['bias']!r}; biases that were trained along cannot be merged")
    start = config.get("init_lora_weights")
    if not isinstance(start, bool | str | None) or start not in KNOWN_STARTS:
        raise FoldgraftError(f"{where}: init_lora_weights is {start!r}, which changed the base; save it as plain LoRA")
    for key in ("r", "lora_alpha"):
        if not _positive(config.get(key)):
            raise FoldgraftError(f"{where}: {key} must be a number above 0, not {config.get(key)!r}")
    for key in ("rank_pattern", "alpha_pattern"):
        given = config.get(key) or {}
        if not isinstance(given, dict) or not all(map(_positive, given.values())) or not all(map(_readable, given)):
            raise FoldgraftError(f"{where}: {key} must give numbers above 0 by patterns of names, not {given!r}")


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and 0 < value < float("inf")


def _readable(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _names(architecture: Architecture) -> Names:
    if architecture.family == "ESM C":
        return esmc.adapter_names(architecture)
    return huggingface.names(architecture, language=True, contacts=False)


def _pairs(tensors: dict[str, Tensor], where: str) -> tuple[dict[str, tuple[Tensor, Tensor]], dict[str, str]]:
    """A and B of each module, without the prefix of its name; and tensors of no use to a trunk, with the reason."""
    parts: dict[str, dict[str, Tensor]] = {}
    left_out = {}
    for name, tensor in tensors.items():
        short = name.removeprefix(PREFIX)
        if BASE.sub("", short).startswith(HEADS):
            left_out[name] = "a head for something else"
        elif match := PART.fullmatch(short):
            parts.setdefault(match["module"], {})[match["part"]] = tensor
        else:
            raise FoldgraftError(f"{where}: its tensor {name} is no part of a LoRA")
    pairs = {}
    for module, both in parts.items():
        if set(both) != {"A", "B"} or any(tensor.ndim != 2 for tensor in both.values()):
            raise FoldgraftError(f"{where}: of {module} it must hold the two matrices lora_A and lora_B")
        if both["A"].shape[0] != both["B"].shape[1]:
            raise FoldgraftError(f"{where}: the matrices lora_A and lora_B of {module} do not fit together")
        pairs[module] = both["A"], both["B"]
    if not pairs:
        raise FoldgraftError(f"{where}: holds no LoRA")
    return pairs, left_out


def _scale(config: dict[str, Any], module: str, down: Tensor, where: str) -> float:
    """alpha / r, or alpha / sqrt(r) with rank stabilisation (Kalajdzievski 2023); both may be stated by module."""
    rank = _of_module(config.get("rank_pattern"), module, config["r"])
    alpha = _of_module(config.get("alpha_pattern"), module, config["lora_alpha"])
    if down.shape[0] != rank:
        raise FoldgraftError(f"{where}: {module} has the rank {down.shape[0]}, and the configuration says {rank}")
    return alpha / (rank**0.5 if config.get("use_rslora") else rank)


def _of_module(pattern: dict[str, Any] | None, module: str, default: Any) -> Any:
    """A value that a configuration gives for modules whose name ends with its key."""
    return next((v for key, v in (pattern or {}).items() if re.fullmatch(rf"(.*\.)?({key})", module)), default)
