"""Networks, fresh or from tensors: each tensor has its place, and none is missing."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.esm1b import ESM1b
from foldgraft.models.trunk.esm2 import ESM2, ROTARY
from foldgraft.models.trunk.esmc import ESMC
from foldgraft.models.trunk.network import Network


def build_network(architecture: Architecture, language: bool = True, contacts: bool = False) -> Network:
    """A network with random weights.

    Parameters
    ----------
    language, contacts : bool
        whether there is a language head and a contact regression; ESM C has no regression.
    """
    if architecture.family == "ESM C":
        return ESMC(architecture, language)
    return (ESM2 if architecture.family == "ESM-2" else ESM1b)(architecture, language, contacts)


def read_network(weights: Path, architecture: Architecture) -> Network:
    """A network with the tensors of a safetensors file, in float32.

    Raises
    ------
    FoldgraftError
        if the file is no safetensors file or its tensors are not those of the architecture.
    """
    try:
        state = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise FoldgraftError(f"{weights}: cannot be read as safetensors ({error})") from None
    if architecture.family == "ESM-2" and ROTARY not in state:
        raise FoldgraftError(
            f"{weights}: it lacks the rotary frequencies ({ROTARY}), so Foldgraft 0.1 wrote it; make it anew "
            "from the checkpoint that it came of"
        )
    return fill_network(state, architecture, str(weights)).float()


def fill_network(state: dict[str, torch.Tensor], architecture: Architecture, where: str) -> Network:
    """A network of this architecture with these tensors.

    Parameters
    ----------
    state : dict of str to Tensor
        the tensors by the names of the network.
    where : str
        they are from; named in errors.

    Raises
    ------
    FoldgraftError
        naming the first tensor that is missing, has no place, or is of another shape or kind.
    """
    with torch.device("meta"):
        language, contacts = (any(name.startswith(head) for name in state) for head in ("lm_head.", "contact_head."))
        network = build_network(architecture, language, contacts)
    expected = network.state_dict()
    for name, tensor in expected.items():
        if name not in state:
            raise FoldgraftError(f"{where}: it lacks the tensor {name} of a trunk of {architecture.layers} layers")
        if state[name].shape != tensor.shape:
            shape, wanted = tuple(state[name].shape), tuple(tensor.shape)
            raise FoldgraftError(f"{where}: its tensor {name} has the shape {shape}, not {wanted}")
        kind = state[name]
        if kind.layout != torch.strided or kind.is_meta or not kind.is_floating_point():
            raise FoldgraftError(f"{where}: {name} is no dense tensor of real numbers")
    for name in state:
        if name not in expected:
            raise FoldgraftError(f"{where}: a trunk of {architecture.layers} layers has no place for its tensor {name}")
    network.load_state_dict(state, assign=True)
    return network
