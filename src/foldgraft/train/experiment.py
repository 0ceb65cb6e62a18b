"""The recipe of every experiment: examples, checks, heads, calibration, predictions."""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from foldgraft.errors import FoldgraftError
from foldgraft.models.heads.build import Widths
from foldgraft.models.heads.layers import Head
from foldgraft.models.heads.settings import Lora
from foldgraft.models.trunk.identity import Identity
from foldgraft.records.predictions import About
from foldgraft.records.split import validation_folds
from foldgraft.tasks.calibration import Calibration
from foldgraft.tasks.examples import Examples, Loading
from foldgraft.tasks.labelled import complete
from foldgraft.tasks.predicted import Writers
from foldgraft.tasks.seen import describe, distance
from foldgraft.tasks.sequences import SequenceExamples
from foldgraft.tasks.task import Task
from foldgraft.tasks.trained import HeadInfo, Seen
from foldgraft.tasks.vectors import StoredVectors
from foldgraft.train.calibration import Calibrated, Gain, calibrate
from foldgraft.train.checks import run_checks, summary
from foldgraft.train.engine import Engine
from foldgraft.train.ensemble import Group, Trainer
from foldgraft.train.inputs import Inputs, pair_examples, sequence_examples, trunk_layers
from foldgraft.train.layers import best_layer, compare_layers, write_layers
from foldgraft.train.outputs import Outputs, versions, write_adapters, write_last, write_results
from foldgraft.train.settings import Experiment

OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory")
"""What torch says where memory is at its end."""

RESUME = ".resume"
"""Folder beside the results where trainings keep their state until all are done."""

CHECKED = 8
"""Proteins whose examples the checks before training look at."""


def train(
    name: str,
    settings: Experiment,
    tasks: Sequence[Task],
    inputs: Inputs,
    outputs: Outputs,
    engine: Engine | None = None,
) -> None:
    """Train all heads of an experiment and write its results.

    Parameters
    ----------
    name : str
    settings : Experiment
    tasks : sequence of Task
        in the order of `settings.task`.
    inputs : Inputs
    outputs : Outputs
    engine : Engine or None
        what heads are trained on; the trunk's device alone by default.

    Raises
    ------
    FoldgraftError
        if a setting does not fit the tasks, the data do not suffice, or a check fails.
    """
    tasks = complete(tasks, inputs.labels)
    try:
        experiment = settings.resolve(tasks)
    except ValueError as error:
        raise FoldgraftError(f"experiments.{name}: {error}") from None
    engine = engine or Engine(precision=experiment.training.precision, kind=inputs.trunk.device.type)
    before = inputs.trunk.state_sha256()
    outputs.folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=outputs.folder, prefix=".maps-") as spool:
        if tasks[0].level == "pair":
            examples, learnt = pair_examples(name, experiment, tasks, inputs, Path(spool))
            widths, compared = Widths(*examples.widths), []
        else:
            examples = sequence_examples(name, experiment, tasks, inputs)
            compared = []
            if engine.rank == 0 or experiment.layers == "best":
                compared = compare_layers(name, experiment, examples, inputs.trunk)
            if experiment.layers == "best":
                examples.vectors = StoredVectors(examples.vectors.embeddings, [best_layer(compared)])
            learnt = np.ones(len(examples), dtype=bool)
            widths = _widths(experiment, examples, inputs)
        trainer = Trainer(name, experiment, examples, widths, inputs.trunk, learnt, engine, outputs.folder / RESUME)
        recipe = Recipe(trainer, engine)
        try:
            recipe.train()
            if engine.rank:
                return
            recipe.finish(outputs, before, compared)
        except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not OUT_OF_MEMORY.search(str(error)):
                raise
            raise FoldgraftError(f"experiments.{name}: it does not fit in memory; {_lower(experiment)}") from None
    rmtree(outputs.folder / RESUME, ignore_errors=True)


def _widths(experiment: Experiment, examples: SequenceExamples, inputs: Inputs) -> Widths:
    features = examples.vectors.width if examples.vectors is not None else 0
    return Widths(features, mixed=inputs.trunk.layers if experiment.layers == "mix" else 1)


class Recipe:
    """An experiment on its examples, from the checks to the results; `engine` is that of the command."""

    def __init__(self, trainer: Trainer, engine: Engine):
        self.trainer, self.engine = trainer, engine
        self.name, self.experiment, self.examples = trainer.name, trainer.experiment, trainer.examples
        self.trunk = trainer.trunk
        self.groups = trainer.groups()
        self.checks: list[Any] = []

    def train(self) -> None:
        """Check and train; the first process alone checks, and solves what is solved for."""
        if self.engine.rank == 0:
            self._announce(self.groups)
            self.checks = self._checks(self.groups[0])
            self._largest(self.groups[0])
        elif self.experiment.convex:
            return
        if not self.experiment.convex:
            self.engine.launch()
        with self.engine.quiet():
            for group in self.groups:
                self.trainer.train(group)
        if not self.experiment.convex:
            self.engine.wait()  # until none reads the state any more that `finish` lets go

    def finish(self, outputs: Outputs, before: str, compared: Sequence[dict[str, Any]]) -> None:
        """Calibrate, predict, write; with it what layers were compared to reach."""
        calibrated, history = [], []
        for group in self.groups:
            members = sum(len(done.members) for done in calibrated)
            history += [row | {"member": row["member"] + members} for row in group.history]
            calibrated.append(calibrate(self.examples, group))
        tasks = self.examples.tasks
        known = [task.kind in ("binary", "classes") and task.level != "pair" for task in tasks]
        gains = {number: Gain(task) for number, task in enumerate(tasks) if known[number]}
        paths = [outputs.predictions / f"{task.name}.parquet" for task in tasks]
        with Writers(self.examples, [self._about(task) for task in tasks], paths) as writers:
            for done in calibrated:
                self._predict(done, writers, gains)
        trained = [member for done in calibrated for member in done.members]
        heads = [member.head for member in trained]
        info = self._info([one for done in calibrated for one in done.infos], heads[0])
        penalties = [row for group in self.groups for row in group.penalties]
        proof = summary(self.checks, heads[0], self.trunk, before, self.trunk.state_sha256())
        proof |= {"penalties": penalties, "calibration": [row for gain in gains.values() for row in gain.rows()]}
        outputs.adapters.mkdir(parents=True, exist_ok=True)
        if isinstance(self.experiment.unfreeze, Lora):
            write_adapters(outputs.adapters, heads, self.experiment.unfreeze, self.trunk.name)
        write_results(outputs, heads, info, history, self.experiment, proof)
        write_layers(outputs.layers, compared, heads)
        write_last(outputs.last, trained, info)
        print(f"{self.name}: {len(heads)} heads", file=sys.stderr)

    def _announce(self, groups: Sequence[Group]) -> None:
        """Say what training through the trunk will cost, before it begins."""
        if self.experiment.unfreeze == 0:
            return
        members = sum(len(group.roles) for group in groups) * self.experiment.ensemble
        residues = self.examples.through_trunk(groups[0].roles[0].train)
        parameters = sum(p.numel() for p in self.trunk.network.layers.parameters())
        operations = 6 * parameters * residues  # two for each parameter forward, four backward (Kaplan et al. 2020)
        print(
            f"{self.name}: each epoch of {members} members goes through the trunk with {residues} residues, about "
            f"{operations / 1e12:.1f} TFLOP (minutes at 100 GFLOP/s: {operations / 6e12:.0f}); at most "
            f"{self.experiment.training.epochs} epochs each",
            file=sys.stderr,
        )

    def _checks(self, group: Group) -> list[Any]:
        rows = group.roles[0].train
        head, loss = self.trainer.new_head(rows, self.experiment.seed)
        truth = self.examples.rates(rows)
        if self.experiment.convex:
            batch = self.examples.matrix(rows, 512, self.experiment.seed)
        else:
            size = min(self.experiment.training.batch_size, CHECKED * (8 if self.experiment.unfreeze == 0 else 1))
            if self.experiment.unfreeze != 0:  # each step of the checks goes through the trunk
                rows = rows[np.argsort(self.examples.lengths[rows], kind="stable")[: 20 * size]]
            batch = next(iter(self.examples.batches(_spread(self.examples, rows, size), Loading(size))))
        return run_checks(head, batch.to(self.trainer.device), loss, truth, self.trunk)

    def _largest(self, group: Group) -> None:
        """Take a step on the longest proteins, so that a batch that does not fit in memory stops it before training."""
        pairs = self.examples.tasks[0].level == "pair"
        if self.experiment.convex or (pairs and self.experiment.unfreeze == 0):
            return
        rows, size = group.roles[0].train, 1 if pairs else self.experiment.training.batch_size
        longest = rows[np.argsort(self.examples.lengths[rows], kind="stable")[-size:]]
        head, loss = self.trainer.new_head(rows, self.experiment.seed)
        batch = next(iter(self.examples.batches(longest, Loading(size, share=self.engine.share))))
        loss.of_batch(head.train(), batch.to(self.trainer.device)).backward()

    def _predict(self, done: Calibrated, writers: Writers, gains: Mapping[int, Gain]) -> None:
        """Write the validation proteins, by heads that did not learn from them, then the test proteins, which also say
        what the calibrations gained."""
        folds = self.examples.table["fold"].to_numpy()
        valid_fold = validation_folds({*folds.tolist(), 0, 1})[done.test_fold]
        most = self.experiment.pairs.max_predicted if self.experiment.pairs else len(folds)
        for split, fold, members in (
            ("valid", valid_fold, done.validated.get(valid_fold, [])),
            ("test", done.test_fold, done.members),
        ):
            rows = np.flatnonzero(folds == fold)[:most]
            if members and len(rows):
                for scored in self.examples.score([member.head for member in members], rows):
                    predicted = [done.predict(members, task, values) for task, values in enumerate(scored.outputs)]
                    writers.write(scored.row, split, predicted)
                    for task, gain in gains.items() if split == "test" else ():
                        raw = done.predict(members, task, scored.outputs[task], Calibration())
                        gain.add(raw, predicted[task], self.examples.truth(scored.row)[task])

    def _layers(self) -> list[int]:
        if self.experiment.unfreeze != 0:
            return trunk_layers(self.experiment, self.trunk)
        return self.examples.vectors.layers if self.examples.vectors is not None else []

    def _about(self, task: Task) -> About:
        return About(task=task.name, experiment=self.name, level=task.level, target=task.about_target)

    def _info(self, members: list, head: Head) -> HeadInfo:
        layout = getattr(self.examples, "layout", None)
        covariates = getattr(self.examples, "covariates", None)
        return HeadInfo(
            name=self.name,
            tasks=list(self.examples.tasks),
            head=self.experiment.head,
            widths=self.trainer.widths,
            layers=self._layers(),
            unfreeze=self.experiment.unfreeze,
            covariates=covariates.names if covariates else [],
            features=list(self.experiment.features or ()),
            columns=layout.names if layout else [],
            members=members,
            trunk=Identity.of(self.trunk),
            experiment=self.experiment.stated(),
            versions=versions(),
            seen=self._seen(head),
        )

    def _seen(self, head: Head) -> Seen | None:
        """What the proteins were like that the heads learnt from; of pairs, nothing is noted."""
        if self.examples.tasks[0].level == "pair":
            return None
        rows = np.unique(np.concatenate([np.r_[one.train, one.valid] for group in self.groups for one in group.roles]))
        sequences = self.examples.table["sequence"].iloc[rows].tolist()
        if self.examples.reads != "pooled":
            return describe(sequences)
        normalise = head.body.normalise
        return describe(sequences, [distance(self.examples.item(row), normalise) for row in rows])


def _lower(experiment: Experiment) -> str:
    """Which key to lower for less memory."""
    if experiment.pairs is not None:
        return f"lower pairs.max_length (now {experiment.pairs.max_length}) or pairs.max_chains"
    if experiment.convex:
        return f"lower head.max_examples (now {experiment.head.max_examples})"
    return f"lower training.batch_size (now {experiment.training.batch_size}), and raise training.accumulate for it"


def _spread(examples: Examples, rows: np.ndarray, count: int) -> np.ndarray:
    """Proteins whose mean truth is lowest and highest, for checks that need both."""
    if len(rows) <= count:
        return rows
    rng = np.random.default_rng(0)
    rows = np.sort(rng.choice(rows, min(len(rows), 50 * count), replace=False))
    if examples.tasks[0].level != "protein":
        return rows[:count]
    known = np.nan_to_num([float(examples.truth(row)[0][0, 0]) for row in rows])
    ranked = rows[np.argsort(known, kind="stable")]
    half = max(1, count // 2)
    return np.concatenate([ranked[:half], ranked[-half:]])
