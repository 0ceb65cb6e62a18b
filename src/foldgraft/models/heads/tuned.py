"""Bodies that train the trunk along with the head: its last layers, all of it, or low-rank additions (LoRA).

What is not trained is shared with the frozen trunk; what is trained is a copy, so that the trunk stays as it is.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.utils.parametrize as parametrize
from torch import Tensor, nn

from foldgraft.errors import FoldgraftError
from foldgraft.models.heads.layers import Body
from foldgraft.models.heads.settings import Last, Lora, Unfreeze
from foldgraft.models.trunk.network import Network

PRODUCTS = {
    "query": {"self_attn.q_proj": "attention.self.query"},
    "key": {"self_attn.k_proj": "attention.self.key"},
    "value": {"self_attn.v_proj": "attention.self.value"},
    "output": {"self_attn.out_proj": "attention.output.dense"},
    "up": {"fc1": "intermediate.dense"},
    "down": {"fc2": "output.dense"},
}
"""Linear layers of a transformer layer of ESM-1b, ESM-1v and ESM-2: our names, and Hugging Face's, which PEFT keeps."""

GATED_PRODUCTS = {
    "query": {"self_attn.q_proj": "self_attn.q_proj"},
    "key": {"self_attn.k_proj": "self_attn.k_proj"},
    "value": {"self_attn.v_proj": "self_attn.v_proj"},
    "output": {"self_attn.o_proj": "self_attn.o_proj"},
    "up": {"mlp.gate_proj": "mlp.gate_proj", "mlp.up_proj": "mlp.up_proj"},
    "down": {"mlp.down_proj": "mlp.down_proj"},
}
"""Those of ESM C."""

OUTSIDE = 10**6
"""Depth of the norm after the last layer."""


class LowRank(nn.Module):
    """A weight plus s B A (Hu et al. 2021); B starts at zero, so that nothing changes before training."""

    def __init__(self, weight: Tensor, rank: int, alpha: float):
        super().__init__()
        outputs, inputs = weight.shape
        self.scale = alpha / rank
        self.lora_A = nn.Parameter(torch.empty(rank, inputs))
        self.lora_B = nn.Parameter(torch.zeros(outputs, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.to(weight.device)  # after it was drawn: a GPU draws other numbers

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.scale * (self.lora_B @ self.lora_A)


class Tuned(Body):
    """A body on what the trunk computes anew for each batch, with what is trained of it.

    Parameters
    ----------
    body : Body
    network : Network
        the frozen trunk's.
    layers : sequence of int
        whose states are read side by side, from 1.
    unfreeze : what is trained

    Raises
    ------
    FoldgraftError
        if the trunk has fewer layers than are to be trained.
    """

    reads = "trunk"

    def __init__(self, body: Body, network: Network, layers: Sequence[int], unfreeze: Unfreeze):
        super().__init__()
        self.body, self.hidden, self.layers = body, body.hidden, list(layers)
        self.normalise = body.normalise
        shared = {id(p): p for p in network.parameters()}
        buffers = {id(b): b for b in network.buffers()}
        self.network: Network = copy.deepcopy(network, {**shared, **buffers})
        self.network.requires_grad_(False)
        if isinstance(unfreeze, Lora):
            self._add_lora(unfreeze)
        else:
            self._thaw(unfreeze)

    def _thaw(self, unfreeze: Last | str) -> None:
        # not those that stand beside the way to embeddings
        parts = [part for name, part in self.network.named_children() if name not in ("lm_head", "contact_head")]
        if isinstance(unfreeze, Last):
            depth = len(self.network.layers)
            if unfreeze.last > depth:
                raise FoldgraftError(f"unfreeze.last: the trunk has {depth} layers, not {unfreeze.last}")
            parts = [*self.network.layers[depth - unfreeze.last :], _last_norm(self.network)]
        for part in parts:
            for module in part.modules():
                for name, parameter in list(module.named_parameters(recurse=False)):
                    setattr(module, name, nn.Parameter(parameter.detach().clone()))

    def _add_lora(self, lora: Lora) -> None:
        for product in lora.targets:
            for name in products(self.network)[product]:
                for layer in self.network.layers:
                    linear = layer.get_submodule(name)
                    added = LowRank(linear.weight, lora.rank, lora.alpha)
                    parametrize.register_parametrization(linear, "weight", added)
                    linear.parametrizations.weight.original.requires_grad_(False)

    def adapter(self) -> dict[str, Tensor]:
        """Matrices of LoRA by PEFT's names; empty without."""
        tensors = {}
        names = {ours: theirs for each in products(self.network).values() for ours, theirs in each.items()}
        block = "layers" if is_gated(self.network) else "encoder.layer"
        for number, layer in enumerate(self.network.layers):
            for ours, theirs in names.items():
                linear = layer.get_submodule(ours)
                if parametrize.is_parametrized(linear, "weight"):
                    added, name = linear.parametrizations.weight[0], f"base_model.model.{block}.{number}.{theirs}"
                    tensors[f"{name}.lora_A.weight"] = added.lora_A.detach()
                    tensors[f"{name}.lora_B.weight"] = added.lora_B.detach()
        return tensors


class TunedSequence(Tuned):
    """A body on embeddings of proteins or residues; parameters as for `Tuned`.

    Inputs: tokens (B, T) and the mask of residues (B, L), L = T - 2.

    Parameters
    ----------
    pooled : bool
        whether the body reads the mean over the residues.
    """

    def __init__(self, body: Body, network: Network, layers: Sequence[int], unfreeze: Unfreeze, pooled: bool):
        super().__init__(body, network, layers, unfreeze)
        self.pooled = pooled

    def embeddings(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """What the body reads: residues (B, L, F), or their means (B, F)."""
        states = [state for number, state in enumerate(self.network.states(tokens), 1) if number in self.layers]
        residues = torch.cat(states, dim=-1)[:, 1:-1].float() * mask[..., None]
        return residues.sum(1) / mask.sum(1, keepdim=True) if self.pooled else residues

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        values = self.embeddings(tokens, mask)
        return self.body(values) if self.pooled else self.body(values, mask)


def is_gated(network: Network) -> bool:
    """Whether a network's layers are those of ESM C."""
    return network.architecture.family == "ESM C"


def products(network: Network) -> dict[str, dict[str, str]]:
    """Linear layers of each transformer layer that LoRA can add to: our names and Hugging Face's, by product."""
    return GATED_PRODUCTS if is_gated(network) else PRODUCTS


def _last_norm(network: Network) -> nn.Module:
    """The norm after the last layer."""
    for name in ("emb_layer_norm_after", "norm"):
        if isinstance(getattr(network, name, None), nn.Module):
            return getattr(network, name)
    return nn.Identity()


def adapter_config(lora: Lora, base: str, network: Network) -> dict[str, Any]:
    """What PEFT's `adapter_config.json` says of an adapter of a network."""
    known = products(network)
    return {
        "peft_type": "LORA",
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": 0.0,
        "target_modules": sorted(name for product in lora.targets for name in known[product].values()),
        "bias": "none",
        "use_rslora": False,
        "base_model_name_or_path": base,
        "task_type": "FEATURE_EXTRACTION",
    }


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """Parameters that are trained, and buffers outside the trunk: all that tells two members apart."""
    state = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    state |= {name: b.detach() for name, b in model.named_buffers() if ".network." not in f".{name}"}
    return state


def load_trained(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Take over what `trained_state` gave.

    Raises
    ------
    RuntimeError
        if tensors are missing, superfluous, or of another shape.
    """
    wanted = set(trained_state(model))
    if wanted != set(state):
        raise RuntimeError(f"missing or superfluous: {', '.join(sorted(wanted ^ set(state))[:3])}")
    model.load_state_dict(state, strict=False)


def depths(model: nn.Module) -> Iterator[tuple[str, nn.Parameter, int | None]]:
    """Trained parameters with their layer of the trunk, from 0 for its embeddings; None for those of the head."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            inside = f".{name}".partition(".network.")[2]
            layer = inside.split(".")[1] if inside.startswith("layers.") else None
            yield name, parameter, (int(layer) + 1 if layer else _outside(inside)) if inside else None


def _outside(name: str) -> int:
    """Depth of a tensor outside the layers: the last norm lies above them all."""
    return OUTSIDE if "norm_after" in name or name.startswith("norm") else 0
