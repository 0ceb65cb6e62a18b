"""The networks of ESM-2 (Lin et al. 2023, Science 379:1123), ESM-1b (Rives et al. 2021, PNAS 118:e2016239118) and
ESM-1v (Meier et al. 2021): fair-esm's tensors by their names, in a leaner forward.

It differs from fair-esm's in how it computes, not in what: one product for query, key and value, the fused
scaled-dot-product attention of torch, batch first, and the language-model head only where it is asked for. Where no
gradient is wanted, some steps write over their input: on a CPU fresh memory costs more than such a step itself.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import alphabet

MASKED_IN_TRAINING = 0.15 * 0.8
"""Fraction of the tokens that the pretraining replaced by <mask>; token dropout scales by it."""

Positions = Literal["rotary", "learned"]

ROTARY = "inv_freq"
"""Name of the rotary frequencies among the tensors of a network."""

LARGEST = 1 << 14
"""No size of a trunk is greater; keeps a damaged description from asking for all the memory there is."""

FIRST_PLACE = alphabet.PAD + 1
"""Row of the first token among the learned positions; the rows up to that of padding are not used."""


@dataclass(frozen=True)
class Architecture:
    """What determines the shapes of all tensors.

    Attributes
    ----------
    positions
        how a token's place enters: rotary turns of queries and keys (ESM-2), or learned vectors (ESM-1b, ESM-1v).
    max_tokens
        how many tokens at once have learned vectors, a hard limit; None with rotary positions.
    norm_before
        whether the embeddings are normalised before the first layer (ESM-1b).
    """

    layers: int
    width: int
    heads: int
    token_dropout: bool = True
    alphabet: str = alphabet.NAME
    positions: Positions = "rotary"
    max_tokens: int | None = None
    norm_before: bool = False

    @classmethod
    def read(cls, value: Any, where: str) -> "Architecture":
        """From the `architecture` of a description.

        Raises
        ------
        FoldgraftError
            naming `where` it is from, if it is none.
        """
        try:
            found = cls(**value)
        except TypeError as error:
            raise FoldgraftError(f"{where}: architecture cannot be read ({error})") from None
        if found.alphabet != alphabet.NAME:
            raise FoldgraftError(f"{where}: the alphabet must be {alphabet.NAME!r}, not {found.alphabet!r}")
        if found.positions not in get_args(Positions) or (found.positions == "learned") != bool(found.max_tokens):
            raise FoldgraftError(
                f"{where}: positions must be rotary, or learned with max_tokens, not {found.positions!r} "
                f"with {found.max_tokens}"
            )
        sizes = (found.layers, found.width, found.heads, *([found.max_tokens] if found.max_tokens else []))
        if not all(type(size) is int and 0 < size <= LARGEST for size in sizes):
            raise FoldgraftError(f"{where}: the sizes of a trunk are whole numbers from 1 to {LARGEST}, not {found}")
        return found

    def as_dict(self) -> dict[str, Any]:
        """For a description."""
        return asdict(self)


def frequencies(width: int) -> Tensor:
    """Rotary frequencies of a head of this width, 10000^(-2 i / width), for weights yet to be trained; (width / 2,)."""
    return 1.0 / (10000 ** (torch.arange(0, width, 2).float() / width))


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

    def forward(self, x: Tensor, rotary: Tensor | None, mask: Tensor | None) -> Tensor:
        query, key, value = self.project(x, rotary)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))

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

    def forward(self, x: Tensor, rotary: Tensor | None, mask: Tensor | None) -> Tensor:
        return self._transition(x + self.self_attn(self.self_attn_layer_norm(x), rotary, mask))

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


class ContactRegression(nn.Module):
    """fair-esm's logistic regression from corrected attention maps to contacts; layers outermost."""

    def __init__(self, maps: int):
        super().__init__()
        self.regression = nn.Linear(maps, 1)


class Network(nn.Module):
    """A trunk. Its state dictionary is fair-esm's, less the tied `lm_head.weight`, and with the rotary frequencies once
    in place of once a layer.

    Parameters
    ----------
    architecture
        of the trunk.
    contacts
        whether there is a contact regression; fair-esm's checkpoints keep it in a file of its own.
    """

    def __init__(self, architecture: Architecture, contacts: bool = False):
        super().__init__()
        width, heads = architecture.width, architecture.heads
        if width % heads or width // heads % 2:
            raise FoldgraftError(f"trunk: width {width} must be an even multiple of heads {heads}")
        self.architecture = architecture
        self.embed_tokens = nn.Embedding(len(alphabet.TOKENS), width, padding_idx=alphabet.PAD)
        places = architecture.max_tokens
        self.embed_positions = nn.Embedding(places + FIRST_PLACE, width, padding_idx=alphabet.PAD) if places else None
        self.emb_layer_norm_before = nn.LayerNorm(width) if architecture.norm_before else None
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(architecture.layers))
        self.emb_layer_norm_after = nn.LayerNorm(width)
        self.lm_head = LanguageHead(width)
        self.contact_head = ContactRegression(architecture.layers * heads) if contacts else None
        # a tensor like others: the published ones were rounded in training, and what is computed anew is not the same
        self.register_buffer(ROTARY, frequencies(width // heads) if architecture.positions == "rotary" else None)

    def embed(self, tokens: Tensor) -> Tensor:
        """Input embeddings of tokens (B, T); shape (B, T, D), zero at padding.

        Raises
        ------
        FoldgraftError
            if there are more tokens than learned positions.
        """
        x = self.embed_tokens(tokens)
        real = tokens != alphabet.PAD
        if self.architecture.token_dropout:
            masked = tokens == alphabet.MASK
            share = masked.sum(-1) / real.sum(-1)
            scale = (1 - MASKED_IN_TRAINING) / (1 - share)  # (B,)
            x = x.masked_fill(masked[..., None], 0) * scale[:, None, None]
        if self.embed_positions is not None:
            if tokens.shape[1] > self.architecture.max_tokens:
                raise FoldgraftError(
                    f"trunk: it reads {self.architecture.max_tokens} tokens at once, not {tokens.shape[1]}"
                )
            places = torch.where(real, real.cumsum(-1) - 1 + FIRST_PLACE, alphabet.PAD)
            x = x + self.embed_positions(places)
        if self.emb_layer_norm_before is not None:
            x = self.emb_layer_norm_before(x)
        return x * real[..., None]

    def rotary(self, length: int) -> Tensor | None:
        """Turns of the rotary positions, complex numbers of modulus 1; (T, 1, 1, d / 2) for heads of width d."""
        if self.inv_freq is None:
            return None
        angle = torch.outer(torch.arange(length, device=self.inv_freq.device).float(), self.inv_freq)
        return torch.polar(torch.ones_like(angle), angle)[:, None, None]

    def forward(self, tokens: Tensor, padded: bool | None = None) -> Tensor:
        """Representations of the last layer after its norm; tokens (B, T) to (B, T, D).

        To be told whether any token is padding spares the wait for a GPU to say so.
        """
        padding = tokens == alphabet.PAD
        mask = ~padding[:, None, None] if (padding.any() if padded is None else padded) else None  # (B, 1, 1, T)
        rotary = self.rotary(tokens.shape[1])
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x, rotary, mask)
        return self.emb_layer_norm_after(x)

    def logits(self, representations: Tensor) -> Tensor:
        """Scores of the tokens from representations, (..., D) to (..., 33)."""
        return self.lm_head(representations, self.embed_tokens.weight)
