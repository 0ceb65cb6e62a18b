"""Settings of the evaluate stage."""

from pydantic import Field

from foldgraft.settings import Settings


class EvaluateSettings(Settings):
    """How metrics and their intervals are computed."""

    resamples: int = Field(default=1000, ge=100, le=100_000)
    """Number of bootstrap resamples behind each 95 % interval."""
    seed: int = Field(default=0, ge=0)
    """Seed of the resampling; the same seed gives the same intervals."""
    bins: int = Field(default=10, ge=2, le=50)
    """Number of bins of the reliability curve and of the expected calibration error, each with as many proteins."""
    untrained: bool = False
    """Whether tasks have one more baseline: a regression on what a trunk of the same shape with random weights says, on
    embeddings of proteins or residues, or on attention and separation of pairs. Of proteins it costs as much as
    embedding their sequences, on a CPU; of residues and of pairs about twice that for those that are predicted."""
    external: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Labelled tables on which the heads of other experiments are tried: by table, the experiments. If a table has
    experiments of its own, they are compared with these heads: that is what learning from its labels adds. Of a table
    without, all proteins are test proteins."""
