"""Masked-language modelling of an ESM-2 network, bounded by steps, by time, or by both."""

import hashlib
import math
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from foldgraft.errors import FoldgraftError
from foldgraft.models.optimizers import linear_fall, warmup
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.architecture import Architecture
from foldgraft.models.trunk.network import Network
from foldgraft.models.trunk.tensors import build_network
from foldgraft.models.trunk.trunk import AROUND
from foldgraft.trunk.pretraining.batches import endless_batches
from foldgraft.trunk.pretraining.checkpoint import TrainingState, read_checkpoint, write_checkpoint
from foldgraft.trunk.pretraining.corpus import Corpus
from foldgraft.trunk.pretraining.prefetch import prefetch, tensors
from foldgraft.trunk.pretraining.settings import PretrainSettings
from foldgraft.trunk.pretraining.validation import Validation, masked_loss

EMBEDDING_STD = 0.02
"""The embeddings serve as the last matrix too; the usual deviation of 1 would begin at a perplexity above 50."""
HISTORY = ["step", "seconds", "tokens", "learning_rate", "train_loss", "valid_perplexity"]
GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Budget:
    """The steps and seconds allowed."""

    steps: int | None
    seconds: float | None

    def spent(self, step: int, seconds: float) -> float:
        """The larger of the two fractions used up after this many steps and seconds."""
        by_steps = 0.0 if self.steps is None else step / self.steps if self.steps else 1.0
        by_time = 0.0 if self.seconds is None else seconds / self.seconds
        return max(by_steps, by_time)


def pretrain(
    train: Corpus,
    valid: Corpus,
    settings: PretrainSettings,
    device: torch.device,
    checkpoint: Path | None = None,
    start: Trunk | None = None,
) -> tuple[Network, list[dict[str, float | None]], dict[str, Any]]:
    """Pretrain a network.

    Parameters
    ----------
    train, valid : Corpus
        sequences to learn from, and sequences to measure on.
    settings : PretrainSettings
        shape, budget and optimizer; bounded by steps alone, the same seed gives the same network.
    device : torch.device
        on CUDA the products are computed in bfloat16.
    checkpoint : Path, optional
        where the state is kept on the way; if the file holds one of this very pretraining, it goes on from there.
    start : Trunk, optional
        a trunk to go on from, without its contact regression, which is for the weights as they were; random weights by
        default.

    Returns
    -------
    The network; rows of `HISTORY`, the first before any step; and a summary for the trunk's description.
    """
    validation = Validation(valid, settings)
    known = digest(train, valid, settings, start.sha256 if start else "")
    state = _resumed(checkpoint, known, settings, device)
    if state is None:
        frequencies = train.frequencies()
        network = thawed(start, settings, frequencies) if start else new_network(settings, frequencies)
        state = TrainingState.of(network, settings, device)

    def keep() -> None:
        if checkpoint:
            write_checkpoint(checkpoint, state, known)

    learn(state, train, validation, settings, keep)
    summary = {
        "settings": settings.model_dump(mode="json"),
        "train_sequences": len(train),
        "train_residues": len(train.tokens),
        "valid_sequences": len(valid),
        "valid_masked_positions": validation.positions(),
        "steps": state.step,
        "tokens": state.tokens,
        "seconds": round(state.seconds, 1),
        "tokens_per_second": round(state.tokens / max(state.seconds, 1e-9)),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "first_perplexity": state.history[0]["valid_perplexity"],
        "valid_perplexity": state.history[-1]["valid_perplexity"],
        "unigram_perplexity": validation.unigram(train.frequencies()),
    }
    return state.network.eval(), state.history, summary


def new_network(settings: PretrainSettings, frequencies: np.ndarray) -> Network:
    """A random network that guesses by the frequencies of the letters; shape (33,), all above zero."""
    if not (settings.layers and settings.width and settings.heads):
        raise FoldgraftError("trunk.pretrain.from: give its weights (--start), or layers, width and heads instead")
    torch.manual_seed(settings.seed)
    network = build_network(Architecture(settings.layers, settings.width, settings.heads))
    with torch.no_grad():
        network.embed_tokens.weight.normal_(std=EMBEDDING_STD)
        network.embed_tokens.weight[alphabet.PAD].zero_()
        network.lm_head.bias.copy_(torch.from_numpy(np.log(frequencies)))
    return network


def learning_rate(settings: PretrainSettings, step: int, spent: float) -> float:
    """Warm-up by steps, then constant, then a fall to zero over the last `decay` of the budget."""
    return settings.learning_rate * warmup(step, settings.warmup_steps) * linear_fall(spent, settings.decay)


def digest(train: Corpus, valid: Corpus, settings: PretrainSettings, start: str = "") -> str:
    """Of what determines a pretraining, so that a checkpoint of another is known; `start` names the first weights."""
    determining = settings.model_dump_json(exclude={"save_seconds"}, exclude_defaults=True)
    parts = [determining, train.sha256(), valid.sha256(), start]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def thawed(trunk: Trunk, settings: PretrainSettings, frequencies: np.ndarray) -> Network:
    """A trunk's network, about to learn; a language head that it lacks begins with the letters' frequencies, (33,)."""
    max_tokens = trunk.network.architecture.max_tokens
    if max_tokens and settings.crop_length > max_tokens - AROUND:
        raise FoldgraftError(
            f"trunk.pretrain.crop_length: {settings.crop_length} is more than {trunk.name} reads at once; "
            f"give {max_tokens - AROUND} at most"
        )
    network = trunk.network
    network.contact_head = None
    if network.lm_head is None:
        print(f"pretrain: {trunk.name} has no language head; a new one begins with the letters", file=sys.stderr)
        torch.manual_seed(settings.seed)
        network.lm_head = network.new_language_head(torch.from_numpy(frequencies).float())
    return network.requires_grad_(True)


def _resumed(
    checkpoint: Path | None, known: str, settings: PretrainSettings, device: torch.device
) -> TrainingState | None:
    if not (checkpoint and checkpoint.is_file()):
        return None
    state = read_checkpoint(checkpoint, settings, device, known)
    if state is None:
        print(f"pretrain: {checkpoint} is of other settings or another corpus; beginning anew", file=sys.stderr)
        return None
    print(f"pretrain: going on from step {state.step}, {state.seconds:.0f} s", file=sys.stderr)
    return state


def learn(
    state: TrainingState,
    train: Corpus,
    validation: Validation,
    settings: PretrainSettings,
    keep: Callable[[], None],
) -> None:
    """Step until the budget is spent, and measure the perplexity on the way.

    Parameters
    ----------
    keep : function
        called every `settings.save_seconds`, and at the end.

    Raises
    ------
    FoldgraftError
        if a loss, a weight or the perplexity is no finite number; what was kept is of before.
    """
    budget = Budget(settings.steps, settings.minutes and 60 * settings.minutes)
    device = state.network.embed_tokens.weight.device
    on_gpu = device.type == "cuda"
    stream = endless_batches(train, settings, state.cursor)
    made = ((cursor, batch.tokens, tensors(batch, on_gpu)) for cursor, batch in stream)
    kept = time.monotonic()
    begun = kept - state.seconds
    rate = 0.0
    if not state.history:
        measure(state, validation, rate, 0.0)
    with closing(prefetch(made) if on_gpu else made) as batches:
        while (spent := budget.spent(state.step, state.seconds)) < 1:
            rate = learning_rate(settings, state.step, spent)
            group = [next(batches) for _ in range(settings.accumulate)]  # without end, so no group is incomplete
            state.cursor = group[-1][0]
            state.losses.append(step(state, [batch for _, _, batch in group], rate))
            state.step += 1
            state.tokens += sum(count for _, count, _ in group)
            state.seconds = time.monotonic() - begun
            spent = budget.spent(state.step, state.seconds)
            if state.step % settings.valid_every == 0 and spent < 1:
                measure(state, validation, rate, spent)
            if time.monotonic() - kept >= settings.save_seconds:
                check_finite(state)
                keep()
                kept = time.monotonic()
    state.seconds = time.monotonic() - begun
    if state.history[-1]["step"] < state.step:
        measure(state, validation, rate, 1.0)
    keep()


def measure(state: TrainingState, validation: Validation, rate: float, spent: float) -> None:
    """Add a row to the history, and say what it says and which fraction of the budget is spent."""
    loss = torch.stack(state.losses).mean().item() if state.losses else None
    perplexity = validation.perplexity(state.network)
    check_finite(state, perplexity)
    learnt = "" if loss is None else f"loss {loss:.4f}, "
    state.losses.clear()
    row = (state.step, state.seconds, state.tokens, rate, loss, perplexity)
    state.history.append(dict(zip(HISTORY, row, strict=True)))
    print(
        f"pretrain: {spent:.0%}, step {state.step}, {state.seconds:.0f} s, {state.tokens} tokens, {learnt}"
        f"perplexity of masked letters {perplexity:.3f}",
        file=sys.stderr,
    )


def check_finite(state: TrainingState, perplexity: float = 1.0) -> None:
    """Raise a `FoldgraftError` if the perplexity, a weight, or a loss since the last measurement is not finite."""
    finite = [tensor.isfinite().all() for tensor in (*state.network.parameters(), *state.losses)]
    if not (math.isfinite(perplexity) and torch.stack(finite).all()):
        raise FoldgraftError(
            f"trunk.pretrain: the loss is no finite number at step {state.step}; lower trunk.pretrain.learning_rate"
        )


def step(state: TrainingState, batches: Sequence[tuple[Tensor, Tensor, Tensor]], rate: float) -> Tensor:
    """One step of the optimizer on several batches as if they were one: every masked residue weighs alike, whichever
    batch it is in. The loss before it, without its graph. Nothing here waits for the device."""
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.optimizer.zero_grad(set_to_none=True)
    count, losses = sum(len(targets) for _, _, targets in batches), []
    for batch in batches:
        loss = masked_loss(state.network, *batch) / count
        loss.backward()
        losses.append(loss.detach())
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), GRADIENT_NORM)
    state.optimizer.step()
    return torch.stack(losses).sum()
