"""Settings of experiments: which head is trained on what, and how."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from foldgraft.settings import Settings

Feature = Literal["attention", "coevolution", "separation", "embedding"]


class Optimizer(Settings):
    """How weights are stepped."""

    name: Literal["sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "lbfgs"] = "adamw"
    """The rule of the step; `lbfgs`, for logistic contact heads alone, steps on all data at once."""
    lr: float = Field(1e-3, gt=0, le=10)
    """Learning rate."""
    weight_decay: float = Field(0.01, ge=0)
    """Weight decay: decoupled with adamw, an L2 penalty of half this times the squared weights otherwise; biases are
    exempt."""
    warmup_steps: int = Field(0, ge=0)
    """Steps over which the learning rate rises linearly to `lr`."""


def _lbfgs(data: dict[str, Any]) -> Optimizer:
    if data.get("head") == "logistic":
        return Optimizer(name="lbfgs", lr=1.0, weight_decay=1e-3)
    return Optimizer()


class _Experiment(Settings):
    """What all experiments share."""

    epochs: int = Field(50, ge=1, le=10_000)
    """Most passes over the training data."""
    patience: int = Field(8, ge=1)
    """Epochs without improvement on the validation proteins after which training stops."""
    dropout: float = Field(0.3, ge=0, lt=1)
    """Fraction of the hidden features dropped in training."""
    gradient_clip: float = Field(1.0, gt=0)
    """Largest norm of the gradient; a longer one is shortened to it."""
    seed: int = Field(0, ge=0, le=2**31)
    """Seed of member 0; member n has this plus n."""


class SolubilityExperiment(_Experiment):
    """A solubility head on the frozen trunk's embeddings."""

    task: Literal["solubility"] = "solubility"
    """Predict whether a protein is soluble."""
    head: Literal["linear", "mlp", "light_attention", "cnn_from_scratch"] = "light_attention"
    """`linear` and `mlp` read the pooled embedding, `light_attention` residue embeddings, `cnn_from_scratch` the
    sequence alone."""
    hidden: int = Field(64, ge=1, le=8192)
    """Hidden units of `mlp`, channels of `light_attention`."""
    loss: Literal["bce", "mse"] = "bce"
    """`bce`: cross-entropy of the last layer's logit; `mse`: squared error of its sigmoid. Both take fractions."""
    optimizer: Optimizer = Optimizer()
    """How weights are stepped."""
    monitor: Literal["loss", "auc"] = "loss"
    """What early stopping watches on the validation proteins; `auc` takes labels of 0.5 and more as soluble."""
    batch_size: int = Field(64, ge=1)
    """Proteins of a batch."""
    members: int = Field(3, ge=1, le=100)
    """Heads trained from different seeds, whose predictions are averaged; without `cross_validate`."""
    cross_validate: bool = False
    """Train one member per fold instead: fold f is its test set, the next its validation set, the rest train it."""
    workers: int = Field(0, ge=0, le=64)
    """Processes that load batches beside the one that trains; 0 loads them in it."""

    @model_validator(mode="after")
    def _stochastic(self) -> "SolubilityExperiment":
        if self.optimizer.name == "lbfgs":
            raise ValueError("optimizer lbfgs steps on all data at once; it serves logistic contact heads only")
        return self


class ContactExperiment(_Experiment):
    """A contact head on the frozen trunk's attention and on coevolution."""

    task: Literal["contact"] = "contact"
    """Predict which residues touch."""
    head: Literal["logistic", "pair"] = "logistic"
    """`logistic`: a regression on the pair features; `pair`: a small network on them."""
    features: tuple[Feature, ...] = Field(("attention", "separation"), min_length=1)
    """Of each pair: the trunk's attention maps, the coevolution score, the separation along the chain; `embedding` adds
    a product of both residues' embeddings to the head `pair`."""
    optimizer: Optimizer = Field(default_factory=_lbfgs)
    """How weights are stepped; by default lbfgs for `logistic` and adamw for `pair`."""
    hidden: int = Field(32, ge=1, le=1024)
    """Hidden units of `pair`."""
    rank: int = Field(16, ge=1, le=1024)
    """Width of the projected embeddings of `pair`."""
    monitor: Literal["precision", "loss"] = "precision"
    """What early stopping watches on the validation chains; `precision`: of the L best pairs 12 and more apart."""
    max_chains: int = Field(100, ge=1)
    """Most training chains, of different sequence, drawn by the seed."""
    valid_chains: int = Field(20, ge=1)
    """Most validation chains that early stopping and calibration look at, drawn by the seed."""
    max_length: int = Field(1500, ge=1)
    """Longer chains are left out, residues: memory grows with the square of the length."""
    pairs_per_chain: int = Field(1000, ge=2)
    """Most pairs taken of a training chain: its contacts, up to half of them, and others drawn by the seed."""
    batch_size: int = Field(2048, ge=1)
    """Pairs of a batch; lbfgs takes all at once."""
    members: int = Field(1, ge=1, le=100)
    """Heads whose predictions are averaged; if several, each on training chains drawn with replacement."""
    max_predicted: int = Field(500, ge=1)
    """Most validation and most test chains for which predictions are written, drawn by the seed."""

    @model_validator(mode="after")
    def _fitting(self) -> "ContactExperiment":
        if len(set(self.features)) < len(self.features):
            raise ValueError("features: one is named twice")
        if "embedding" in self.features and self.head != "pair":
            raise ValueError("features: `embedding` needs the head `pair`")
        if self.features == ("embedding",):
            raise ValueError("features: `embedding` needs another beside it")
        if self.optimizer.name == "lbfgs" and self.head != "logistic":
            raise ValueError("optimizer lbfgs needs the head `logistic`; take adamw")
        return self


Experiment = Annotated[SolubilityExperiment | ContactExperiment, Field(discriminator="task")]
"""One entry of the configuration's `experiments`."""
