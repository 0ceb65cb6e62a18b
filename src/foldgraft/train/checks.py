"""What must hold before a head is trained. A failed check stops the experiment."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from foldgraft.errors import FoldgraftError
from foldgraft.models.heads import without_dropout
from foldgraft.models.trunk import Trunk
from foldgraft.records.embeddings import Embeddings
from foldgraft.train.loop import Batch
from foldgraft.train.losses import floor, logit, loss
from foldgraft.train.optimizers import build_optimizer
from foldgraft.train.settings import Optimizer

OVERFIT_EXAMPLES = 8
OVERFIT_STEPS = 300
OVERFIT_RATES = (0.02, 0.003)  # a step that suits a linear head can kill a deep one
OVERFIT_LEFT = 0.2  # of the distance to the least possible loss
UNTRAINED_TOLERANCE = 0.1  # of the expected loss


@dataclass(frozen=True)
class Check:
    """One check: what was asked, what was seen."""

    name: str
    passed: bool
    value: float | str
    expected: str


def check_trunk(embeddings: Embeddings, trunk: Trunk) -> None:
    """Refuse embeddings that another trunk made."""
    if embeddings.trunk != trunk.sha256:
        raise FoldgraftError(
            f"the embeddings were made with the trunk {str(embeddings.trunk)[:12]}..., not with {trunk.name} "
            f"({trunk.sha256[:12]}...); rerun the embed stage"
        )


def run_checks(
    head: nn.Module, batch: Batch, loss_name: str, base_rate: float, optimizer: Optimizer, trunk: Trunk
) -> list[Check]:
    """Check an untrained head on a batch of training examples; the head is left as it was.

    Parameters
    ----------
    base_rate
        mean label of the training proteins or pairs, before any were drawn more often than others.

    Raises
    ------
    FoldgraftError
        naming the checks that failed.
    """
    checks = _passed(_outputs(head, batch))  # first: the others need a logit for every label
    return checks + _passed(
        [
            _untrained(head, batch, loss_name, base_rate),
            _gradients(head, batch, loss_name),
            _overfit(head, batch, loss_name),
            _frozen(head, optimizer, trunk),
        ]
    )


def _passed(checks: list[Check]) -> list[Check]:
    failed = [check for check in checks if not check.passed]
    if failed:
        said = "; ".join(f"{check.name}: {check.value} where {check.expected} is expected" for check in failed)
        raise FoldgraftError(f"checks before training: {said}")
    return checks


@torch.no_grad()
def _outputs(head: nn.Module, batch: Batch) -> list[Check]:
    logits = without_dropout(head).eval()(*batch.inputs)
    probability = torch.sigmoid(logits)
    right = bool(torch.isfinite(logits).all() & (probability >= 0).all() & (probability <= 1).all())
    return [
        Check(
            "output shape", logits.shape == batch.labels.shape, str(tuple(logits.shape)), str(tuple(batch.labels.shape))
        ),
        Check("output range", right, _range(probability), "probabilities from 0 to 1, of finite logits"),
    ]


def _range(values: Tensor) -> str:
    return f"{float(values.min()):.3f} to {float(values.max()):.3f}"


@torch.no_grad()
def _untrained(head: nn.Module, batch: Batch, name: str, base_rate: float) -> Check:
    """An untrained head should do as well as one that says the base rate of everything."""
    seen = float(loss(name, without_dropout(head).eval()(*batch.inputs) + batch.offset, batch.labels))
    expected = float(loss(name, batch.offset + logit(base_rate), batch.labels))
    near = abs(seen - expected) <= UNTRAINED_TOLERANCE * expected
    return Check("untrained loss", near, round(seen, 4), f"{expected:.4f} within {UNTRAINED_TOLERANCE:.0%}")


def _gradients(head: nn.Module, batch: Batch, name: str) -> Check:
    copy = without_dropout(head).train()
    value = loss(name, copy(*batch.inputs) + batch.offset, batch.labels)
    value.backward()
    wrong = [
        parameter
        for parameter, tensor in copy.named_parameters()
        if tensor.grad is None or not bool(torch.isfinite(tensor.grad).all())
    ]
    return Check("finite gradients", not wrong, ", ".join(wrong) or "all", "a finite gradient for every parameter")


def _overfit(head: nn.Module, batch: Batch, name: str) -> Check:
    """A head that cannot learn a handful of examples by heart has no path from inputs to labels."""
    few = _handful(batch)
    left = 1.0
    for rate in OVERFIT_RATES:
        left = min(left, _loss_left(without_dropout(head).train(), few, name, rate))
        if left <= OVERFIT_LEFT:
            break
    expected = f"at most {OVERFIT_LEFT} of the loss left after {OVERFIT_STEPS} steps"
    return Check("overfit one batch", left <= OVERFIT_LEFT, round(left, 4), expected)


def _loss_left(head: nn.Module, batch: Batch, name: str, rate: float) -> float:
    """Share of the distance to the least possible loss that is left after training on one batch."""
    optimizer = torch.optim.Adam(head.parameters(), lr=rate)
    first, left = 0.0, 1.0
    for step in range(OVERFIT_STEPS):
        value = loss(name, head(*batch.inputs), batch.labels)
        distance = float(value.detach()) - floor(name, batch.labels)
        first = distance if step == 0 else first
        left = distance / first if first > 0 else 0.0
        if left <= OVERFIT_LEFT or not value.requires_grad:
            break
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return left


def _handful(batch: Batch) -> Batch:
    """Examples of the highest labels, and as many of low labels whose inputs are least like theirs."""
    inputs = batch.inputs[0].float().flatten(1)  # (B, F)
    half = max(1, min(OVERFIT_EXAMPLES, inputs.shape[1] // 4, len(inputs)) // 2)
    high = torch.argsort(batch.labels, descending=True, stable=True)[:half]
    lowest = batch.labels[high].min()
    low = torch.nonzero((batch.labels < lowest) & (batch.labels <= batch.labels.median())).squeeze(1)
    apart = torch.cdist(inputs[low], inputs[high]).amin(dim=1)
    rows = torch.cat([high, low[torch.argsort(apart, descending=True, stable=True)[:half]]])
    return Batch(tuple(t[rows] for t in batch.inputs), batch.labels[rows], batch.offset[rows])


def _frozen(head: nn.Module, settings: Optimizer, trunk: Trunk) -> Check:
    """No tensor of the trunk among those that the optimizer steps."""
    stepped = {p.data_ptr() for group in build_optimizer(head, settings).param_groups for p in group["params"]}
    trunk_tensors = list(trunk.network.parameters())
    shared = sum(p.data_ptr() in stepped for p in trunk_tensors) + sum(p.requires_grad for p in trunk_tensors)
    return Check("trunk frozen", not shared, f"{shared} trunk tensors stepped", "none")


def parameter_table(head: nn.Module, trunk: Trunk) -> list[dict[str, Any]]:
    """Every trained tensor of a head, and the trunk's parameters, summed up by their first two names."""
    rows = [
        {"part": "head", "name": name, "parameters": p.numel(), "trainable": p.requires_grad}
        for name, p in head.named_parameters()
    ]
    groups: dict[tuple[str, bool], int] = {}
    for name, p in trunk.network.named_parameters():
        key = (".".join(name.split(".")[: 2 if name.startswith("layers.") else 1]), p.requires_grad)
        groups[key] = groups.get(key, 0) + p.numel()
    rows += [
        {"part": "trunk", "name": name, "parameters": count, "trainable": trainable}
        for (name, trainable), count in groups.items()
    ]
    return rows


def summary(checks: list[Check], head: nn.Module, trunk: Trunk, before: str, after: str) -> dict[str, Any]:
    """What `checks.json` says.

    Raises
    ------
    FoldgraftError
        if the trunk's tensors are not after training what they were before.
    """
    if before != after:
        raise FoldgraftError("checks after training: the trunk's tensors have changed")
    table = parameter_table(head, trunk)
    return {
        "checks": [asdict(check) for check in checks],
        "trunk": {
            "name": trunk.name,
            "file": trunk.sha256,
            "before": before,
            "after": after,
            "frozen": before == after,
        },
        "trainable": sum(row["parameters"] for row in table if row["trainable"]),
        "frozen": sum(row["parameters"] for row in table if not row["trainable"]),
        "parameters": table,
    }
