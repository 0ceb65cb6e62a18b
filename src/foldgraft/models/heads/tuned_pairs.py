"""Bodies for residue pairs that train the trunk along with the head."""

from collections.abc import Sequence

import torch
from torch import Tensor

from foldgraft.errors import FoldgraftError
from foldgraft.models.attention import pair_features
from foldgraft.models.heads.layers import Body
from foldgraft.models.heads.settings import Unfreeze
from foldgraft.models.heads.tuned import Tuned
from foldgraft.models.trunk import alphabet
from foldgraft.models.trunk.network import Network


class TunedPairs(Tuned):
    """A body on attention and embeddings that the trunk computes anew for each chain; parameters as for `Tuned`.

    Inputs: tokens (1, T) of a chain; numbers of residues, of N pairs i (N,) and j (N,) for a body that reads single
    pairs, or of the rows i (I,) and columns j (J,) of a rectangle of the map; features that are not the trunk's,
    (columns, N) or (columns, I, J).

    Parameters
    ----------
    layers : sequence of int
        whose states are read; none for a body that reads no embeddings.
    attention : bool
        whether attention is among the features, before the others.

    Raises
    ------
    FoldgraftError
        if nothing that is read depends on what is to be trained.
    """

    def __init__(self, body: Body, network: Network, layers: Sequence[int], unfreeze: Unfreeze, attention: bool):
        super().__init__(body, network, layers, unfreeze)
        self.attention = attention
        if self.layers:
            self.normalise_residues = body.normalise_residues
        self._still()

    def _still(self) -> None:
        """Train no module on which nothing that is read depends.

        Where no embeddings are read that is, of the last layer, what comes after its attention maps.
        """
        device = next(self.network.parameters()).device
        tokens = torch.from_numpy(alphabet.batch([alphabet.encode("ACDEFGHI")])).to(device)
        trained = [p for p in self.network.parameters() if p.requires_grad]
        with torch.enable_grad():
            maps, residues = self.from_trunk(tokens, torch.tensor([0], device=device), torch.tensor([6], device=device))
            total = maps.sum() + residues.sum()
        if not total.requires_grad:
            raise FoldgraftError(
                "unfreeze: nothing that is read of the trunk depends on what would be trained of it; read a later "
                "layer, or train more of it"
            )
        slopes = torch.autograd.grad(total, trained, allow_unused=True)
        reached = {id(p) for p, slope in zip(trained, slopes, strict=True) if slope is not None and bool(slope.any())}
        for module in self.network.modules():
            own = [p for p in module.parameters(recurse=False) if p.requires_grad]
            if not any(id(p) in reached for p in own):  # of LoRA, whose B begins at zero, B alone is reached
                for parameter in own:
                    parameter.requires_grad_(False)

    def from_trunk(self, tokens: Tensor, i: Tensor, j: Tensor) -> tuple[Tensor, Tensor]:
        """Attention features of the pairs (i, j), shape (layers * heads, N), and residue embeddings, (L, D).

        What is not read is empty.
        """
        length, depth = tokens.shape[1] - 2, len(self.network.layers)
        maps, states = [tokens.new_zeros(0, len(i), dtype=torch.float32)], [tokens.new_zeros(length, 0).float()]
        if self.attention:
            x, rotary = self.network.embed(tokens), self.network.rotary(tokens.shape[1])
            for number, layer in enumerate(self.network.layers, 1):
                x, attentions = layer.with_maps(x, rotary)
                maps.append(pair_features(attentions[0, :, 1:-1, 1:-1].float(), i, j))
                if number in self.layers:
                    states.append((x if number < depth else self.network.normalise(x))[0, 1:-1].float())
        else:
            attentions = enumerate(self.network.states(tokens), 1)
            states += [state[0, 1:-1].float() for number, state in attentions if number in self.layers]
        return torch.cat(maps), torch.cat(states, dim=-1)

    def forward(self, tokens: Tensor, i: Tensor, j: Tensor, others: Tensor) -> Tensor:
        if self.body.reads == "pairs":
            maps, _ = self.from_trunk(tokens, i, j)
            return self.body(torch.cat([maps, others]).T)
        rows, columns = (grid.flatten() for grid in torch.meshgrid(i, j, indexing="ij"))
        maps, residues = self.from_trunk(tokens, rows, columns)
        maps = (maps * (rows != columns)).unflatten(1, (len(i), len(j)))
        return self.body(torch.cat([maps, others]), residues[i], residues[j])
