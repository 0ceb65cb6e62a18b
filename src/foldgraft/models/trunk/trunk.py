"""The frozen trunk: representations and attention features of sequences, and the proof that it stays as it was."""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from foldgraft.errors import FoldgraftError
from foldgraft.models.attention import pair_features
from foldgraft.models.device import pick
from foldgraft.models.trunk import alphabet
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.fingerprint import fingerprint
from foldgraft.models.trunk.network import Network
from foldgraft.models.trunk.tensors import read_network
from foldgraft.models.trunk.windows import (
    Window,
    batches,
    block_residues,
    blocks,
    cover,
    pair_cover,
    pairs_within,
    windows,
)
from foldgraft.records.embeddings import Embedded
from foldgraft.records.files import file_sha256, read_json

MAX_WINDOW = 1022
AROUND = 2  # tokens around a sequence
BATCH_TOKENS = 4096
PACKED_TOKENS = 1024
"""Tokens of a batch on a CPU: of more, what lies between two products does not stay in the cache."""


class Trunk:
    """A frozen network; no gradient ever flows into it.

    Attributes
    ----------
    name : str
    layers, width, heads : int
    sha256 : str
        of the weights file, hex.
    device : torch.device
    packed : bool
        whether the sequences of a batch stand one after the other, as on a CPU, or padded in rows, as on a GPU.
    network : Network
    """

    def __init__(
        self,
        network: Network,
        name: str,
        sha256: str,
        device: torch.device | None = None,
        max_window: int = MAX_WINDOW,
        batch_tokens: int = BATCH_TOKENS,
        precision: torch.dtype = torch.float32,
    ):
        self.name, self.sha256, self.precision = name, sha256, precision
        self.device = device or pick()
        self.packed = self.device.type == "cpu"
        self.network = network.to(self.device).eval().requires_grad_(False)
        architecture = network.architecture
        self.max_window = min(max_window, (architecture.max_tokens or max_window + AROUND) - AROUND)
        self.batch_tokens = batch_tokens
        self.layers, self.width, self.heads = architecture.layers, architecture.width, architecture.heads

    @classmethod
    def load(
        cls,
        weights: Path,
        description: Path,
        device: torch.device | None = None,
        max_window: int = MAX_WINDOW,
        batch_tokens: int = BATCH_TOKENS,
        precision: torch.dtype = torch.float32,
    ) -> "Trunk":
        """Read `trunk/model.safetensors` and `trunk/trunk.json`.

        Parameters
        ----------
        weights, description : Path
            the two files; weights stored in half precision are computed with in float32.
        device : torch.device, optional
            where it runs; the first CUDA device or the CPU by default.
        max_window : int
            residues that are read at once, fewer if the trunk has fewer positions; longer sequences are read in
            overlapping windows.
        batch_tokens : int
            tokens of a batch, padding and the two tokens around each sequence included.
        precision : torch.dtype
            in which `embed` computes the products of matrices, bfloat16 for speed on a GPU. Weights, norms and sums
            stay in float32, and so do attention and contacts altogether.

        Raises
        ------
        FoldgraftError
            if the two files do not belong together or a tensor is missing, superfluous or of another shape.
        """
        about = read_json(description)
        try:
            name, sha256 = str(about["name"]), about["sha256"]
            architecture = Architecture.read(about["architecture"], str(description))
        except (KeyError, TypeError):
            raise FoldgraftError(f"{description}: is no description of a trunk; rerun the trunk stage") from None
        if not Path(weights).is_file():
            raise FoldgraftError(f"{weights}: there is no such file; run the trunk stage")
        if file_sha256(weights) != sha256:
            raise FoldgraftError(f"{weights}: is not the file that {description} describes (its sha256 differs)")
        network = read_network(weights, architecture)
        return cls(network, name, sha256, device, max_window, batch_tokens, precision)

    @cached_property
    def fingerprint(self) -> np.ndarray:
        """Mean embeddings of the reference sequences, by which a trunk is known; shape (sequences, D), float32."""
        return fingerprint(self.network)

    def embed(self, sequences: Sequence[str]) -> Iterator[np.ndarray]:
        """Representations of the last layer, as `embed_layers` gives them; shape (length, D), float32, each."""
        return (embedded.residues[:, 0] for embedded in self.embed_layers(sequences, [self.layers]))

    def embed_layers(self, sequences: Sequence[str], layers: Sequence[int] = ()) -> Iterator[Embedded]:
        """Means over the residues of every layer, and the representations of some, without the tokens around the
        sequence.

        Parameters
        ----------
        sequences : sequence of str
            letters of the alphabet; see `foldgraft.models.trunk.alphabet.illegal`.
        layers : sequence of int
            whose residues are wanted, from 1 to L; layer L is taken after the final norm.

        Yields
        ------
        of each sequence, in the order given. A sequence longer than the window is read in overlapping windows and what
        overlaps is averaged; how many were is logged at the end. With whom a sequence shares a batch changes its values
        in float32 by less than 1e-5 of the largest.

        Raises
        ------
        FoldgraftError
            for a letter that the alphabet has not, or a layer that the trunk has not.
        """
        if wrong := [layer for layer in layers if not 1 <= layer <= self.layers]:
            raise FoldgraftError(f"trunk {self.name}: it has the layers 1 to {self.layers}, not {wrong[0]}")
        long = pieces = 0
        for block in blocks(sequences, block_residues(self.batch_tokens, len(layers))):
            cut = [windows(len(sequence), self.max_window) for sequence in block]
            long += sum(len(spans) > 1 for spans in cut)
            pieces += sum(len(spans) for spans in cut if len(spans) > 1)
            yield from self._embed_block(block, cut, layers)
        if long:
            print(f"embed: {long} sequences > {self.max_window} residues read in {pieces} windows", file=sys.stderr)

    def _embed_block(
        self, block: list[str], cut: list[list[tuple[int, int]]], layers: Sequence[int]
    ) -> Iterator[Embedded]:
        tokens = [alphabet.encode(sequence) for sequence in block]
        shares = [1 / cover(len(sequence), spans) for sequence, spans in zip(block, cut, strict=True)]
        pooled = np.zeros((len(block), self.layers, self.width), dtype=np.float32)
        residues = [np.zeros((len(text), len(layers), self.width), dtype=np.float32) for text in block]
        pieces = [Window(number, *span) for number, spans in enumerate(cut) for span in spans]
        most = min(self.batch_tokens, PACKED_TOKENS) if self.packed else self.batch_tokens
        for batch in batches(pieces, most):
            texts = [tokens[piece.sequence][piece.start : piece.stop] for piece in batch]
            share = [shares[piece.sequence][piece.start : piece.stop] for piece in batch]
            starts, sums, kept = self._represent(texts, share, layers)
            for number, piece in enumerate(batch):
                pooled[piece.sequence] += sums[number] / len(block[piece.sequence])
                for column, values in enumerate(kept):
                    rows = values[starts[number] : starts[number] + piece.length]
                    if len(cut[piece.sequence]) > 1:
                        rows = rows * share[number][:, None]
                    residues[piece.sequence][piece.start : piece.stop, column] += rows
        return map(Embedded, pooled, residues)

    @torch.no_grad()
    def _represent(
        self, texts: list[np.ndarray], shares: list[np.ndarray], layers: Sequence[int]
    ) -> tuple[list[int], np.ndarray, list[np.ndarray]]:
        """A batch through the network.

        Returns
        -------
        the row at which the residues of each sequence begin; sums over the residues, each times its share, of every
        layer, (B, L, D); and all rows of some layers, (rows, D) each.
        """
        # autocast rather than converted weights, so that the tensors whose digest is taken stay those of the file
        with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
            starts, rows, states = self._states(texts)
            weights = torch.zeros(len(texts), rows)
            for row, start, share in zip(weights, starts, shares, strict=True):
                row[start : start + len(share)] = torch.from_numpy(share)
            weights = weights.to(self.device)
            sums, kept = [], {}
            for layer, state in enumerate(states, start=1):
                state = state.flatten(0, 1).float()
                with torch.autocast(self.device.type, enabled=False):
                    sums.append(weights @ state)
                if layer in layers:
                    kept[layer] = state.cpu().numpy()
        return starts, torch.stack(sums, dim=1).cpu().numpy(), [kept[layer] for layer in layers]

    def _states(self, texts: list[np.ndarray]) -> tuple[list[int], int, Iterator[torch.Tensor]]:
        """The row at which the residues of each sequence begin, the number of rows, and the states of the layers."""
        if self.packed:
            ends = np.cumsum([len(text) + AROUND for text in texts])
            packed = [torch.from_numpy(alphabet.batch([text])[0]) for text in texts]
            starts = [int(end) - len(text) - 1 for end, text in zip(ends, texts, strict=True)]
            return starts, int(ends[-1]), self.network.packed_states(packed)
        tokens = self._batch(texts)
        starts = [1 + number * tokens.shape[1] for number in range(len(texts))]
        return starts, tokens.numel(), self.network.states(tokens)

    def _batch(self, sequences: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(alphabet.batch(sequences)).to(self.device)

    def attention(self, sequence: str, select: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Attention maps as pair features, layer after layer; only one layer's maps exist at a time.

        Parameters
        ----------
        sequence : str
            letters of the alphabet.
        select : array, optional
            numbers of the pairs wanted, in the packed order of `foldgraft.records.pairs`; all by default.

        Yields
        ------
        float32 array of shape (heads, P) for each layer: the maps without the tokens around the sequence,
        symmetrised, then average-product corrected (`foldgraft.models.attention.pair_features`). Beyond the window,
        the mean over the windows that hold both residues, and 0 for pairs that no window holds.
        """
        tokens = alphabet.encode(sequence)
        spans = windows(len(tokens), self.max_window)
        wanted = [pairs_within(len(tokens), span, select) for span in spans]
        count = len(tokens) * (len(tokens) - 1) // 2 if select is None else len(select)
        # gradients are switched off step by step: a generator must not leave them off for its caller
        with torch.no_grad():
            states = [self.network.embed(self._batch([tokens[start:stop]])) for start, stop in spans]
            rotary = [self.network.rotary(state.shape[1]) for state in states]
        for layer in self.network.layers:
            total = np.zeros((self.heads, count), dtype=np.float32)
            for number, (where, i, j) in enumerate(wanted):
                with torch.no_grad():
                    states[number], maps = layer.with_maps(states[number], rotary[number])
                    features = pair_features(maps[0, :, 1:-1, 1:-1], i.to(self.device), j.to(self.device))
                if len(spans) == 1:
                    total = features.float().cpu().numpy()
                else:
                    total[:, where] += features.float().cpu().numpy()
                del maps, features
            if len(spans) > 1:
                total /= np.maximum(pair_cover(count, wanted), 1)
            yield total

    def contacts(self, sequence: str) -> np.ndarray:
        """Contact probabilities by the trunk's own regression, as fair-esm predicts them; shape (P,), float32.

        Raises
        ------
        FoldgraftError
            if the trunk came without a contact regression.
        """
        if self.network.contact_head is None:
            raise FoldgraftError(f"trunk {self.name}: its checkpoint has no contact regression; fit a contact head")
        regression = self.network.contact_head.regression
        weights = regression.weight.float().cpu().numpy().reshape(self.layers, self.heads)
        logits = float(regression.bias) + sum(
            weight @ features for weight, features in zip(weights, self.attention(sequence), strict=True)
        )
        return (1 / (1 + np.exp(-logits))).astype(np.float32)

    def state_sha256(self) -> str:
        """Hex sha256 over all tensors, by name; the same before and after a training proves the trunk frozen."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.network.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
        return digest.hexdigest()
