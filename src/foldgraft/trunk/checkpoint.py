"""Foreign and own trunk files, read safely, and the one form in which the other stages meet them."""

import argparse
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.esm2 import ROTARY, Architecture, Network
from foldgraft.models.trunk.tensors import fill_network
from foldgraft.records.files import atomic, file_sha256, read_json, write_json
from foldgraft.trunk.settings import beside

PREFIX = re.compile(r"^encoder\.(sentence_encoder\.)?")
REGRESSION = {"contact_head.regression.weight", "contact_head.regression.bias"}


def write_trunk(weights: Path, description: Path, network: Network, name: str, about: dict[str, Any]) -> None:
    """Write `model.safetensors` and `trunk.json`; `about` says where the tensors come from.

    Raises
    ------
    FoldgraftError
        if a tensor holds what is no number.
    """
    for key, tensor in network.state_dict().items():
        if not tensor.isfinite().all():
            raise FoldgraftError(f"trunk {name}: {key} holds infinite values or NaN; its source is broken")
    with atomic(weights) as temporary:
        save_file({key: tensor.contiguous() for key, tensor in network.state_dict().items()}, temporary)
    write_json(
        description,
        {
            "name": name,
            "architecture": network.architecture.as_dict(),
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "contact_regression": network.contact_head is not None,
            "sha256": file_sha256(weights),
            **about,
        },
    )


def convert(checkpoint: Path, weights: Path, description: Path) -> None:
    """Turn a local checkpoint into the run's trunk.

    Parameters
    ----------
    checkpoint
        a fair-esm ESM-2, ESM-1b or ESM-1v file (.pt), a safetensors file with its `trunk.json` beside it, or the folder
        of the two.
    weights, description
        the two files to write.

    Raises
    ------
    FoldgraftError
        if it is missing or is no such trunk.
    """
    if checkpoint.is_dir():
        checkpoint = checkpoint / "model.safetensors"
    if not checkpoint.is_file():
        raise FoldgraftError(f"{checkpoint}: there is no such file; trunk.checkpoint must name a trunk")
    if checkpoint.suffix == ".safetensors":
        trunk = Trunk.load(checkpoint, beside(checkpoint), torch.device("cpu"))
        kept = {key: value for key, value in read_json(beside(checkpoint)).items() if key == "pretraining"}
        source = {"kind": "checkpoint", "file": checkpoint.name, "sha256": trunk.sha256}
        write_trunk(weights, description, trunk.network, trunk.name, {"source": source, **kept})
        return
    regression = beside(checkpoint)
    convert_fair(checkpoint, regression if regression.is_file() else None, weights, description, {"kind": "checkpoint"})


def convert_fair(
    checkpoint: Path, regression: Path | None, weights: Path, description: Path, source: dict[str, Any]
) -> None:
    """Turn a fair-esm file into the run's trunk; its sha256, and that of the regression, join `source`."""
    files = {"file": checkpoint.name, "sha256": file_sha256(checkpoint)}
    if regression:
        files |= {"regression": regression.name, "regression_sha256": file_sha256(regression)}
    network = read_fair(checkpoint, regression)
    write_trunk(weights, description, network, checkpoint.stem, {"source": source | files})


def read_fair(checkpoint: Path, regression: Path | None = None) -> Network:
    """Read an ESM-2, ESM-1b or ESM-1v checkpoint of fair-esm.

    Parameters
    ----------
    checkpoint
        as fair-esm distributes it: `{"cfg": {"model": Namespace}, "model": tensors}` for ESM-2,
        `{"args": Namespace, "model": tensors}` with the architecture roberta_large for ESM-1b and ESM-1v.
    regression
        the file with the weights of its contact regression.

    Raises
    ------
    FoldgraftError
        for anything else, an ESM-1 checkpoint among it.
    """
    content = _load(checkpoint)
    try:
        tensors = {PREFIX.sub("", name): tensor for name, tensor in content["model"].items()}
        shape = _esm1b(content["args"], tensors) if "args" in content else _esm2(content["cfg"]["model"])
        architecture = Architecture.read(shape, str(checkpoint))
        # one copy of the embeddings is kept, the language head's, and one of the rotary frequencies
        embeddings = tensors["embed_tokens.weight"]
        tied = tensors.pop("lm_head.weight", embeddings)
        shared = torch.equal(tied, embeddings)
        if architecture.family == "ESM-1b":
            embeddings[alphabet.MASK] = 0  # in place, as fair-esm does it: the head's copy follows if it is the same
        tensors["embed_tokens.weight"] = tied
        rotary = [tensors.pop(name) for name in list(tensors) if name.endswith("rot_emb.inv_freq")]
        one = all(torch.equal(rotary[0], other) for other in rotary)
        state = tensors | {ROTARY: rotary[0]} if rotary else tensors
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        raise FoldgraftError(f"{checkpoint}: is no ESM-2, ESM-1b or ESM-1v checkpoint of fair-esm") from None
    if not shared:
        raise FoldgraftError(f"{checkpoint}: its language head does not share the embeddings, so it is no such trunk")
    if not one:
        raise FoldgraftError(f"{checkpoint}: its layers differ in their rotary frequencies, so it is no such trunk")
    if regression:
        state |= _read_regression(regression)
    return fill_network(state, architecture, str(checkpoint)).float()


def _esm2(config: argparse.Namespace) -> dict[str, Any]:
    return {
        "layers": config.encoder_layers,
        "width": config.encoder_embed_dim,
        "heads": config.encoder_attention_heads,
        "token_dropout": bool(config.token_dropout),
    }


def _esm1b(config: argparse.Namespace, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
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


def _read_regression(path: Path) -> dict[str, torch.Tensor]:
    content = _load(path)
    try:
        found = {name: content["model"][name] for name in REGRESSION}
    except (AttributeError, LookupError, TypeError):
        raise FoldgraftError(f"{path}: holds no contact regression of fair-esm") from None
    return found


def _load(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what torch raises depends on how the file is foreign
        problem = " ".join(str(error).split()).split(". ")[0][:200]  # torch goes on to advise an unsafe way
        raise FoldgraftError(
            f"{path}: cannot be read as a PyTorch file of tensors alone; if it was cut short, fetch it anew ({problem})"
        ) from None
