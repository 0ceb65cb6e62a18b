"""The whole configuration, read and checked before any job runs."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.label_settings import SolubilitySettings
from foldgraft.fetch.settings import SequencesSettings, StructuresSettings
from foldgraft.msa.settings import COLABFOLD
from foldgraft.sections import RESULTS, Sections
from foldgraft.settings import explain
from foldgraft.tasks.task import BUILT_IN, SOLUBILITY, Task
from foldgraft.train.settings import Experiment
from foldgraft.train.sweep import expand


def _alike(one: Task, other: Task) -> bool:
    """Whether two tasks have the same classes and unit, as far as both are known before the tables are read."""
    classes = not (one.names and other.names) or set(one.names) == set(other.names)
    return classes and (not (one.unit and other.unit) or one.unit == other.unit)


class Config(Sections):
    """Everything that decides a run. Paths are relative to `data`; results go to `results/<run>/`."""

    @model_validator(mode="before")
    @classmethod
    def _expanded(cls, values: Any) -> Any:
        given = values.get("experiments") if isinstance(values, dict) else None
        return {**values, "experiments": expand(given)} if isinstance(given, dict) else values

    @model_validator(mode="after")
    def _consistent(self) -> "Config":
        if self.synth and (self.structures or self.sequences or self.solubility or self.data != "."):
            raise ValueError("synth: it takes the place of structures, sequences, solubility and data; remove one side")
        if self.replay and self.synth:
            raise ValueError("replay: a synthetic proteome is made anew by its seed; remove replay")
        if not (self.synth or self.structures or self.tables):
            raise ValueError("no input: give structures, solubility or labels (or synth for a synthetic proteome)")
        if self.msa.database == COLABFOLD and not (self.fetch.contact or self.replay):
            raise ValueError(
                "fetch.contact: ColabFold's server (msa.database) asks who is calling; give an e-mail or web address"
            )
        self._check_split()
        for name, experiment in self.experiments.items():
            self._check_experiment(name, experiment)
        carded = [name for name in self.report.cards if name not in self.experiments]
        if carded:
            raise ValueError(f"report.cards: {carded[0]!r} is none of {', '.join(self.experiments) or 'none'}")
        for name in self.report.cards:
            self._check_card(name)
        self._check_external()
        unknown = [name for name in self.predict.experiments if name not in self.experiments]
        if unknown:
            raise ValueError(f"predict.experiments: {unknown[0]!r} is none of {', '.join(self.experiments) or 'none'}")
        if self.predict.sequences and not self.predicting:
            raise ValueError("predict.sequences: no protein-level experiment; name others in predict.experiments")
        for name in self.predicting if self.predict.sequences else ():
            if self.resolved(name).reads("coevolution"):
                raise ValueError(
                    f"predict.experiments: {name} has the feature coevolution, which needs an alignment; choose one "
                    "whose features leave it out, or predict.alignments"
                )
        if self.trunk.pretrain is not None and not (self.synth or self.sequences or self.trunk.pretrain.corpus):
            raise ValueError("trunk.pretrain: it needs the section sequences, or its key corpus, to learn from")
        return self

    def _check_split(self) -> None:
        way, chains = self.cluster.split_by, bool(self.synth or self.structures)
        if way == "released" and not chains:
            raise ValueError("cluster.split_by: released needs the section structures, whose chains have dates")
        if way == "group" and not chains and not any(table.columns.group for table in self.tables.values()):
            raise ValueError("cluster.split_by: group needs a table with columns.group, or structures (by organism)")

    def _check_experiment(self, name: str, experiment: Experiment) -> None:
        for key in experiment.task:
            if key == SOLUBILITY.name and key not in self.labelled:
                raise ValueError(f"experiments.{name}: task solubility needs the section solubility")
            if key not in {**BUILT_IN, **self.labelled}:
                known = [*BUILT_IN, *self.labelled]
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ValueError(f"experiments.{name}.task: {key!r} is none of {', '.join(known)}{hint}")
            if key in BUILT_IN and not (self.synth or self.structures):
                raise ValueError(f"experiments.{name}: task {key} needs the section structures")
        if len({task.name if task.truth == "labels" else "" for task in self.tasks(name)}) > 1:
            raise ValueError(f"experiments.{name}.task: tasks of different tables cannot share an experiment")
        absent = [one for one in experiment.covariates if one not in self._covariates(experiment.task[0])]
        if absent:
            known = ", ".join(self._covariates(experiment.task[0])) or "none"
            raise ValueError(f"experiments.{name}.covariates: {absent[0]!r} is none of columns.covariates ({known})")
        try:
            resolved = self.resolved(name)
        except ValueError as error:
            raise ValueError(f"experiments.{name}.{error}") from None
        if resolved.reads("coevolution") and not self.aligned:
            raise ValueError(
                f"experiments.{name}.features: coevolution needs sequences, msa.database, or msa.alignments"
            )

    def _check_external(self) -> None:
        for table, names in self.evaluate.external.items():
            where, known = f"evaluate.external.{table}", self.labelled
            if table not in known:
                raise ValueError(f"{where}: there is no such labelled table; take {', '.join(known) or 'none'}")
            if not names or len(set(names)) < len(names):
                raise ValueError(f"{where}: name each experiment whose head is tried once")
            for name in names:
                if name not in self.experiments:
                    raise ValueError(f"{where}: {name!r} is none of {', '.join(self.experiments) or 'none'}")
                tasks = self.tasks(name)
                if any(task.name == table for task in tasks):
                    raise ValueError(f"{where}: {name} learns from this table; name experiments of others")
                if not any((task.level, task.kind) == (known[table].level, known[table].kind) for task in tasks):
                    raise ValueError(f"{where}: {name} predicts no {known[table].kind} of each {known[table].level}")
                same = [task for task in tasks if (task.level, task.kind) == (known[table].level, known[table].kind)]
                if not any(_alike(task, known[table]) for task in same):
                    raise ValueError(f"{where}: {name} learnt other classes, or a value in another unit")
                if self.experiments[name].covariates:
                    raise ValueError(f"{where}: {name} reads covariates, which another table does not have")

    def _check_card(self, name: str) -> None:
        tasks, resolved = self.tasks(name), self.resolved(name)
        frozen = resolved.unfreeze == 0 and (resolved.embeds(tasks[0].level) or resolved.reads("attention"))
        if len(tasks) > 1 or not frozen:
            raise ValueError(
                f"report.cards.{name}: a card describes a head of one task on a frozen trunk, and this experiment is "
                "another; remove its card"
            )

    def _covariates(self, table: str) -> list[str]:
        """Covariates of a labelled table; none of another task."""
        return self.tables[table].columns.covariates if table in self.tables else []


def load(values: Mapping[str, Any], folder: Path = RESULTS) -> Config:
    """Read a configuration; a synthetic proteome's files are filled in as its inputs.

    Parameters
    ----------
    values : mapping
        of the configuration's keys.
    folder : Path
        that holds the results of all runs; as a module, the workflow may be given another.

    Raises
    ------
    FoldgraftError
        with one line per wrong key: which it is, and what it may be.
    """
    try:
        config = Config.model_validate(dict(values))
    except ValidationError as error:
        raise FoldgraftError(f"configuration:\n{explain(error, Config)}") from None
    config._folder = folder
    if config.replay and Path(config.replay).resolve() == (config.results / "fetch/lock.parquet").resolve():
        raise FoldgraftError("replay: it is where this run writes its own lock; copy it, or give the run another name")
    return _with_synthetic_inputs(config) if config.synth else config


def _with_synthetic_inputs(config: Config) -> Config:
    made = config.results / "synth"
    return config.model_copy(
        update={
            "structures": StructuresSettings(files=[f"{made}/structures/*.cif.gz"]),
            "sequences": SequencesSettings(files=[f"{made}/sequences.fasta.gz"]),
            "solubility": SolubilitySettings.model_validate(
                {
                    "table": f"{made}/labels.csv",
                    "columns": {"id": "id", "sequence": "sequence", "label": "solubility"},
                }
            ),
        }
    )
