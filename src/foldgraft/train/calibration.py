"""Calibration of an ensemble on proteins that its heads did not learn from."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from foldgraft.tasks.calibration import Calibration
from foldgraft.tasks.examples import Examples
from foldgraft.tasks.trained import MemberInfo, scale_of
from foldgraft.train.ensemble import Group, Member

MOST = 2_000_000
"""Examples that a calibration is fitted on; more, as of residue pairs, change nothing."""


@dataclass(frozen=True)
class Calibrated:
    """The heads of a test fold, with the calibration of each task."""

    test_fold: int
    members: Sequence[Member]
    validated: dict[int, list[Member]]
    calibrations: Sequence[Calibration]

    def predict(self, members: Sequence[Member], task: int, outputs: Tensor) -> Tensor:
        """What a user reads, by each of these members; outputs (M, n, K) to (M, n, P)."""
        calibration = self.calibrations[task]
        return torch.stack([m.targets[task].predict(o, calibration) for m, o in zip(members, outputs, strict=True)])

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
