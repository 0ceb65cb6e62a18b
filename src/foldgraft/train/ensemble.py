"""Who trains, validates and tests the heads of an experiment, and the heads themselves, trained."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from foldgraft.errors import FoldgraftError
from foldgraft.models.heads.build import TrunkPart, Widths, build, build_tuned
from foldgraft.models.heads.layers import Head
from foldgraft.models.trunk import Trunk
from foldgraft.progress import progress
from foldgraft.records.split import VALID_FOLD, Roles, roles
from foldgraft.tasks.examples import Examples, Loading
from foldgraft.tasks.target import Target
from foldgraft.tasks.task import Task
from foldgraft.train.convex import PENALTIES, Convex, Solutions, measured
from foldgraft.train.engine import Engine
from foldgraft.train.inputs import trunk_layers
from foldgraft.train.loop import Run, Score, fit, seed_everything
from foldgraft.train.losses import Loss, build_loss
from foldgraft.train.measure import headline
from foldgraft.train.resume import Resume, digest
from foldgraft.train.settings import Experiment

SOLVED = 0
"""The epoch that the history states of a head that was solved for."""

TOGETHER = 1 << 16
"""Examples whose validation loss is computed together."""

WORSE = 2
"""Weaker penalties in a row that validation finds worse, after which no weaker one is tried."""


@dataclass(frozen=True)
class Member:
    """One trained head, with what must be known to use it."""

    head: Head
    targets: Sequence[Target]  # fitted to its training truth
    seed: int
    test_fold: int
    valid_fold: int | None  # None for one that learnt from all folds but the test fold
    best_epoch: int | None = None
    penalty: float | None = None
    last: tuple[int, dict[str, torch.Tensor]] | None = None  # the last epoch and its weights; None if solved for


@dataclass
class Group:
    """Heads of one test fold: the ensemble, and for each validation fold those that did not learn from it."""

    test_fold: int
    members: list[Member] = field(default_factory=list)
    validated: dict[int, list[Member]] = field(default_factory=dict)
    roles: list[Roles] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    penalties: list[dict[str, float]] = field(default_factory=list)  # tried for a head that is solved for


class Trainer:
    """Everything that training a member needs.

    Parameters
    ----------
    name : str
        of the experiment.
    experiment : Experiment
        resolved.
    examples : Examples
    widths : Widths
    trunk : Trunk
    learnt : array of bool
        which proteins may train and validate.
    engine : Engine
        what heads are trained on; that of the trunk's device alone by default. Heads that are solved for stay on the
        CPU of one process, whatever this is.
    folder : Path or None
        where trainings keep their state, so that a killed one goes on.
    """

    def __init__(
        self,
        name: str,
        experiment: Experiment,
        examples: Examples,
        widths: Widths,
        trunk: Trunk,
        learnt: np.ndarray,
        engine: Engine | None = None,
        folder: Path | None = None,
    ):
        self.name, self.experiment, self.examples = name, experiment, examples
        self.widths, self.trunk, self.learnt = widths, trunk, learnt
        self.engine = Engine(kind="cpu") if experiment.convex else engine or Engine(kind=trunk.device.type)
        self.device = self.engine.device
        self.folder, self._key = folder, None
        self.level = examples.tasks[0].level

    def groups(self) -> list[Group]:
        """The test folds, each with the roles of its members; checked.

        Raises
        ------
        FoldgraftError
            if a set is empty, or training labels are all the same.
        """
        everything = roles(
            self.examples.table["fold"], self.experiment.cross_validate, self.experiment.validation == "all"
        )
        groups: dict[int, Group] = {}
        for one in everything:
            train, valid = (rows[self.learnt[rows]] for rows in (one.train, one.valid))
            if len(valid) or one.valid_fold == VALID_FOLD:  # a fold without labelled proteins validates nothing
                group = groups.setdefault(one.test_fold, Group(one.test_fold))
                group.roles.append(replace(one, train=train, valid=valid))
        for group in groups.values():
            for one in group.roles:
                self._check(one)
        return list(groups.values())

    def _check(self, one: Roles) -> None:
        where = f"{self.name}, test fold {one.test_fold}, validation fold {one.valid_fold}"
        for kind in ("train", "valid", "test"):
            if not len(getattr(one, kind)):
                raise FoldgraftError(f"{where}: no protein in the {kind} set; give more, or split otherwise")
        for task, truth, tested in zip(
            self.examples.tasks, self.examples.rates(one.train), self.examples.rates(one.test), strict=True
        ):
            known, test = truth[~truth.isnan()].unique(), tested[~tested.isnan()].unique()
            if len(known) < 2:
                seen = f"all are {float(known[0]):g}" if len(known) else "there are none"
                raise FoldgraftError(f"{where}: a head cannot learn {task.name} from its training labels: {seen}")
            if task.kind == "classes":
                self._check_classes(where, task, set(known.tolist()), set(test.tolist()))

    def _check_classes(self, where: str, task: Task, known: set[float], test: set[float]) -> None:
        unseen = sorted(test - known)
        if unseen and self.level != "pair":  # rare bins of a distogram may be missing
            names = ", ".join(task.names[int(number)] for number in unseen)
            raise FoldgraftError(f"{where}: no training protein is of the class {names} of {task.name}; test ones are")

    def new_head(self, train: np.ndarray, seed: int) -> tuple[Head, Loss]:
        """An untrained head that knows the training examples' mean, deviation and base rates, and nothing else."""
        seed_everything(seed)
        tasks = self.examples.tasks
        covariates = getattr(self.examples, "covariates", None)
        outputs, known = [task.target.outputs for task in tasks], 0 if covariates is None else len(covariates.names)
        if self.experiment.unfreeze != 0:
            head = build_tuned(self.level, self.experiment.head, self._trunk_part(), outputs, known).to(self.device)
        else:
            head = build(self.level, self.experiment.head, self.widths, outputs, known)
        self.examples.prepare(head, train, seed)
        truth = self.examples.rates(train)
        loss = build_loss(self.experiment, tasks, truth)
        for layer, target, values in zip(head.out, loss.targets, truth, strict=True):
            with torch.no_grad():
                layer.bias.copy_(target.bias(values))
        return head.to(self.device), loss

    def _trunk_part(self) -> TrunkPart:
        unfreeze, mixed = self.experiment.unfreeze, self.widths.mixed > 1
        layers = trunk_layers(self.experiment, self.trunk)
        pairs = self.widths if self.level == "pair" else None
        return TrunkPart(self.trunk.network, layers, unfreeze, mixed, pairs, self.experiment.reads("attention"))

    def train(self, group: Group) -> Group:
        """Train or solve the heads of a test fold."""
        if self.experiment.convex:
            self._solve(group)
        else:
            self._fit(group)
        return group

    def _fit(self, group: Group) -> None:
        work = [(one, number) for one in group.roles for number in range(self.experiment.ensemble)]
        for one, number in progress(work, f"{self.name}: members of test fold {group.test_fold}", len(work)):
            seed = self.experiment.seed + number
            head, loss = self.new_head(one.train, seed)
            training = self.experiment.training
            run = Run(self.engine, seed, resume=self._resume(f"{one.test_fold}-{one.valid_fold}-{number}"))
            loading = Loading(training.batch_size, training.workers, self.engine.share)
            batches = self.examples.batches(one.train, loading, run.generator)

            def validate(head: Head, one: Roles = one, loss: Loss = loss) -> Score:
                return self.validate(head, one.valid, loss)

            done = fit(head, batches, validate, loss, training, run)
            last = (len(done.history), done.last)
            member = Member(head, loss.targets, seed, group.test_fold, one.valid_fold, done.best_epoch, last=last)
            group.history += [{"member": len(group.members), **row} for row in done.history]
            group.members.append(member)
            group.validated.setdefault(one.valid_fold, []).append(member)

    def _resume(self, name: str) -> Resume | None:
        if self.folder is None:
            return None
        if self._key is None:
            self._key = digest(self.experiment, self.examples, self.trunk.sha256)
        return Resume(self.folder / f"member-{name}.safetensors", self._key)

    def validate(self, head: Head, rows: np.ndarray, loss: Loss) -> Score:
        """Loss and headline metric of a head on whole validation proteins, which the processes share out."""
        tasks, (number, processes) = self.examples.tasks, self.engine.share
        known = [self.examples.truth(int(row)) for row in rows]
        sizes = [len(values[0]) for values in known]
        ends = np.cumsum(sizes)
        span_of = {int(row): slice(end - size, end) for row, end, size in zip(rows, ends, sizes, strict=True)}
        outputs = [torch.zeros(sum(sizes), task.target.outputs) for task in tasks]
        for scored in self.examples.score([head], rows[number::processes]):
            for values, predicted in zip(outputs, scored.outputs, strict=True):
                values[span_of[scored.row]] = predicted[0]
        outputs = [self.engine.sum(values).cpu() for values in outputs]
        truth = [torch.cat(columns) for columns in zip(*known, strict=True)]
        lengths = self.examples.table["sequence"].iloc[rows].str.len().tolist()
        metric = headline(tasks[0], loss.targets[0], outputs[0].split(sizes), truth[0].split(sizes), lengths)
        return Score(_mean(loss.plain(), outputs, truth), metric)

    def _solve(self, group: Group) -> None:
        """Choose the penalty on every validation fold, then solve again with all of them."""
        most = getattr(self.experiment.head, "max_examples", 1 << 40)
        seed = self.experiment.seed
        paths = []
        for one in progress(group.roles, f"{self.name}: penalties of test fold {group.test_fold}", len(group.roles)):
            paths.append(self._path(one, most, paths[0].states if paths else {}))
        penalty = self._choose(paths)
        for one, path in zip(group.roles, paths, strict=True):
            head, loss, states = path.head, path.loss, path.states
            head.out.load_state_dict(states[penalty])
            member = Member(head, loss.targets, seed, group.test_fold, one.valid_fold, penalty=penalty)
            group.validated[one.valid_fold] = [member]
        together = np.sort(np.unique(np.concatenate([np.r_[one.train, one.valid] for one in group.roles])))
        head, loss = self.new_head(together, seed)
        head.out.load_state_dict(paths[0].states[penalty])  # a start near the solution
        Convex(head, self.examples.matrix(together, most, seed), loss).solve(penalty)
        group.members.append(Member(head, loss.targets, seed, group.test_fold, None, penalty=penalty))
        for value in paths[0].losses:
            known = [path for path in paths if value in path.losses]
            if len(known) == len(paths):
                losses = {
                    "train_loss": float(np.mean([path.training[value] for path in paths])),
                    "valid_loss": float(np.mean([path.losses[value] for path in paths])),
                }
                group.penalties.append({"test_fold": group.test_fold, "penalty": value, **losses})
                if value == penalty:
                    metric = float(np.mean([self._metric(group, one) for one in group.roles]))
                    group.history.append(
                        {"member": 0, "epoch": SOLVED, **losses, "valid_metric": metric, "seconds": 0.0}
                    )
        print(f"{self.name}: test fold {group.test_fold}, penalty {penalty:g}", file=sys.stderr)

    def _metric(self, group: Group, one: Roles) -> float:
        member = group.validated[one.valid_fold][0]
        loss = build_loss(self.experiment, self.examples.tasks, self.examples.rates(one.train))
        return self.validate(member.head, one.valid, loss).metric

    def _path(self, one: Roles, most: int, near: dict[float, dict[str, torch.Tensor]]) -> Solutions:
        """Solve for penalties from strong to weak; `near` are another training set's solutions, to start from."""
        seed = self.experiment.seed
        head, loss = self.new_head(one.train, seed)
        problem = Convex(head, self.examples.matrix(one.train, most, seed), loss)
        valid = self.examples.matrix(one.valid, most, seed)
        fixed = self.experiment.head.penalty
        path = Solutions(head, loss)
        for penalty in (fixed,) if fixed else PENALTIES:
            if penalty in near:
                head.out.load_state_dict(near[penalty])
            problem.solve(penalty)
            path.states[penalty] = {name: tensor.clone() for name, tensor in head.out.state_dict().items()}
            path.losses[penalty] = measured(head, valid, loss.plain())
            path.training[penalty] = problem.value()
            if path.worse() >= WORSE:
                break
        return path

    def _choose(self, paths: Sequence[Solutions]) -> float:
        """The penalty of least mean validation loss among those that every path has."""
        shared = [p for p in paths[0].losses if all(p in path.losses for path in paths)]
        return min(shared, key=lambda p: float(np.mean([path.losses[p] for path in paths])))


def _mean(loss: Loss, outputs: Sequence[torch.Tensor], truth: Sequence[torch.Tensor]) -> float:
    """Mean loss of many examples; NaN where nothing is known of the first task."""
    counts, total = loss.counts(truth), 0.0
    for start in range(0, len(truth[0]), TOGETHER):
        part = slice(start, start + TOGETHER)
        total += float(loss.sum([values[part] for values in outputs], [values[part] for values in truth], counts))
    return total if float(counts[0]) else float("nan")
