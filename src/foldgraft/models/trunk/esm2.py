"""ESM-2 (Lin et al. 2023, Science 379:1123): fair-esm's tensors by their names, in a leaner forward.

It differs from fair-esm's in how it computes, not in what: one product for query, key and value, the fused
scaled-dot-product attention of torch, batch first, and the language-model head only where it is asked for. Where no
gradient is wanted, some steps write over their input: on a CPU fresh memory costs more than such a step itself.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foldgraft.models.trunk import alphabet
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.network import Attend, ContactRegression, Network, frequencies, turns

MASKED_IN_TRAINING = 0.15 * 0.8
"""Fraction of the tokens that the pretraining replaced by <mask>; token dropout scales by it."""

ROTARY = "inv_freq"
"""Name of the rotary frequencies among the tensors of the network."""


class Attention(nn.Module):
    """Multi-head self-attention, with rotary positions (Su et al. 2021) where turns are given."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def _joined(self) -> tuple[Tensor, Tensor]:
        """Weight (3 D, D) and bias (3 D,) of query, key and value in one.

        Rotary positions turn pairs of features, the first half of a head with its second. Here the two of a pair are
        brought side by side, in queries and keys alike, so that they are one complex number and no product changes.
        """
        joined = []
        for kind in ("weight", "bias"):
            query, key, value = (getattr(part, kind) for part in (self.q_proj, self.k_proj, self.v_proj))
            turned = torch.stack([query, key]).unflatten(1, (self.heads, 2, -1)).transpose(2, 3).flatten(0, 3)
            joined.append(torch.cat([turned, value]))
        return joined[0], joined[1]

    def project(self, x: Tensor, rotary: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries and keys, rotated if turns are given, and values; each of shape (B, heads, T, D / heads)."""
        qkv = F.linear(x, *self._joined()).unflatten(-1, (3, self.heads, -1))  # (B, T, 3, heads, d)
        rotated = qkv[:, :, :2]
        if rotary is not None:
            pairs = torch.view_as_complex(rotated.float().unflatten(-1, (-1, 2)))  # (B, T, 2, heads, d / 2)
            turn = pairs.mul if torch.is_grad_enabled() else pairs.mul_
            rotated = torch.view_as_real(turn(rotary)).flatten(-2).to(qkv.dtype)
        query, key = rotated.permute(2, 0, 3, 1, 4)
        return query, key, qkv[:, :, 2].transpose(1, 2)

    def forward(self, x: Tensor, rotary: Tensor | None, attend: Attend) -> Tensor:
        query, key, value = self.project(x, rotary)
        return self.out_proj(attend(query, key, value))

    def with_maps(self, x: Tensor, rotary: Tensor | None) -> tuple[Tensor, Tensor]:
        """What `forward` gives, and the attention maps, shape (B, heads, T, T); unpadded batches only."""
        query, key, value = self.project(x, rotary)
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        maps = torch.softmax(scores, dim=-1)
        return self.out_proj((maps @ value).transpose(1, 2).flatten(2)), maps


class Layer(nn.Module):
    """A pre-norm transformer layer."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def _transition(self, x: Tensor) -> Tensor:
        hidden = self.fc1(self.final_layer_norm(x))
        hidden = F.gelu(hidden) if torch.is_grad_enabled() else torch.ops.aten.gelu.out(hidden, out=hidden)
        return x + self.fc2(hidden)

    def forward(self, x: Tensor, rotary: Tensor | None, attend: Attend) -> Tensor:
        return self._transition(x + self.self_attn(self.self_attn_layer_norm(x), rotary, attend))

    def with_maps(self, x: Tensor, rotary: Tensor | None) -> tuple[Tensor, Tensor]:
        """The layer's output, shape (B, T, D), and its attention maps, shape (B, heads, T, T)."""
        mixed, maps = self.self_attn.with_maps(self.self_attn_layer_norm(x), rotary)
        return self._transition(x + mixed), maps


class LanguageHead(nn.Module):
    """From representations to letters; its last matrix is that of the embeddings."""

    def __init__(self, width: int):
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.layer_norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(len(alphabet.TOKENS)))

    def forward(self, x: Tensor, embeddings: Tensor) -> Tensor:
        return F.linear(self.layer_norm(F.gelu(self.dense(x))), embeddings, self.bias)


class ESM2(Network):
    """Its state dictionary is fair-esm's, less the tied `lm_head.weight`, and with the rotary frequencies once in place
    of once a layer.

    Parameters
    ----------
    architecture : Architecture
        of the trunk.
    language, contacts : bool
        whether there is a language head and a contact regression.
    """

    def __init__(self, architecture: Architecture, language: bool = True, contacts: bool = False):
        super().__init__()
        width, heads = architecture.width, architecture.heads
        self.architecture = architecture
        self.embed_tokens = nn.Embedding(len(alphabet.TOKENS), width, padding_idx=alphabet.PAD)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(architecture.layers))
        self.emb_layer_norm_after = nn.LayerNorm(width)
        self.lm_head = LanguageHead(width) if language else None
        self.contact_head = ContactRegression(architecture.layers * heads) if contacts else None
        self._add_positions()

    def _add_positions(self) -> None:
        # a tensor like others: the published ones were rounded in training, and what is computed anew is not the same
        self.register_buffer(ROTARY, frequencies(self.architecture.width // self.architecture.heads))

    def rotary(self, length: int) -> Tensor | None:
        """Turns of queries and keys; (T, 1, 1, d / 2) for heads of width d."""
        return turns(self.inv_freq, length)[:, None, None]

    def embed(self, tokens: Tensor) -> Tensor:
        """Input embeddings of tokens (B, T); shape (B, T, D), zero at padding."""
        return self.token_embeddings(tokens) * (tokens != alphabet.PAD)[..., None]

    def token_embeddings(self, tokens: Tensor) -> Tensor:
        """Embeddings of the tokens, without their positions; (B, T, D).

        With token dropout those of <mask> are zero, and the others are scaled as if as many were masked as in training.
        """
        x = self.embed_tokens(tokens)
        if self.architecture.token_dropout:
            masked = tokens == alphabet.MASK
            share = masked.sum(-1) / (tokens != alphabet.PAD).sum(-1)
            scale = (1 - MASKED_IN_TRAINING) / (1 - share)  # (B,)
            x = x.masked_fill(masked[..., None], 0) * scale[:, None, None]
        return x

    def normalise(self, x: Tensor) -> Tensor:
        return self.emb_layer_norm_after(x)

    def new_language_head(self, frequencies: Tensor) -> LanguageHead:
        head = LanguageHead(self.architecture.width)
        nn.init.zeros_(head.layer_norm.weight)
        with torch.no_grad():
            head.bias.copy_(frequencies.log())
        return head

    def score(self, representations: Tensor) -> Tensor:
        return self.lm_head(representations, self.embed_tokens.weight)
