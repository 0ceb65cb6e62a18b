"""The sections of a configuration, and what follows from them: tasks, tables, and who reads what."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PrivateAttr

from foldgraft.cluster.settings import ClusterSettings
from foldgraft.curate.settings import CurateSettings
from foldgraft.embed.settings import EmbedSettings
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.fetch.label_settings import LabelsSettings, SolubilitySettings
from foldgraft.fetch.settings import FetchSettings, SequencesSettings, StructuresSettings
from foldgraft.msa.settings import MsaSettings
from foldgraft.predict.settings import RESERVED, PredictSettings
from foldgraft.report.settings import ReportSettings
from foldgraft.settings import Settings
from foldgraft.synth.settings import SynthSettings
from foldgraft.targets.settings import TargetsSettings
from foldgraft.tasks.task import BUILT_IN, SOLUBILITY, Task
from foldgraft.train.settings import Experiment
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


class Sections(Settings):
    """Everything that a configuration holds, each section by itself in order; `foldgraft.config` checks the whole."""

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
        layers: set[str] = set()
        abroad = {name for names in self.evaluate.external.values() for name in names}
        for name in self.experiments:
            task = self.tasks(name)[0]
            sources = {"labels" if task.truth == "labels" else "structures", *(["labels"] if name in abroad else [])}
            resolved = self.resolved(name)
            if kind in sources and resolved.embeds(task.level) == "residues":
                layers.update(resolved.residue_layers)
        return ["all"] if "all" in layers else sorted(layers)

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
