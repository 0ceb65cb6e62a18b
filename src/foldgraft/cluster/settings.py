"""Settings of the cluster stage."""

from typing import Literal

from pydantic import Field

from foldgraft.settings import Settings


class ClusterSettings(Settings):
    """How sequences are grouped, split, and how the split is audited."""

    min_identity: float = Field(0.3, ge=0.0, le=1.0)
    """Least fraction of identical residues in an alignment that joins two sequences."""

    coverage: float = Field(0.8, gt=0.0, le=1.0)
    """Least aligned fraction of residues for an alignment to join two sequences; of which of the two, `link` says."""

    link: Literal["shorter", "both"] = "shorter"
    """Whether `coverage` is asked of the shorter of two sequences or of both. `both` parts a fragment from its whole,
    which the audit then finds as a leak; choose it where multidomain proteins chain so many families together that
    one component swallows the set."""

    sensitivity: float = Field(7.5, ge=1.0, le=7.5)
    """MMseqs2's search sensitivity (-s), from 1 (fast) to 7.5 (sensitive)."""

    evalue: float = Field(1e-3, gt=0.0, le=10.0)
    """Largest expected number of chance hits per search (E-value) of an alignment that counts."""

    folds: int = Field(5, ge=3, le=100)
    """Number of folds; fold 0 is the test set, fold 1 the validation set, the others are trained on."""

    use_published_folds: bool = True
    """Keep the folds that the labelled table brings along; their number then replaces `folds` for that set."""

    seed: int = Field(0, ge=0)
    """Seed of the order among components of equal size."""

    leak_identity: float = Field(0.3, ge=0.0, le=1.0)
    """Fraction of identical residues from which a test protein may leak."""

    leak_coverage: float = Field(0.8, gt=0.0, le=1.0)
    """Aligned fraction of the shorter of the two proteins from which a test protein may leak."""

    max_leak: float = Field(0.01, ge=0.0, le=1.0)
    """Fraction of test proteins that may leak before the verdict is `leaks`."""

    on_leak: Literal["report", "fail"] = "report"
    """Whether a leaking split is only reported, or stops the run."""
