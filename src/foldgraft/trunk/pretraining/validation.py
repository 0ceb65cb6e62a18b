"""The loss of masked-language modelling, and the perplexity on held-back sequences."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from foldgraft.models.trunk import alphabet
from foldgraft.models.trunk.network import Network
from foldgraft.trunk.pretraining.batches import buckets, masked, pad, select
from foldgraft.trunk.pretraining.corpus import Corpus
from foldgraft.trunk.pretraining.prefetch import tensors
from foldgraft.trunk.pretraining.settings import PretrainSettings


def masked_loss(network: Network, inputs: Tensor, positions: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of the selected positions in nats, their sum; the language head runs on these alone.

    Parameters
    ----------
    inputs, positions, targets : Tensor
        as `prefetch.tensors` gives them, on the CPU; they go to the network's device. On CUDA products are in bfloat16.
    """
    device = network.embed_tokens.weight.device
    padded = bool((inputs == alphabet.PAD).any())
    inputs, positions, targets = (part.to(device, non_blocking=True) for part in (inputs, positions, targets))
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        hidden = network(inputs.long(), padded).flatten(0, 1)
        logits = network.logits(hidden[positions])
    return F.cross_entropy(logits.float(), targets, reduction="sum")


class Validation:
    """The same masked positions of the held-back sequences at every measurement, all of them behind <mask>."""

    def __init__(self, valid: Corpus, settings: PretrainSettings):
        generator = np.random.default_rng(settings.seed)
        pool = sorted((valid[number][: settings.crop_length] for number in range(len(valid))), key=len, reverse=True)
        lengths = np.array([len(tokens) for tokens in pool])
        self.batches = []
        for start, stop in buckets(lengths, settings.batch_tokens):
            tokens = pad(pool[start:stop])
            selected = select(tokens, generator)
            self.batches.append(masked(tokens, np.where(selected, alphabet.MASK, tokens).astype(np.uint8), selected))

    def positions(self) -> int:
        """How many tokens are to be guessed."""
        return sum(len(batch.positions) for batch in self.batches)

    def unigram(self, frequencies: np.ndarray) -> float:
        """Perplexity of guessing by the frequencies of letters."""
        targets = np.concatenate([batch.targets for batch in self.batches])
        return float(np.exp(-np.log(frequencies[targets]).mean()))

    @torch.no_grad()
    def perplexity(self, network: Network) -> float:
        """Perplexity of the network."""
        network.eval()
        losses = [masked_loss(network, *tensors(batch, False)) for batch in self.batches]
        network.train()
        return float(np.exp(float(torch.stack(losses).double().sum()) / self.positions()))
