"""What every trunk's network offers, whatever its architecture."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import alphabet
from foldgraft.models.trunk.architecture import Architecture

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From queries, keys and values, each of shape (B, heads, T, D / heads), to what they mix to, (B, T, D)."""


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention; the mask, (B, 1, 1, T), is true where a key counts."""
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2).flatten(2)


def packed_attention(query: Tensor, key: Tensor, value: Tensor, lengths: list[int]) -> Tensor:
    """Attention of sequences that stand one after the other, (1, heads, T of all, D / heads), each within itself."""
    parts = zip(*(tensor.split(lengths, dim=2) for tensor in (query, key, value)), strict=True)
    return torch.cat([attention(*part) for part in parts], dim=1)


class Network(nn.Module, ABC):
    """A stack of transformer layers over embedded tokens, with the heads that its checkpoint has.

    Attributes
    ----------
    architecture : Architecture
    layers : ModuleList
        each maps a state (B, T, D), the turns of `rotary` and how to `Attend` to the next state; its `with_maps` gives
        the attention maps as well.
    lm_head : Module or None
        the language head, from representations to scores of the tokens.
    contact_head : ContactRegression or None
        from attention to contacts.
    """

    architecture: Architecture
    layers: nn.ModuleList
    lm_head: nn.Module | None
    contact_head: "ContactRegression | None"

    @abstractmethod
    def embed(self, tokens: Tensor) -> Tensor:
        """The first state, from tokens (B, T) to (B, T, D)."""

    @abstractmethod
    def rotary(self, length: int) -> Tensor | None:
        """Turns of the rotary positions, complex numbers of modulus 1, in the shape that the layers take."""

    @abstractmethod
    def normalise(self, x: Tensor) -> Tensor:
        """What makes representations of the last state."""

    @abstractmethod
    def score(self, representations: Tensor) -> Tensor:
        """Scores of the tokens by the language head, where there is one."""

    @abstractmethod
    def new_language_head(self, frequencies: Tensor) -> nn.Module:
        """A head that guesses by the frequencies of the tokens, (33,), whatever it reads, for want of any training."""

    def forward(self, tokens: Tensor, padded: bool | None = None) -> Tensor:
        """Representations of the last layer after its norm; tokens (B, T) to (B, T, D)."""
        *_, last = self.states(tokens, padded)
        return last

    def states(self, tokens: Tensor, padded: bool | None = None) -> Iterator[Tensor]:
        """Representations of every layer, one after the other, of the last after its norm.

        Parameters
        ----------
        tokens : Tensor, shape (B, T)
        padded : bool, optional
            whether any token is padding; to be told spares the wait for a GPU to say so.

        Yields
        ------
        shape (B, T, D).
        """
        padding = tokens == alphabet.PAD
        mask = ~padding[:, None, None] if (padding.any() if padded is None else padded) else None  # (B, 1, 1, T)
        yield from self._through(self.embed(tokens), self.rotary(tokens.shape[1]), partial(attention, mask=mask))

    def packed_states(self, texts: Sequence[Tensor]) -> Iterator[Tensor]:
        """What `states` yields, of sequences one after the other in place of padded ones; on a CPU the faster way.

        Parameters
        ----------
        texts : sequence of Tensor, shape (T,)
            the tokens of each sequence.

        Yields
        ------
        shape (1, T of all, D).
        """
        lengths = [len(text) for text in texts]
        x = torch.cat([self.embed(text[None]) for text in texts], dim=1)
        rotary = self.rotary(max(lengths))
        if rotary is not None:
            rotary = torch.cat([rotary[:length] for length in lengths])
        yield from self._through(x, rotary, partial(packed_attention, lengths=lengths))

    def _through(self, x: Tensor, rotary: Tensor | None, attend: Attend) -> Iterator[Tensor]:
        for number, layer in enumerate(self.layers, start=1):
            x = layer(x, rotary, attend)
            yield x if number < len(self.layers) else self.normalise(x)

    def logits(self, representations: Tensor) -> Tensor:
        """Scores of the tokens from representations, (..., D) to (..., tokens).

        Raises
        ------
        FoldgraftError
            if the trunk came without a language head.
        """
        if self.lm_head is None:
            raise FoldgraftError("the trunk has no language head: its checkpoint was saved without one")
        return self.score(representations)


class ContactRegression(nn.Module):
    """The logistic regression from corrected attention maps to contacts (Rao et al. 2021); layers outermost."""

    def __init__(self, maps: int):
        super().__init__()
        self.regression = nn.Linear(maps, 1)


def frequencies(width: int) -> Tensor:
    """Rotary frequencies of a head of this width, 10000^(-2 i / width) (Su et al. 2021), in float32; (width / 2,)."""
    return 1.0 / (10000 ** (torch.arange(0, width, 2).float() / width))


def turns(frequency: Tensor, length: int) -> Tensor:
    """exp(i t f) of the first `length` positions t and each frequency f; shape (T, frequencies)."""
    angle = torch.outer(torch.arange(length, device=frequency.device).float(), frequency)
    return torch.polar(torch.ones_like(angle), angle)
