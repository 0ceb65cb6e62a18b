"""Checkpoints of all layouts, and the one form in which the other stages meet a trunk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.fingerprint import as_lists, fingerprint
from foldgraft.models.trunk.network import Network
from foldgraft.models.trunk.tensors import fill_network
from foldgraft.records.files import atomic, file_sha256, read_json, write_json
from foldgraft.trunk.adapter import check_base, merge
from foldgraft.trunk.layouts import esmc, fair, huggingface
from foldgraft.trunk.layouts.names import Translated
from foldgraft.trunk.locate import Located, locate, locate_adapter
from foldgraft.trunk.proof import prove
from foldgraft.trunk.tensor_files import by_name, read, read_all


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read.

    Attributes
    ----------
    name
        of the model.
    network
        in float32.
    about
        what its description must say beside: source, adapter, what was left out, an earlier pretraining.
    """

    name: str
    network: Network
    about: dict[str, Any]


def open_checkpoint(checkpoint: Path, adapter: Path | None = None) -> Checkpoint:
    """Read a checkpoint of any known layout.

    Parameters
    ----------
    checkpoint : Path
        a Hugging Face folder or a file in it, a file of fair-esm (.pt), of ESM C's first release (.pth), or a trunk of
        Foldgraft: its folder or its safetensors file with `trunk.json` beside it.
    adapter : Path, optional
        folder of a PEFT adapter to be merged.

    Raises
    ------
    FoldgraftError
        if it is missing, damaged, incomplete, or no trunk.
    """
    located = locate(checkpoint)
    name, kept = located.name, {}
    if located.description:
        about = read_json(located.description)
        trunk = Trunk.load(located.weights[0], located.description, torch.device("cpu"))
        name, kept = trunk.name, {key: about[key] for key in ("pretraining", "adapter", "left_out") if key in about}
        translated = Translated(trunk.network.state_dict(), trunk.network.architecture, "Foldgraft", {})
    else:
        translated = _translate(located, str(checkpoint))
    state = translated.state
    source = {"layout": translated.layout, "files": {path.name: file_sha256(path) for path in located.files}}
    if translated.left_out:
        kept["left_out"] = translated.left_out
    if adapter:
        files = locate_adapter(adapter)
        check_base(files, {name, located.name, *_origins(located)})
        state, merged = merge(state, translated.architecture, files)
        name = f"{name}+{files.name}"
        kept["adapter"] = merged | {"files": {path.name: file_sha256(path) for path in files.files}}
    network = fill_network(state, translated.architecture, str(checkpoint)).float()
    _check_finite(network, str(checkpoint))
    return Checkpoint(name, network, {"source": source, **kept})


def _translate(located: Located, where: str) -> Translated:
    if located.config is not None and located.config["model_type"] == "esm":
        _check_vocabulary(located)
        return huggingface.translate(read_all(located.weights), located.config, where)
    contents = [read(path) for path in located.weights]
    if fair.is_fair(contents[0]):
        return fair.translate(contents[0], located.regression, where)
    tensors = {}
    for content, path in zip(contents, located.weights, strict=True):
        tensors |= by_name(content, path)
    if esmc.is_esmc(tensors):
        return esmc.translate(tensors, located.config, where)
    if any(name.endswith("embeddings.word_embeddings.weight") for name in tensors):
        raise FoldgraftError(f"{where}: has no config.json beside it; fetch it from where the checkpoint comes from")
    raise FoldgraftError(f"{where}: is no ESM-2, ESM-1b or ESM-1v checkpoint, nor one of ESM C")


def _origins(located: Located) -> set[str]:
    """Of which published model a Hugging Face checkpoint says that it was tuned, without the owner's name."""
    said = (located.config or {}).get("_name_or_path")
    return {said.rstrip("/").rsplit("/", 1)[-1]} if isinstance(said, str) else set()


def _check_vocabulary(located: Located) -> None:
    path = located.weights[0].with_name("vocab.txt")
    if path.is_file():
        tokens = tuple(path.read_text(encoding="utf-8", errors="replace").split())
        if tokens != alphabet.TOKENS:
            raise FoldgraftError(f"{path}: its tokens are not those of an ESM, so the checkpoint reads other letters")


def _check_finite(network: Network, where: str) -> None:
    for key, tensor in network.state_dict().items():
        if not tensor.isfinite().all():
            raise FoldgraftError(f"{where}: {key} holds infinite values or NaN, so its source is broken; take another")


def convert(
    checkpoint: Path,
    weights: Path,
    description: Path,
    adapter: Path | None = None,
    source: dict[str, Any] | None = None,
) -> None:
    """Turn a checkpoint into the run's trunk.

    Parameters
    ----------
    checkpoint : Path
    adapter : Path, optional
        see `open_checkpoint`.
    weights, description : Path
        the two files to write.
    source : dict, optional
        what the description says of where it is from beside its files.

    Raises
    ------
    FoldgraftError
        as `open_checkpoint` and `write_trunk` do.
    """
    opened = open_checkpoint(checkpoint, adapter)
    about = opened.about | {"source": {"kind": "checkpoint"} | (source or {}) | opened.about["source"]}
    write_trunk(weights, description, opened.network, opened.name, about)


def write_trunk(weights: Path, description: Path, network: Network, name: str, about: dict[str, Any]) -> None:
    """Write `model.safetensors` and `trunk.json`, after the network was compared with fair-esm's own.

    Parameters
    ----------
    about : dict
        where the tensors come from.

    Raises
    ------
    FoldgraftError
        if a tensor holds what is no number, or the network does not compute what fair-esm's does.
    """
    _check_finite(network, f"trunk {name}")
    network = network.to("cpu")
    facts = describe(network, name)
    with atomic(weights) as temporary:
        save_file({key: tensor.contiguous() for key, tensor in network.state_dict().items()}, temporary)
    write_json(description, facts | {"sha256": file_sha256(weights), **about})


def describe(network: Network, name: str) -> dict[str, Any]:
    """What is known of a network by itself: architecture, heads, proof and fingerprint.

    Raises
    ------
    FoldgraftError
        if the proof fails.
    """
    return {
        "name": name,
        "architecture": network.architecture.as_dict(),
        "alphabet": alphabet.LETTERS,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "language_head": network.lm_head is not None,
        "contact_regression": network.contact_head is not None,
        "proof": prove(network, name),
        "fingerprint": as_lists(fingerprint(network.eval())),
    }
