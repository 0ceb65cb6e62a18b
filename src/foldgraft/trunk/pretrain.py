"""Masked-language modelling of a small ESM-2 network, bounded by steps, by time, or by both."""

import hashlib
import math
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.esm2 import Architecture, Network
from foldgraft.models.trunk.trunk import AROUND
from foldgraft.trunk.corpus import Corpus
from foldgraft.trunk.examination import Examination, masked_loss
from foldgraft.trunk.feed import ahead, tensors
from foldgraft.trunk.masking import endless_batches
from foldgraft.trunk.settings import PretrainSettings
from foldgraft.trunk.speed import speed
from foldgraft.trunk.state import Learner, read_state, write_state

EMBEDDING_STD = 0.02
"""The embeddings serve as the last matrix too; the usual deviation of 1 would begin at a perplexity above 50."""

HISTORY = ["step", "seconds", "tokens", "learning_rate", "train_loss", "valid_perplexity"]
GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Budget:
    """The steps and seconds allowed from a first one on."""

    steps: int | None
    seconds: float | None
    first_step: int = 0
    first_second: float = 0.0

    def spent(self, step: int, seconds: float) -> float:
        """The larger of the two fractions used up after this many steps and seconds."""
        by_steps = 0.0 if self.steps is None else (step - self.first_step) / self.steps if self.steps else 1.0
        by_time = 0.0 if self.seconds is None else (seconds - self.first_second) / self.seconds
        return max(by_steps, by_time)


def new_network(settings: PretrainSettings, frequencies: np.ndarray) -> Network:
    """A random network that guesses by the frequencies of the letters; shape (33,), all above zero."""
    if not (settings.layers and settings.width and settings.heads):
        raise FoldgraftError("trunk.pretrain.from: give its weights (--start), or layers, width and heads instead")
    torch.manual_seed(settings.seed)
    network = Network(Architecture(settings.layers, settings.width, settings.heads))
    with torch.no_grad():
        network.embed_tokens.weight.normal_(std=EMBEDDING_STD)
        network.embed_tokens.weight[alphabet.PAD].zero_()
        network.lm_head.bias.copy_(torch.from_numpy(np.log(frequencies)))
    return network


def learning_rate(settings: PretrainSettings, step: int, spent: float, decay: float) -> float:
    """Warm-up by steps, then a plateau, then a fall to zero over the last `decay` of the budget."""
    warm = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    fall = min(1.0, (1 - spent) / decay) if decay else 1.0
    return settings.learning_rate * warm * max(0.0, fall)


def digest(train: Corpus, valid: Corpus, settings: PretrainSettings, start: str = "") -> str:
    """Of what determines a pretraining, so that a state of another one is known; `start` names the first weights."""
    parts = [
        settings.model_dump_json(exclude={"save_seconds"}, exclude_defaults=True),
        train.sha256(),
        valid.sha256(),
        start,
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def pretrain(
    train: Corpus,
    valid: Corpus,
    settings: PretrainSettings,
    device: torch.device,
    state: Path | None = None,
    start: Trunk | None = None,
) -> tuple[Network, list[dict[str, float | None]], dict[str, Any]]:
    """Pretrain a network.

    Parameters
    ----------
    train, valid
        text to learn from, and text to measure on.
    settings
        shape, budget and optimizer; bounded by steps alone, the same seed gives the same network.
    device
        on CUDA the products are computed in bfloat16.
    state
        where a copy of the state is kept; if it holds one of this very pretraining, it goes on from there.
    start
        a trunk to go on from, without its contact regression, which is for the weights as they were; random weights by
        default.

    Returns
    -------
    The network; rows of `HISTORY`, the first before any step; and a summary for the trunk's description.
    """
    exam = Examination(valid, settings)
    known = digest(train, valid, settings, start.sha256 if start else "")
    learner = _resumed(state, known, settings, device)
    if learner is None:
        network = _thawed(start, settings) if start else new_network(settings, train.frequencies())
        learner = Learner.of(network, settings, device)

    def keep() -> None:
        if state:
            write_state(state, learner, known)

    budget = Budget(settings.steps, settings.minutes and 60 * settings.minutes)
    learn(learner, train, exam, settings, budget, settings.decay, keep)
    length = train.mean_length(settings.crop_length)
    summary = {
        "settings": settings.model_dump(mode="json"),
        **describe(learner, train, exam),
        **speed(learner.network, length, learner.tokens, learner.seconds, device),
        "valid_sequences": len(valid),
    }
    return learner.network.eval(), summary.pop("history"), summary


def _thawed(trunk: Trunk, settings: PretrainSettings) -> Network:
    places = trunk.network.architecture.max_tokens
    if places and settings.crop_length > places - AROUND:
        raise FoldgraftError(
            f"trunk.pretrain.crop_length: {settings.crop_length} is more than {trunk.name} reads at once; "
            f"give {places - AROUND} at most"
        )
    trunk.network.contact_head = None
    return trunk.network.requires_grad_(True)


def _resumed(state: Path | None, known: str, settings: PretrainSettings, device: torch.device) -> Learner | None:
    if not (state and state.is_file()):
        return None
    learner = read_state(state, settings, device, known)
    if learner is None:
        print(f"pretrain: {state} is of other settings or another text; beginning anew", file=sys.stderr)
        return None
    print(f"pretrain: going on from step {learner.step}, {learner.seconds:.0f} s", file=sys.stderr)
    return learner


def describe(learner: Learner, train: Corpus, exam: Examination) -> dict[str, Any]:
    """How far a pretraining is, and what it has learnt beside letter frequencies."""
    return {
        "train_sequences": len(train),
        "train_residues": len(train.tokens),
        "valid_masked_positions": exam.positions(),
        "steps": learner.step,
        "seconds": round(learner.seconds, 1),
        "tokens": learner.tokens,
        "first_perplexity": learner.history[0]["valid_perplexity"],
        "valid_perplexity": learner.history[-1]["valid_perplexity"],
        "unigram_perplexity": exam.unigram(train.frequencies()),
        "history": learner.history,
    }


def learn(
    learner: Learner,
    train: Corpus,
    exam: Examination,
    settings: PretrainSettings,
    budget: Budget,
    decay: float,
    keep: Callable[[], None],
) -> None:
    """Step until the budget is spent; the perplexity is measured on the way, and the state kept.

    Parameters
    ----------
    decay
        fraction of the budget, at its end, over which the learning rate falls to zero.
    keep
        called every `settings.save_seconds`, and at the end.

    Raises
    ------
    FoldgraftError
        if a loss, a weight or the perplexity is no finite number; what was kept is of before.
    """
    device = learner.network.embed_tokens.weight.device
    on_gpu = device.type == "cuda"
    stream = endless_batches(train, settings, learner.place)
    made = ((place, batch.tokens, tensors(batch, on_gpu)) for place, batch in stream)
    kept = time.monotonic()
    begun = kept - learner.seconds
    rate = 0.0
    if not learner.history:
        measure(learner, exam, rate, 0.0)
    with closing(ahead(made) if on_gpu else made) as batches:
        while (spent := budget.spent(learner.step, learner.seconds)) < 1:
            rate = learning_rate(settings, learner.step, spent, decay)
            learner.place, count, batch = next(batches)
            learner.losses.append(_step(learner, batch, rate))
            learner.step += 1
            learner.tokens += count
            learner.seconds = time.monotonic() - begun
            spent = budget.spent(learner.step, learner.seconds)
            if learner.step % settings.valid_every == 0 and spent < 1:
                measure(learner, exam, rate, spent)
            if time.monotonic() - kept >= settings.save_seconds:
                check_finite(learner)
                keep()
                kept = time.monotonic()
    learner.seconds = time.monotonic() - begun
    if learner.history[-1]["step"] < learner.step:
        measure(learner, exam, rate, 1.0)
    keep()


def measure(learner: Learner, exam: Examination, rate: float, spent: float) -> None:
    """Add a row to the history, and say what it says and which fraction of the budget is spent."""
    loss = torch.stack(learner.losses).mean().item() if learner.losses else None
    perplexity = exam.perplexity(learner.network)
    check_finite(learner, perplexity)
    learnt = "" if loss is None else f"loss {loss:.4f}, "
    learner.losses.clear()
    row = (learner.step, learner.seconds, learner.tokens, rate, loss, perplexity)
    learner.history.append(dict(zip(HISTORY, row, strict=True)))
    print(
        f"pretrain: {spent:.0%}, step {learner.step}, {learner.seconds:.0f} s, {learner.tokens} tokens, {learnt}"
        f"perplexity of masked letters {perplexity:.3f}",
        file=sys.stderr,
    )


def check_finite(learner: Learner, perplexity: float = 1.0) -> None:
    """Raise a `FoldgraftError` if the perplexity, a weight, or a loss since the last measurement is not finite."""
    finite = [tensor.isfinite().all() for tensor in (*learner.network.parameters(), *learner.losses)]
    if not (math.isfinite(perplexity) and torch.stack(finite).all()):
        raise FoldgraftError(
            f"trunk.pretrain: the loss is no finite number at step {learner.step}; lower trunk.pretrain.learning_rate"
        )


def _step(learner: Learner, batch: tuple[Tensor, Tensor, Tensor], rate: float) -> Tensor:
    """One step of the optimizer; the loss before it, without its graph. Nothing here waits for the device."""
    for group in learner.optimizer.param_groups:
        group["lr"] = rate
    loss = masked_loss(learner.network, *batch)
    learner.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(learner.network.parameters(), GRADIENT_NORM)
    learner.optimizer.step()
    return loss.detach()
