"""Calibration of an ensemble on proteins that its heads did not learn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from foldgraft.metrics.calibration import calibration, calibration_rows, score_bins
from foldgraft.tasks.calibration import Calibration
from foldgraft.tasks.examples import Examples
from foldgraft.tasks.task import Task
from foldgraft.tasks.trained import MemberInfo, scale_of
from foldgraft.train.ensemble import Group, Member

BINS = 10
"""Of the expected calibration error, each with as many examples."""

LEAST = 1e-7
"""Least probability of which a logarithm is taken."""

MOST = 2_000_000
"""Examples that a calibration is fitted on; more, as of residue pairs, change nothing."""


@dataclass(frozen=True)
class Calibrated:
    """The heads of a test fold, with the calibration of each task."""

    test_fold: int
    members: Sequence[Member]
    validated: dict[int, list[Member]]
    calibrations: Sequence[Calibration]

    def predict(
        self, members: Sequence[Member], task: int, outputs: Tensor, calibration: Calibration | None = None
    ) -> Tensor:
        """What a user reads, by each of these members, with another calibration if one is given; outputs (M, n, K) to
        (M, n, P)."""
        chosen = calibration or self.calibrations[task]
        return torch.stack([m.targets[task].predict(o, chosen) for m, o in zip(members, outputs, strict=True)])

    @property
    def infos(self) -> list[MemberInfo]:
        """What the head's file says of the members."""
        return [
            MemberInfo(
                seed=member.seed,
                test_fold=member.test_fold,
                valid_fold=member.valid_fold,
                best_epoch=member.best_epoch,
                penalty=member.penalty,
                scales=[scale_of(target) for target in member.targets],
                calibrations=list(self.calibrations),
            )
            for member in self.members
        ]


def calibrate(examples: Examples, group: Group) -> Calibrated:
    """Fit the calibration of each task on all validation proteins of a test fold, each scored by the heads that did not
    learn from it."""
    outputs: list[list[Tensor]] = [[] for _ in examples.tasks]
    truth: list[list[Tensor]] = [[] for _ in examples.tasks]
    count = 0
    for one in group.roles:
        heads = [member.head for member in group.validated[one.valid_fold]]
        for scored in examples.score(heads, one.valid):
            known = examples.truth(scored.row)
            for task in range(len(examples.tasks)):
                outputs[task].append(scored.outputs[task])
                truth[task].append(known[task])
            count += len(known[0])
            if count > MOST:
                break
    calibrations = []
    target_of = group.members[0].targets
    for task in range(len(examples.tasks)):
        calibrations.append(target_of[task].fit_calibration(torch.cat(outputs[task], dim=1), torch.cat(truth[task])))
    return Calibrated(group.test_fold, group.members, group.validated, calibrations)


class Gain:
    """What the calibration of a task's probabilities does to test examples, which it was not fitted on."""

    def __init__(self, task: Task):
        self.task = task
        self._parts: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, before: Tensor, after: Tensor, truth: Tensor) -> None:
        """Take in probabilities of one protein, (M, n, P), without and with the calibration, and its truth (n, 1)."""
        mean, known = self.task.target.mean, ~truth[:, 0].isnan()
        self._parts.append((mean(before)[known], mean(after)[known], truth[known, 0]))

    def rows(self) -> list[dict[str, Any]]:
        """Mean cross-entropy (nats) before and after, and of binary labels the expected calibration error."""
        before, after, truth = (torch.cat(parts).double().numpy() for parts in zip(*self._parts, strict=True))
        if not len(truth):
            return []
        row: dict[str, Any] = {"task": self.task.name, "n": len(truth)}
        for name, said in (("before", before), ("after", after)):
            if self.task.kind == "binary":
                score = said[:, 0]
                gaps = calibration_rows(truth, score, score_bins(score, BINS))
                row[f"ece_{name}"] = float(calibration(gaps.sum(axis=0)[None])["ece"][0])
                sure = np.stack([1 - score, score], axis=1).clip(LEAST)
                row[f"cross_entropy_{name}"] = float(
                    -((1 - truth) * np.log(sure[:, 0]) + truth * np.log(sure[:, 1])).mean()
                )
            else:
                said = said[np.arange(len(truth)), truth.astype(np.int64)]
                row[f"cross_entropy_{name}"] = float(-np.log(said.clip(LEAST)).mean())
        return [row]
