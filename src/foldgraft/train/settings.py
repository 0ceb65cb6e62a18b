"""Settings of experiments: which head learns which task, from what, and how."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from foldgraft.models.heads.settings import CONVEX, FROM_SCRATCH, HEADS, HeadChoice, Unfreeze
from foldgraft.settings import Settings
from foldgraft.tasks.kinds import LOSSES
from foldgraft.tasks.task import Task, default_head

Feature = Literal["attention", "coevolution", "separation", "embedding"]
Layer = Annotated[int, Field(ge=1, le=1000)]
LossName = Literal["bce", "ce", "kl", "mse", "mae", "msle"]


class Optimizer(Settings):
    """How weights are stepped."""

    name: Literal["sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "adamw"] = "adamw"
    """The rule of the step."""
    lr: float = Field(1e-3, gt=0, le=10)
    """Learning rate."""
    weight_decay: float = Field(0.01, ge=0)
    """Weight decay: decoupled with adamw, an L2 penalty of half this times the squared weights otherwise; biases are
    exempt."""


class Schedule(Settings):
    """How the learning rate changes."""

    name: Literal["constant", "cosine", "plateau"] = "constant"
    """`cosine` falls to zero over all epochs; `plateau` falls by `factor` where validation does not improve."""
    warmup_steps: int = Field(0, ge=0)
    """Steps over which the learning rate first rises linearly."""
    factor: float = Field(0.5, gt=0, lt=1)
    """By what `plateau` multiplies the learning rate."""
    patience: int = Field(3, ge=1)
    """Epochs without improvement after which `plateau` does so."""


class Training(Settings):
    """How a head is trained; heads that are solved for (linear, logistic) read `loss` and `class_weights` alone."""

    loss: LossName | None = None
    """Loss; by default that of the target: bce (binary), mse (value, angles), ce (classes)."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` weighs each class by one over its frequency, so that all weigh alike."""
    epochs: int = Field(50, ge=1, le=10_000)
    """Most passes over the training data."""
    patience: int = Field(8, ge=1)
    """Epochs without improvement on the validation proteins after which training stops."""
    batch_size: int = Field(64, ge=1)
    """Proteins of a batch, which several devices share out; lower it if a batch does not fit in memory. For pairs a
    batch is a part of one map, or with a logistic head the pairs taken of one chain."""
    accumulate: int = Field(1, ge=1)
    """Batches whose gradients make one step; for pairs, at least as many as devices train together."""
    optimizer: Optimizer = Optimizer()
    """How weights are stepped."""
    schedule: Schedule = Schedule()
    """How the learning rate changes."""
    trunk_lr: float | None = Field(None, gt=0, le=10)
    """Learning rate of what is trained of the trunk; that of the optimizer if null."""
    layer_decay: float = Field(1.0, gt=0, le=1)
    """The trunk's learning rate is multiplied by this once for each layer below the last."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """In which products of matrices are computed in training; weights and losses stay in float32. float16 needs a GPU,
    and scales the loss so that small gradients do not vanish."""
    gradient_clip: float = Field(1.0, gt=0)
    """Largest norm of the gradient; a longer one is shortened to it."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of each label that is spread over all classes, of binary and classes alike."""
    l1: float = Field(0.0, ge=0)
    """L1 penalty: this times the sum of the absolute weights is added to the loss."""
    noise: float = Field(0.0, ge=0)
    """Augmentation: normal noise of this standard deviation, in standard deviations of each feature, on embeddings."""
    monitor: Literal["loss", "metric"] = "loss"
    """What early stopping watches on the validation proteins: the loss, or the task's first metric."""
    workers: int = Field(0, ge=0, le=64)
    """Processes that load batches beside the one that trains; 0 loads them in it."""


CONVEX_READS = {"loss", "class_weights"}


class Pairs(Settings):
    """Limits of pair-level experiments."""

    max_chains: int = Field(100, ge=3)
    """Most chains, of different sequence, that train and validate, drawn by the seed."""
    max_length: int = Field(1500, ge=1)
    """Longer chains are left out, residues: memory grows with the square of the length."""
    max_predicted: int = Field(500, ge=1)
    """Most validation and most test chains for which predictions are written, drawn by the seed."""


def _names(value: Any) -> Any:
    """`task: ss3` is short for `task: [ss3]`."""
    return [value] if isinstance(value, str) else value


class Experiment(Settings):
    """A head for one task, or for several of one level, on the frozen trunk or from scratch."""

    task: Annotated[
        tuple[str, ...], Field(min_length=1), BeforeValidator(_names, json_schema_input_type=str | tuple[str, ...])
    ]
    """What is predicted: `ss3`, `torsions`, `contact`, `distogram`, or the name of a labelled table; several of one
    level share the head's body."""
    weights: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Weight of each task's loss among several; 1 by default."""
    head: HeadChoice | None = None
    """The head and its settings; by default the task's own."""
    layers: Literal["last", "all", "best", "mix"] | Layer | Annotated[tuple[Layer, ...], Field(min_length=1)] = "last"
    """Layers of the trunk whose embeddings the head reads, counted from 1: `last`, `all` side by side, one, several,
    the `best` one, which a regression on each chooses on validation, or a `mix` of all, whose weights are learnt."""
    unfreeze: Unfreeze = 0
    """What of the trunk is trained along: nothing (0), the `last` n layers, `all`, or low-rank additions (`lora`)."""
    covariates: tuple[str, ...] = ()
    """Columns of the labelled table that the head reads beside the sequence; protein level only."""
    features: Annotated[tuple[Feature, ...], Field(min_length=1)] | None = None
    """Of each residue pair: the trunk's attention maps, coevolution, separation along the chain, and (residual) both
    residues' embeddings; pair level only, by default attention and separation."""
    pairs: Pairs | None = None
    """Limits; pair level only."""
    cross_validate: bool = False
    """Whether each fold is the test set once; else fold 0 alone is."""
    validation: Literal["all", "next"] = "all"
    """Which other folds validate: `all` in turn, a member each, so that all data train; or the `next` one alone."""
    ensemble: int = Field(1, ge=1, le=100)
    """Heads trained from different seeds for each validation fold; their predictions are averaged."""
    seed: int = Field(0, ge=0, le=2**31)
    """Seed of the first member; the next has this plus one."""
    training: Training = Training()
    """How the head is trained."""
    grid: dict[str, list[Any]] = Field(default_factory=dict)
    """A sweep: values by key, such as `training.optimizer.name`; the experiment becomes one for each combination, named
    after it and its values."""

    @model_validator(mode="after")
    def _fitting(self) -> "Experiment":
        if len(set(self.task)) < len(self.task):
            raise ValueError("task: one is named twice")
        strange = [name for name in self.weights if name not in self.task]
        if strange:
            raise ValueError(f"weights: {strange[0]!r} is none of the experiment's tasks")
        if self.features is not None and len(set(self.features)) < len(self.features):
            raise ValueError("features: one is named twice")
        return self

    def resolve(self, tasks: list[Task]) -> "Experiment":
        """The experiment with the defaults that depend on its tasks.

        Raises
        ------
        ValueError
            naming the key that does not fit.
        """
        levels = {task.level for task in tasks}
        if len(levels) > 1:
            raise ValueError(f"task: {' and '.join(self.task)} are of different levels, {' and '.join(sorted(levels))}")
        (level,) = levels
        values = self.model_dump(exclude_unset=True)
        values.setdefault("head", {"name": default_head(tasks[0])})
        if level == "pair":
            values.setdefault("features", ("attention", "separation"))
            values.setdefault("pairs", {})
        resolved = Experiment.model_validate(values)
        resolved._check(level, tasks)
        return resolved

    def _check(self, level: str, tasks: list[Task]) -> None:
        name = self.head.name
        if name not in HEADS[level]:
            raise ValueError(f"head: {name!r} is no head of {level} tasks; take {', '.join(HEADS[level])}")
        if self.training.loss:
            for task in tasks:
                if self.training.loss not in LOSSES[task.kind]:
                    raise ValueError(
                        f"training.loss: {self.training.loss} does not fit the task {task.name} ({task.kind}); take "
                        + " or ".join(LOSSES[task.kind])
                    )
        if self.training.class_weights == "balanced" and not any(t.kind in ("binary", "classes") for t in tasks):
            raise ValueError("training.class_weights: the tasks have no classes")
        if self.training.label_smoothing and not any(t.kind in ("binary", "classes") for t in tasks):
            raise ValueError("training.label_smoothing: the tasks have no classes")
        self._check_unfreeze(level)
        if self.convex:
            self._check_convex()
        elif name in CONVEX and (ignored := self.head.model_fields_set & {"penalty", "max_examples"}):
            key = "unfreeze" if self.unfreeze != 0 else "layers: mix"
            raise ValueError(f"head.{min(ignored)}: with {key} the head is trained, not solved for; remove it")
        if level != "pair":
            for key in ("features", "pairs"):
                if getattr(self, key) is not None:
                    raise ValueError(f"{key}: only pair-level tasks read it")
        elif "embedding" in self.features and name == "logistic":
            raise ValueError("features: `embedding` needs the head `residual`")
        if level != "protein" and self.covariates:
            raise ValueError("covariates: only protein-level tasks read them")
        if self.training.noise and (name in FROM_SCRATCH or level == "pair"):
            raise ValueError(f"training.noise: the head {name} reads no embeddings")
        if self.training.noise and self.unfreeze != 0:
            raise ValueError("training.noise: it is for embeddings of a frozen trunk; remove it, or unfreeze")
        if self.layers != "last" and (name in FROM_SCRATCH or (level == "pair" and "embedding" not in self.features)):
            raise ValueError(f"layers: the head {name} reads no embeddings")
        if self.layers in ("best", "mix") and level == "pair":
            raise ValueError(f"layers: `{self.layers}` is for protein- and residue-level tasks; name the layers")
        if self.layers == "best" and self.cross_validate:
            raise ValueError(
                "layers: with cross_validate every protein is tested, so none could choose the `best`; take all, or one"
            )

    def _check_unfreeze(self, level: str) -> None:
        training = self.training.model_fields_set & {"trunk_lr", "layer_decay"}
        if self.unfreeze == 0:
            if training:
                raise ValueError(f"training.{min(training)}: the trunk is frozen; set unfreeze, or remove it")
            return
        if level == "pair" and not (self.reads("attention") or self.reads("embedding")):
            raise ValueError(f"unfreeze: the features {' and '.join(self.features)} read no trunk; add attention")
        if self.head.name in FROM_SCRATCH:
            raise ValueError(f"unfreeze: the head {self.head.name} reads no trunk")
        if self.layers == "best":
            raise ValueError("layers: `best` compares layers of the frozen trunk; name them where it is trained")

    def _check_convex(self) -> None:
        ignored = sorted(self.training.model_fields_set - CONVEX_READS)
        if ignored:
            raise ValueError(
                f"training.{ignored[0]}: the head {self.head.name} is solved to convergence and does not read it; "
                "remove it, or take another head"
            )
        if self.ensemble > 1:
            raise ValueError(f"ensemble: the head {self.head.name} has one solution whatever the seed; remove it")
        if self.training.loss == "mae" or self.training.loss == "msle":
            raise ValueError(f"training.loss: the head {self.head.name} is solved for bce, ce, kl or mse")

    def embeds(self, level: str) -> Literal["", "pooled", "residues"]:
        """Which embeddings a resolved experiment of this level reads, if any."""
        if level == "pair":
            return "residues" if self.reads("embedding") and self.unfreeze == 0 else ""
        if self.head.name in FROM_SCRATCH or self.unfreeze != 0:
            return ""
        return "pooled" if level == "protein" and self.head.name in ("linear", "mlp") else "residues"

    @property
    def residue_layers(self) -> list[str]:
        """The layers as `foldgraft embed shard --residues` takes them."""
        if isinstance(self.layers, str):
            return ["all" if self.layers in ("best", "mix") else self.layers]
        return [str(layer) for layer in ([self.layers] if isinstance(self.layers, int) else self.layers)]

    @property
    def convex(self) -> bool:
        """Whether the head is solved for rather than trained, as one is whose features nothing learnt enters."""
        fixed = self.unfreeze == 0 and self.layers != "mix"
        return self.head is not None and self.head.name in CONVEX and fixed

    def reads(self, feature: str) -> bool:
        """Whether pair features of this kind are read."""
        return feature in (self.features or ())

    def stated(self) -> dict[str, Any]:
        """All keys of a resolved experiment that it reads, with their values."""
        values = self.model_dump(mode="json", exclude={"grid"})
        if self.convex:
            values["training"] = {key: values["training"][key] for key in sorted(CONVEX_READS)}
        return {key: value for key, value in values.items() if value is not None}
