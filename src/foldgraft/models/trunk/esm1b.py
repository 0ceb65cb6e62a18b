"""ESM-1b (Rives et al. 2021, PNAS 118:e2016239118) and ESM-1v (Meier et al. 2021): the layers of ESM-2, with learned
positions added to the embeddings in place of rotary ones, and in ESM-1b a norm before the first layer.
"""

import torch
from torch import Tensor, nn

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import alphabet
from foldgraft.models.trunk.esm2 import ESM2

FIRST_POSITION = alphabet.PAD + 1
"""Row of the first token among the learned positions; the rows up to that of padding are not used."""


class ESM1b(ESM2):
    """Its state dictionary is fair-esm's, less the tied `lm_head.weight`."""

    def _add_positions(self) -> None:
        shape = self.architecture
        self.embed_positions = nn.Embedding(shape.max_tokens + FIRST_POSITION, shape.width, padding_idx=alphabet.PAD)
        self.emb_layer_norm_before = nn.LayerNorm(shape.width) if shape.norm_before else None

    def rotary(self, length: int) -> None:
        """None: nothing is turned."""

    def embed(self, tokens: Tensor) -> Tensor:
        """Input embeddings of tokens (B, T); shape (B, T, D), zero at padding.

        Raises
        ------
        FoldgraftError
            if there are more tokens than learned positions.
        """
        if tokens.shape[1] > self.architecture.max_tokens:
            raise FoldgraftError(
                f"the trunk reads {self.architecture.max_tokens} tokens at once, not {tokens.shape[1]}"
            )
        real = tokens != alphabet.PAD
        positions = torch.where(real, real.cumsum(-1) - 1 + FIRST_POSITION, alphabet.PAD)
        x = self.token_embeddings(tokens) + self.embed_positions(positions)
        if self.emb_layer_norm_before is not None:
            x = self.emb_layer_norm_before(x)
        return x * real[..., None]
