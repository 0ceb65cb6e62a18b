"""The whole configuration: the stages' settings composed, read and checked before any job runs."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PrivateAttr, ValidationError, model_validator

from foldgraft.cluster.settings import ClusterSettings
from foldgraft.curate.settings import CurateSettings
from foldgraft.embed.settings import EmbedSettings
from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.fetch.label_settings import LabelsSettings, SolubilitySettings
from foldgraft.fetch.settings import FetchSettings, SequencesSettings, StructuresSettings
from foldgraft.msa.settings import COLABFOLD, MsaSettings
from foldgraft.predict.settings import RESERVED, PredictSettings
from foldgraft.report.settings import ReportSettings
from foldgraft.settings import Settings, explain
from foldgraft.synth.settings import SynthSettings
from foldgraft.targets.settings import TargetsSettings
from foldgraft.tasks.task import BUILT_IN, SOLUBILITY, Task
from foldgraft.train.settings import Experiment
from foldgraft.train.sweep import expand
from foldgraft.trunk.settings import TrunkSettings

RESULTS = Path("results")
"""Holds the results of all runs."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


def _not_reserved(name: str) -> str:
    for kept, what in (("baseline_", "the baselines"), ("transfer_", "the heads of other tables")):
        if name.startswith(kept):
            raise ValueError(f"names that begin with {kept} are kept for {what}")
    if name in RESERVED:
        raise ValueError(f"the name {name} is taken in tables of contacts; choose another than {', '.join(RESERVED)}")
    return name


TableName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
TAKEN = (
    "solubility", "contact", "distogram", "orientations", "ss3", "torsions",  # tasks
    "structures", "files", "rcsb", "alphafold", "query",  # sets and sources of proteins
    "id", "length", "rank", "nearest", "identity", "coverage", "warning", "reason", "description",  # columns of
    "position", "residue",  # predictions
)  # fmt: skip


def _free(name: str) -> str:
    if name in TAKEN:
        raise ValueError(f"the name {name} is taken; choose another than {', '.join(TAKEN)}")
    return name


def _alike(one: Task, other: Task) -> bool:
    """Whether two tasks have the same classes and unit, as far as both are known before the tables are read."""
    classes = not (one.names and other.names) or set(one.names) == set(other.names)
    return classes and (not (one.unit and other.unit) or one.unit == other.unit)


class Config(Settings):
    """Everything that decides a run. Paths are relative to `data`; results go to `results/<run>/`."""

    run: Name = "demo"
    """Name of the run; its results go to `results/<run>/`."""
    _folder: Path = PrivateAttr(RESULTS)
    data: str = "."
    """Folder from which the relative paths below start; itself relative to the working directory."""
    store: str = "resources/store"
    """Folder of the content-addressed store of raw files, shared by all runs."""
    replay: str | None = None
    """The lock.parquet of an earlier run of this configuration, relative to the working directory: structures,
    sequences and labels are then those that it names in the store, without a network and without their local files."""
    synth: SynthSettings | None = None
    """A synthetic proteome in place of structures, sequences and solubility: the offline demo."""
    structures: StructuresSettings | None = None
    """Protein structures, from any mix of sources."""
    sequences: SequencesSettings | None = None
    """Sequences that alignments search and that a small trunk is pretrained on."""
    solubility: SolubilitySettings | None = None
    """A table of sequences labelled with their solubility."""
    labels: dict[Annotated[TableName, AfterValidator(_free)], LabelsSettings] = Field(default_factory=dict)
    """Further labelled tables by name, each a task of that name: labels of proteins or of their residues."""
    fetch: FetchSettings = FetchSettings()
    """How inputs are brought into the store."""
    curate: CurateSettings = CurateSettings()
    """Which chains are kept."""
    cluster: ClusterSettings = ClusterSettings()
    """How sequences are grouped and split."""
    msa: MsaSettings = MsaSettings()
    """How homologs are found and aligned."""
    targets: TargetsSettings = TargetsSettings()
    """What is computed from structures."""
    trunk: TrunkSettings = TrunkSettings()
    """The language model that stays frozen."""
    embed: EmbedSettings = EmbedSettings()
    """How sequences run through the trunk."""
    experiments: dict[Annotated[Name, AfterValidator(_not_reserved)], Experiment] = Field(default_factory=dict)
    """Heads to train, by name."""
    evaluate: EvaluateSettings = EvaluateSettings()
    """How metrics and their intervals are computed."""
    report: ReportSettings = ReportSettings()
    """What the report shows."""
    predict: PredictSettings = PredictSettings()
    """New sequences to predict for."""

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

    @property
    def labelled(self) -> dict[str, Task]:
        """Tasks of the labelled tables, by name."""
        tables = ({SOLUBILITY.name: None} if self.synth else {}) | self.tables
        return {
            name: Task(name=name, level=table.level, kind=table.kind, unit=table.unit, names=tuple(table.classes or ()))
            if table
            else SOLUBILITY
            for name, table in tables.items()
        }

    def tasks(self, name: str) -> list[Task]:
        """The tasks of an experiment, in its order."""
        known = {**BUILT_IN, **self.labelled}
        return [known[key] for key in self.experiments[name].task]

    def resolved(self, name: str) -> Experiment:
        """An experiment with the defaults that depend on its tasks.

        Raises
        ------
        ValueError
            naming the key that does not fit.
        """
        return self.experiments[name].resolve(self.tasks(name))

    @property
    def aligned(self) -> bool:
        """Whether the run has anything to align: a database, or alignments made elsewhere."""
        return bool(self.synth or self.sequences or self.msa.alignments.files or self.msa.database != "sequences")

    @property
    def tables(self) -> dict[str, LabelsSettings]:
        """All labelled tables by the name of their task."""
        return ({"solubility": self.solubility} if self.solubility else {}) | self.labels

    @property
    def results(self) -> Path:
        """Folder of the run's results."""
        return self._folder / self.run

    @property
    def predicting(self) -> list[str]:
        """Names of the experiments that predict for new sequences."""
        return list(self.predict.experiments) or self.of_level("protein")

    @property
    def predicting_pairs(self) -> list[str]:
        """Names of the experiments on residue pairs that predict for alignments."""
        pairs = self.of_level("pair")
        return [name for name in self.predict.experiments if name in pairs] or pairs

    def residue_layers(self, kind: Literal["labels", "structures"]) -> list[str]:
        """Layers whose residue embeddings an experiment on labelled proteins, or on structures, reads.

        They are named as `foldgraft embed shard --residues` takes them; no residue embedding is kept that nobody reads.
        """
        found: set[str] = set()
        abroad = {name for names in self.evaluate.external.values() for name in names}
        for name in self.experiments:
            task = self.tasks(name)[0]
            sources = {"labels" if task.truth == "labels" else "structures", *(["labels"] if name in abroad else [])}
            resolved = self.resolved(name)
            if kind in sources and resolved.embeds(task.level) == "residues":
                found.update(resolved.residue_layers)
        return ["all"] if "all" in found else sorted(found)

    def of_task(self, task: str) -> list[str]:
        """Names of the experiments that learn a task, in the order given."""
        return [name for name, experiment in self.experiments.items() if task in experiment.task]

    @property
    def evaluated(self) -> list[str]:
        """Names of the tasks of which there are metrics: those learnt, and the tables on which heads are tried."""
        known = {**BUILT_IN, **self.labelled}
        return [task for task in known if self.of_task(task) or task in self.evaluate.external]

    def source(self, name: str) -> str:
        """The set of proteins that an experiment learns from: `structures`, or its table."""
        task = self.tasks(name)[0]
        return task.name if task.truth == "labels" else "structures"

    def of_level(self, level: str) -> list[str]:
        """Names of the experiments at a level, in the order given."""
        return [name for name in self.experiments if self.tasks(name)[0].level == level]


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
