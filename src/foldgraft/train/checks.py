"""What must hold before a head is trained. A failed check stops the experiment."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from foldgraft.errors import FoldgraftError
from foldgraft.models.heads.layers import Head, without_dropout
from foldgraft.models.trunk import Trunk
from foldgraft.tasks.calibration import Calibration
from foldgraft.tasks.examples import Batch
from foldgraft.train.losses import Loss

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


def run_checks(head: Head, batch: Batch, loss: Loss, truth: Sequence[Tensor], trunk: Trunk) -> list[Check]:
    """Check an untrained head on a batch of training examples; the head is left as it was.

    Parameters
    ----------
    head : Head
    batch : Batch
    loss : Loss
    truth : sequence of Tensor
        of each task, that of all training examples, before any were drawn more often than others.
    trunk : Trunk

    Raises
    ------
    FoldgraftError
        naming the checks that failed.
    """
    checks = _passed(_outputs(head, batch, loss))  # first: the others need an output for every label
    return checks + _passed(
        [
            _untrained(head, batch, loss, truth),
            _gradients(head, batch, loss),
            _overfit(head, batch, loss),
            _frozen(head, trunk),
        ]
    )


def _passed(checks: list[Check]) -> list[Check]:
    failed = [check for check in checks if not check.passed]
    if failed:
        listed = "; ".join(f"{check.name}: {check.value} where {check.expected} is expected" for check in failed)
        raise FoldgraftError(f"checks before training: {listed}")
    return checks


@torch.no_grad()
def _outputs(head: Head, batch: Batch, loss: Loss) -> list[Check]:
    outputs = without_dropout(head).eval()(batch.inputs, batch.covariates)
    shapes = [tuple(values.shape) for values in outputs]
    expected = [(len(truth), target.outputs) for truth, target in zip(batch.truth, loss.targets, strict=True)]
    checks = [Check("output shape", shapes == expected, str(shapes), str(expected))]
    for target, values in zip(loss.targets, outputs, strict=True):
        predicted = target.predict(values, Calibration())
        right = bool(torch.isfinite(values).all() and torch.isfinite(predicted).all())
        what = "finite numbers"
        if target.kind in ("binary", "classes"):
            right = right and bool(((predicted >= 0) & (predicted <= 1)).all())
            what = "probabilities from 0 to 1, of finite outputs"
        checks.append(Check("output range", right, _range(predicted), what))
    return checks


def _range(values: Tensor) -> str:
    return f"{float(values.min()):.3f} to {float(values.max()):.3f}"


@torch.no_grad()
def _untrained(head: Head, batch: Batch, loss: Loss, truth: Sequence[Tensor]) -> Check:
    """An untrained head should do as well as one that says of everything what knowing nothing says."""
    reached = float(loss.of_batch(without_dropout(head).eval(), batch))
    offset = 0.0 if batch.offset is None else batch.offset
    constant = [
        target.bias(values).to(known.device).expand(len(known), -1) + offset
        for target, values, known in zip(loss.targets, truth, batch.truth, strict=True)
    ]
    expected = float(loss.mean(constant, batch.truth))
    near = abs(reached - expected) <= UNTRAINED_TOLERANCE * expected + 1e-3
    return Check("untrained loss", near, round(reached, 4), f"{expected:.4f} within {UNTRAINED_TOLERANCE:.0%}")


def _gradients(head: Head, batch: Batch, loss: Loss) -> Check:
    copy = without_dropout(head).train()
    loss.of_batch(copy, batch).backward()
    wrong = [
        parameter
        for parameter, tensor in copy.named_parameters()
        if tensor.numel()
        and tensor.requires_grad
        and (tensor.grad is None or not bool(torch.isfinite(tensor.grad).all()))
    ]
    return Check("finite gradients", not wrong, ", ".join(wrong) or "all", "a finite gradient for every parameter")


def _overfit(head: Head, batch: Batch, loss: Loss) -> Check:
    """A head that cannot learn a handful of examples by heart has no path from inputs to labels."""
    few = _handful(head, batch)
    left = 1.0
    for rate in OVERFIT_RATES:
        left = min(left, _loss_left(without_dropout(head).train(), few, loss, rate))
        if left <= OVERFIT_LEFT:
            break
    expected = f"at most {OVERFIT_LEFT} of the loss left after {OVERFIT_STEPS} steps"
    return Check("overfit one batch", left <= OVERFIT_LEFT, round(left, 4), expected)


def _loss_left(head: nn.Module, batch: Batch, loss: Loss, rate: float) -> float:
    """Share of the distance to the least possible loss that is left after training on one batch."""
    optimizer = torch.optim.Adam([p for p in head.parameters() if p.requires_grad], lr=rate)
    plain = loss.plain()
    floor = plain.floor(batch.truth)
    first, left = 0.0, 1.0
    for step in range(OVERFIT_STEPS):
        value = plain.of_batch(head, batch)
        distance = float(value.detach()) - floor
        first = distance if step == 0 else first
        left = distance / first if first > 0 else 0.0
        if left <= OVERFIT_LEFT or not value.requires_grad:
            break
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return left


@torch.no_grad()
def _handful(head: Head, batch: Batch) -> Batch:
    """The batch with the truth of all but a handful of examples masked: such as differ most in what the output layers
    read, of low and of high truth alike."""
    copy = without_dropout(head).eval()
    hidden = copy.join(copy.body(*batch.inputs), batch.covariates).float()
    known = torch.stack([~values.isnan().any(-1) for values in batch.truth]).all(0)
    if not bool(known.any()):
        known = torch.stack([~values.isnan().any(-1) for values in batch.truth]).any(0)
    rows = torch.nonzero(known).squeeze(1)
    most = max(2, min(OVERFIT_EXAMPLES, hidden.shape[1] // 4))
    truth = batch.truth[0][rows, 0].nan_to_num()
    order = rows[torch.argsort(truth, stable=True)]
    ends = torch.cat([order[: 4 * most], order[-4 * most :]]).unique()
    chosen = [int(order[0])]
    distance = torch.cdist(hidden[ends], hidden[chosen]).squeeze(1)
    for number in range(1, most):
        half = batch.truth[0][ends, 0].nan_to_num() > truth.mean() if number % 2 else torch.ones_like(ends).bool()
        candidates = torch.where(half, distance, -1.0) if bool(half.any()) else distance
        best = int(candidates.argmax())
        chosen.append(int(ends[best]))
        distance = torch.minimum(distance, torch.cdist(hidden[ends], hidden[ends[best]][None]).squeeze(1))
    keep = torch.zeros(len(known), dtype=torch.bool, device=known.device)
    keep[chosen] = True
    masked = tuple(torch.where(keep[:, None], values, torch.nan) for values in batch.truth)
    return batch._replace(truth=masked, offset=None)


def _frozen(head: nn.Module, trunk: Trunk) -> Check:
    """No tensor of the trunk among those that are trained."""
    trained = {p.data_ptr() for p in head.parameters() if p.requires_grad and p.numel()}
    tensors = list(trunk.network.parameters())
    shared = sum(p.data_ptr() in trained for p in tensors) + sum(p.requires_grad for p in tensors)
    return Check("trunk frozen", not shared, f"{shared} trunk tensors trained", "none")


def parameter_table(head: nn.Module, trunk: Trunk) -> list[dict[str, Any]]:
    """Every trained tensor of a head, and the trunk's parameters, summed up by their first two names; where a part of
    the trunk is trained, or added to it, that part is trainable."""
    rows = []
    groups: dict[tuple[str, bool], int] = {}
    inside = [(name.partition(".network.")[2], p) for name, p in head.named_parameters() if ".network." in name]
    for name, p in inside or trunk.network.named_parameters():
        key = (".".join(name.split(".")[: 2 if name.startswith("layers.") else 1]), p.requires_grad)
        groups[key] = groups.get(key, 0) + p.numel()
    for name, p in head.named_parameters():
        if ".network." not in name:
            rows.append({"part": "head", "name": name, "parameters": p.numel(), "trainable": p.requires_grad})
    return rows + [
        {"part": "trunk", "name": name, "parameters": count, "trainable": trainable}
        for (name, trainable), count in groups.items()
    ]


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
