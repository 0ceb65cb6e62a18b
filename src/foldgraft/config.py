"""The whole configuration: the stages' settings composed, read and checked before any job runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from foldgraft.cluster.settings import ClusterSettings
from foldgraft.curate.settings import CurateSettings
from foldgraft.embed.settings import EmbedSettings
from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.fetch.label_settings import LabelsSettings, SolubilitySettings
from foldgraft.fetch.settings import FetchSettings, SequencesSettings, StructuresSettings
from foldgraft.msa.settings import MsaSettings
from foldgraft.predict.settings import PredictSettings
from foldgraft.report.settings import ReportSettings
from foldgraft.settings import Settings, explain
from foldgraft.synth.settings import SynthSettings
from foldgraft.targets.settings import TargetsSettings
from foldgraft.train.settings import ContactExperiment, Experiment, SolubilityExperiment
from foldgraft.trunk.settings import TrunkSettings

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


def _no_baseline(name: str) -> str:
    if name.startswith("baseline_"):
        raise ValueError("names that begin with baseline_ are kept for the baselines")
    return name


TableName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
TAKEN = (
    "solubility", "contact", "distogram", "orientations", "ss3", "torsions",  # tasks
    "structures", "files", "rcsb", "alphafold", "query",  # sets and sources of proteins
)  # fmt: skip


def _free(name: str) -> str:
    if name in TAKEN:
        raise ValueError(f"the name {name} is taken; choose another than {', '.join(TAKEN)}")
    return name


class Config(Settings):
    """Everything that decides a run. Paths are relative to `data`; results go to `results/<run>/`."""

    run: Name = "demo"
    """Name of the run; its results go to `results/<run>/`."""
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
    experiments: dict[Annotated[Name, AfterValidator(_no_baseline)], Experiment] = Field(default_factory=dict)
    """Heads to train, by name."""
    evaluate: EvaluateSettings = EvaluateSettings()
    """How metrics and their intervals are computed."""
    report: ReportSettings = ReportSettings()
    """What the report shows."""
    predict: PredictSettings = PredictSettings()
    """New sequences to predict for."""

    @model_validator(mode="after")
    def _consistent(self) -> "Config":
        if self.synth and (self.structures or self.sequences or self.solubility or self.data != "."):
            raise ValueError("synth: it takes the place of structures, sequences, solubility and data; remove one side")
        if self.replay and self.synth:
            raise ValueError("replay: a synthetic proteome is made anew by its seed; remove replay")
        if self.replay and Path(self.replay).resolve() == (self.results / "fetch/lock.parquet").resolve():
            raise ValueError("replay: it is where this run writes its own lock; copy it, or give the run another name")
        if not (self.synth or self.structures or self.tables):
            raise ValueError("no input: give structures, solubility or labels (or synth for a synthetic proteome)")
        for name, experiment in self.experiments.items():
            if isinstance(experiment, SolubilityExperiment) and not (self.synth or self.solubility):
                raise ValueError(f"experiments.{name}: task solubility needs the section solubility")
            if isinstance(experiment, ContactExperiment):
                self._check_contact(name, experiment)
        unknown = [name for name in self.predict.experiments if name not in self.experiments]
        if unknown:
            raise ValueError(f"predict.experiments: {unknown[0]!r} is none of {', '.join(self.experiments) or 'none'}")
        if self.predict.sequences and not self.predicting:
            raise ValueError("predict.sequences: no solubility experiment; name others in predict.experiments")
        for name in self.predicting:
            experiment = self.experiments[name]
            if isinstance(experiment, ContactExperiment) and "coevolution" in experiment.features:
                raise ValueError(
                    f"predict.experiments: {name} has the feature coevolution, which needs an alignment; choose one "
                    "whose features leave it out"
                )
        if self.trunk.pretrain is not None and not (self.synth or self.sequences or self.trunk.pretrain.corpus):
            raise ValueError("trunk.pretrain: it needs the section sequences, or its key corpus, to learn from")
        return self

    def _check_contact(self, name: str, experiment: ContactExperiment) -> None:
        if not (self.synth or self.structures):
            raise ValueError(f"experiments.{name}: task contact needs the section structures")
        if "coevolution" in experiment.features and not self.aligned:
            raise ValueError(f"experiments.{name}.features: coevolution needs sequences, or msa.alignments")

    @property
    def aligned(self) -> bool:
        """Whether the run has anything to align: a database, or alignments made elsewhere."""
        return bool(self.synth or self.sequences or self.msa.alignments.files)

    @property
    def tables(self) -> dict[str, LabelsSettings]:
        """All labelled tables by the name of their task."""
        return ({"solubility": self.solubility} if self.solubility else {}) | self.labels

    @property
    def results(self) -> Path:
        """Folder of the run's results."""
        return Path("results") / self.run

    @property
    def predicting(self) -> list[str]:
        """Names of the experiments that predict for new sequences."""
        return list(self.predict.experiments) or self.of_task("solubility")

    def residue_layers(self, kind: Literal["labels", "structures"]) -> list[str]:
        """Layers whose residue embeddings an experiment on labelled proteins, or on structures, reads.

        They are named as `foldgraft embed shard --residues` takes them; no residue embedding is kept that nobody reads.
        """
        if kind == "labels":
            solubility = (self.experiments[name] for name in self.of_task("solubility"))
            return ["last"] if any(experiment.head == "light_attention" for experiment in solubility) else []
        contacts = (self.experiments[name] for name in self.of_task("contact"))
        return ["last"] if any("embedding" in experiment.features for experiment in contacts) else []

    def of_task(self, task: str) -> list[str]:
        """Names of the experiments of a task, in the order given."""
        return [name for name, experiment in self.experiments.items() if experiment.task == task]


def load(values: Mapping[str, Any]) -> Config:
    """Read a configuration; a synthetic proteome's files are filled in as its inputs.

    Raises
    ------
    FoldgraftError
        with one line per wrong key: which it is, and what it may be.
    """
    try:
        config = Config.model_validate(dict(values))
    except ValidationError as error:
        raise FoldgraftError(f"configuration:\n{explain(error, Config)}") from None
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
