"""Masked-language modelling of a small ESM-2 network, bounded by steps, by time, or by both."""

import gc
import math
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from foldgraft.models import alphabet
from foldgraft.models.trunk_network import Architecture, Network
from foldgraft.trunk.corpus import Corpus
from foldgraft.trunk.masking import buckets, corrupt, endless_batches, select
from foldgraft.trunk.settings import PretrainSettings

EMBEDDING_STD = 0.02
"""The embeddings serve as the last matrix too; the usual deviation of 1 would begin at a perplexity above 50."""

HISTORY = ["step", "seconds", "tokens", "learning_rate", "train_loss", "valid_perplexity"]
GRADIENT_NORM = 1.0
BETAS = (0.9, 0.98)


@dataclass
class Budget:
    """How much of the allowed steps and seconds is spent, as a fraction."""

    steps: int | None
    seconds: float | None
    begun: float = 0.0

    def start(self) -> None:
        """Begin to count the seconds."""
        self.begun = time.monotonic()

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.begun

    def spent(self, step: int) -> float:
        """The larger of the two fractions after this many steps."""
        by_steps = 0.0 if self.steps is None else step / self.steps if self.steps else 1.0
        by_time = 0.0 if self.seconds is None else self.elapsed() / self.seconds
        return max(by_steps, by_time)


def new_network(settings: PretrainSettings, frequencies: np.ndarray) -> Network:
    """A random network that guesses by the frequencies of the letters; shape (33,), all above zero."""
    torch.manual_seed(settings.seed)
    network = Network(Architecture(settings.layers, settings.width, settings.heads))
    with torch.no_grad():
        network.embed_tokens.weight.normal_(std=EMBEDDING_STD)
        network.embed_tokens.weight[alphabet.PAD].zero_()
        network.lm_head.bias.copy_(torch.from_numpy(np.log(frequencies)))
    return network


def learning_rate(settings: PretrainSettings, step: int, spent: float) -> float:
    """Warm-up by steps, then a plateau, then a fall to zero over the last `decay` of the budget."""
    warm = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    fall = min(1.0, (1 - spent) / settings.decay) if settings.decay else 1.0
    return settings.learning_rate * warm * max(0.0, fall)


def masked_loss(network: Network, tokens: np.ndarray, corrupted: np.ndarray, selected: np.ndarray) -> Tensor:
    """Cross-entropy of the selected positions in nats, the mean over them; the head runs on these alone."""
    device = network.embed_tokens.weight.device
    where = torch.from_numpy(selected).to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        hidden = network(torch.from_numpy(corrupted.astype(np.int64)).to(device))
        logits = network.logits(hidden[where])
    return F.cross_entropy(logits.float(), torch.from_numpy(tokens.astype(np.int64)).to(device)[where])


class Examination:
    """The same masked positions of the held-back sequences at every measurement, all of them behind <mask>."""

    def __init__(self, valid: Corpus, settings: PretrainSettings):
        generator = np.random.default_rng(settings.seed)
        pool = [valid[number][: settings.crop_length] for number in range(len(valid))]
        self.batches = list(buckets(pool, settings.batch_tokens))
        self.selected = [select(tokens, generator) for tokens in self.batches]

    def positions(self) -> int:
        """How many letters are to be guessed."""
        return int(sum(selected.sum() for selected in self.selected))

    def unigram(self, frequencies: np.ndarray) -> float:
        """Perplexity of guessing by the frequencies of letters."""
        letters = np.concatenate([t[s] for t, s in zip(self.batches, self.selected, strict=True)])
        return float(np.exp(-np.log(frequencies[letters]).mean()))

    @torch.no_grad()
    def perplexity(self, network: Network) -> float:
        """Perplexity of the network."""
        total = 0.0
        network.eval()
        for tokens, selected in zip(self.batches, self.selected, strict=True):
            hidden = np.where(selected, alphabet.MASK, tokens)
            total += float(masked_loss(network, tokens, hidden, selected)) * selected.sum()
        network.train()
        return math.exp(total / self.positions())


def pretrain(
    train: Corpus, valid: Corpus, settings: PretrainSettings, device: torch.device
) -> tuple[Network, list[dict[str, float]], dict[str, Any]]:
    """Pretrain a network from scratch.

    Parameters
    ----------
    train, valid
        text to learn from, and text to measure on.
    settings
        shape, budget and optimizer; bounded by steps alone, the same seed gives the same network.
    device
        on CUDA the products are computed in bfloat16.

    Returns
    -------
    The network; rows of `HISTORY`, the first before any step; and a summary for the trunk's description.
    """
    frequencies = train.frequencies()
    network = new_network(settings, frequencies).to(device).train()
    exam = Examination(valid, settings)
    optimizer = _optimizer(network, settings)
    generator = np.random.default_rng(settings.seed)
    stream = endless_batches(train, settings.crop_length, settings.batch_tokens, generator)
    budget = Budget(settings.steps, settings.minutes and 60 * settings.minutes)
    history: list[dict[str, float]] = []
    losses: list[Tensor] = []
    step = seen = 0

    def measure(rate: float) -> None:
        loss = torch.stack(losses).mean().item() if losses else math.nan
        learnt = f"loss {loss:.4f}, " if losses else ""
        losses.clear()
        perplexity = exam.perplexity(network)
        history.append(dict(zip(HISTORY, (step, budget.elapsed(), seen, rate, loss, perplexity), strict=True)))
        print(
            f"pretrain: step {step}, {budget.elapsed():.0f} s, {seen} tokens, {learnt}"
            f"perplexity of masked letters {perplexity:.3f}",
            file=sys.stderr,
        )

    budget.start()
    measure(0.0)
    while (spent := budget.spent(step)) < 1:
        rate = learning_rate(settings, step, spent)
        tokens = next(stream)
        losses.append(_step(network, optimizer, tokens, rate, generator))
        seen += int((tokens != alphabet.PAD).sum())
        step += 1
        if step % settings.valid_every == 0 and budget.spent(step) < 1:
            measure(rate)
    if step:
        measure(rate)
    seconds = budget.elapsed()
    del optimizer, stream
    gc.collect()
    summary = {
        "settings": settings.model_dump(mode="json"),
        "train_sequences": len(train),
        "train_residues": len(train.tokens),
        "valid_sequences": len(valid),
        "valid_masked_positions": exam.positions(),
        "steps": step,
        "seconds": round(seconds, 1),
        "tokens": seen,
        "valid_perplexity": history[-1]["valid_perplexity"],
        "unigram_perplexity": exam.unigram(frequencies),
    }
    return network.eval(), history, summary


def _optimizer(network: Network, settings: PretrainSettings) -> torch.optim.Optimizer:
    matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim == 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=BETAS, fused=True)


def _step(
    network: Network,
    optimizer: torch.optim.Optimizer,
    tokens: np.ndarray,
    rate: float,
    generator: np.random.Generator,
) -> Tensor:
    """One step of the optimizer; the loss before it, without its graph."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    selected = select(tokens, generator)
    loss = masked_loss(network, tokens, corrupt(tokens, selected, generator), selected)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
    optimizer.step()
    return loss.detach()
