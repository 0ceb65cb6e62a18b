"""ESM C (ESM Team 2024, "ESM Cambrian"): a pre-norm transformer with normalised queries and keys, rotary positions,
gated transitions, and residual branches scaled down in proportion to the square root of the depth.

It has no token dropout and no contact regression. The names of its tensors are those of its Hugging Face layout.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.network import Attend, Network, frequencies, turns

TOKENS = 64
"""Rows of the embeddings: the letters of ESM-2 under their numbers, a chain break (31), <mask> (32), unused ones."""

SCALED_TO = 36
"""The depth at which the residual branches are not scaled."""


NEVER = -20.0
"""Logit of the tokens that no sequence has, in a language head about to be trained."""


class Attention(nn.Module):
    """Multi-head self-attention with queries and keys normalised over all heads, then turned by their positions."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.q_norm, self.k_norm = (nn.LayerNorm(width, bias=False) for _ in range(2))

    def project(self, x: Tensor, rotary: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries and keys, turned, and values; each of shape (B, heads, T, D / heads)."""
        query, key, value = self.q_norm(self.q_proj(x)), self.k_norm(self.k_proj(x)), self.v_proj(x)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (query, key, value))
        return _turn(query, rotary).to(value.dtype), _turn(key, rotary).to(value.dtype), value

    def forward(self, x: Tensor, rotary: Tensor, attend: Attend) -> Tensor:
        return self.o_proj(attend(*self.project(x, rotary)))

    def with_maps(self, x: Tensor, rotary: Tensor) -> tuple[Tensor, Tensor]:
        """What `forward` gives, and the attention maps, shape (B, heads, T, T); unpadded batches only."""
        query, key, value = self.project(x, rotary)
        maps = torch.softmax((query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2), dim=-1)
        return self.o_proj((maps @ value).transpose(1, 2).flatten(2)), maps


def _turn(x: Tensor, rotary: Tensor) -> Tensor:
    """Turn the pairs of features (i, i + d / 2) of each head as complex numbers; x of shape (..., T, d)."""
    first, second = x.float().chunk(2, dim=-1)
    turned = torch.complex(first, second) * rotary
    return torch.cat([turned.real, turned.imag], dim=-1)


class Transition(nn.Module):
    """A gated transition, SwiGLU (Shazeer 2020)."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.gate_proj, self.up_proj = (nn.Linear(width, hidden, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """A pre-norm layer; both of its branches are divided by `scale`."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        width = architecture.width
        self.scale = (architecture.layers / SCALED_TO) ** 0.5
        self.input_layernorm, self.post_attention_layernorm = (nn.LayerNorm(width) for _ in range(2))
        self.self_attn = Attention(width, architecture.heads)
        self.mlp = Transition(width, architecture.hidden)

    def _transition(self, x: Tensor) -> Tensor:
        return x + self.mlp(self.post_attention_layernorm(x)) / self.scale

    def forward(self, x: Tensor, rotary: Tensor, attend: Attend) -> Tensor:
        return self._transition(x + self.self_attn(self.input_layernorm(x), rotary, attend) / self.scale)

    def with_maps(self, x: Tensor, rotary: Tensor) -> tuple[Tensor, Tensor]:
        """The layer's output, shape (B, T, D), and its attention maps, shape (B, heads, T, T)."""
        mixed, maps = self.self_attn.with_maps(self.input_layernorm(x), rotary)
        return self._transition(x + mixed / self.scale), maps


class LanguageHead(nn.Module):
    """From representations to tokens."""

    def __init__(self, width: int):
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.layer_norm = nn.LayerNorm(width)
        self.decoder = nn.Linear(width, TOKENS)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.layer_norm(F.gelu(self.dense(x))))


class ESMC(Network):
    """The 300M model has 30 layers of width 960, the 600M model 36 of 1152; heads are 64 wide."""

    def __init__(self, architecture: Architecture, language: bool = True):
        super().__init__()
        self.architecture = architecture
        self.embed_tokens = nn.Embedding(TOKENS, architecture.width)
        self.layers = nn.ModuleList(Layer(architecture) for _ in range(architecture.layers))
        self.norm = nn.LayerNorm(architecture.width, bias=False)
        self.lm_head = LanguageHead(architecture.width) if language else None
        self.contact_head = None

    def embed(self, tokens: Tensor) -> Tensor:
        return self.embed_tokens(tokens)

    def rotary(self, length: int) -> Tensor:
        """Turns of queries and keys; (T, d / 2) for heads of width d. No checkpoint carries the frequencies."""
        frequency = frequencies(self.architecture.width // self.architecture.heads)
        return turns(frequency.to(self.embed_tokens.weight.device), length)

    def normalise(self, x: Tensor) -> Tensor:
        return self.norm(x)

    def new_language_head(self, frequencies: Tensor) -> LanguageHead:
        head = LanguageHead(self.architecture.width)
        nn.init.zeros_(head.layer_norm.weight)
        with torch.no_grad():
            head.decoder.bias.fill_(NEVER)
            head.decoder.bias[: len(frequencies)] = frequencies.log()
        return head

    def score(self, representations: Tensor) -> Tensor:
        return self.lm_head(representations)
