"""The proof that a trunk computes what fair-esm's own network computes from the same tensors."""

from argparse import Namespace
from importlib.metadata import version
from typing import Any

import esm
import numpy as np
import torch
from torch import Tensor, nn

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.esm2 import ROTARY
from foldgraft.models.trunk.network import Network
from foldgraft.models.trunk.reference import REFERENCES, room

TOLERANCE = 1e-4
"""Largest difference allowed: of representations and scores in their own units, of contacts in probability."""
ODD = "MXBUZO.-ACDEFGHIKLMNPQRSTVWY"
"""Every letter that has a token."""


@torch.no_grad()
def prove(network: Network, name: str) -> dict[str, Any] | None:
    """Compare the network with fair-esm's on the reference sequences, padded and with masks.

    Parameters
    ----------
    network : Network
        of the trunk, in float32.
    name : str
        of the trunk, for the message.

    Returns
    -------
    The largest differences, for the description, None for a head that is not there; None altogether for an
    architecture that fair-esm does not have.

    Raises
    ------
    FoldgraftError
        if one of them is above `TOLERANCE`.
    """
    if network.architecture.family == "ESM C":
        return None
    network.eval()
    fair = fair_network(network).eval()
    sequences = [sequence[: room(network.architecture)] for sequence in (*REFERENCES, ODD)]
    tokens = torch.from_numpy(alphabet.batch([alphabet.encode(sequence) for sequence in sequences]))
    real, last = tokens != alphabet.PAD, network.architecture.layers
    masked = tokens.clone()
    masked[:, 3::7] = torch.where(real[:, 3::7], alphabet.MASK, alphabet.PAD)
    largest: dict[str, float | None] = {"representations": 0.0, "logits": None, "contacts": None}
    for batch in (tokens, masked):
        theirs = fair(batch, repr_layers=[last])
        ours = network(batch)
        apart = _apart(ours, theirs["representations"][last], real)
        largest["representations"] = max(largest["representations"], apart)
        if network.lm_head is not None:
            largest["logits"] = max(largest["logits"] or 0.0, _apart(network.logits(ours), theirs["logits"], real))
    trunk = Trunk(network, name, "", torch.device("cpu"))
    largest["representations"] = max(largest["representations"], _embeddings_apart(trunk, fair, sequences, tokens))
    if network.contact_head is not None:
        largest["contacts"] = _contacts_apart(trunk, fair, sequences, tokens)
    for what, apart in largest.items():
        if apart is not None and not apart <= TOLERANCE:
            raise FoldgraftError(
                f"trunk {name}: its {what} differ from those of fair-esm's own network by {apart:.1e}, and "
                f"{TOLERANCE:g} is allowed; do not use it, and report where the checkpoint comes from"
            )
    return {"against": f"fair-esm {version('fair-esm')}", "sequences": len(sequences), "tolerance": TOLERANCE} | largest


def fair_network(network: Network) -> nn.Module:
    """fair-esm's own network of the same tensors, in the same memory; a head that is not there is zero."""
    shape = network.architecture
    esm_alphabet = esm.Alphabet.from_architecture("ESM-1b")
    with torch.device("meta"):
        if shape.family == "ESM-2":
            model = esm.ESM2(shape.layers, shape.width, shape.heads, esm_alphabet, shape.token_dropout)
        else:
            model = esm.ProteinBertModel(_roberta(network), esm_alphabet)
    state = network.state_dict()
    rotary = state.pop(ROTARY, None)
    if rotary is not None:
        state |= {f"layers.{number}.self_attn.rot_emb.{ROTARY}": rotary for number in range(shape.layers)}
    state["lm_head.weight"] = state["embed_tokens.weight"]
    state = {key: state.get(key, torch.zeros(tensor.shape)) for key, tensor in model.state_dict().items()} | state
    model.load_state_dict(state, assign=True)
    return model


def _roberta(network: Network) -> Namespace:
    shape = network.architecture
    return Namespace(
        arch="roberta_large",
        layers=shape.layers,
        embed_dim=shape.width,
        ffn_embed_dim=4 * shape.width,
        attention_heads=shape.heads,
        max_positions=shape.max_tokens,
        token_dropout=shape.token_dropout,
        emb_layer_norm_before=shape.norm_before,
    )


def _apart(ours: Tensor, theirs: Tensor, real: Tensor) -> float:
    return float((ours[real] - theirs[real]).abs().max())


def _embeddings_apart(trunk: Trunk, fair: nn.Module, sequences: list[str], tokens: Tensor) -> float:
    """As the embed stage computes them, which may be another way to the same numbers."""
    theirs = fair(tokens, repr_layers=[trunk.layers])["representations"][trunk.layers].numpy()
    pairs = zip(trunk.embed(sequences), theirs, strict=True)
    return max(float(np.abs(ours - others[1 : 1 + len(ours)]).max()) for ours, others in pairs)


def _contacts_apart(trunk: Trunk, fair: nn.Module, sequences: list[str], tokens: Tensor) -> float:
    theirs = fair.predict_contacts(tokens).numpy()
    return max(
        float(np.abs(trunk.contacts(sequence) - contacts[np.triu_indices(len(sequence), k=1)]).max())
        for sequence, contacts in zip(sequences, theirs, strict=True)
    )
