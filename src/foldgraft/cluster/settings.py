"""Settings of the cluster stage."""

from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

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

    split_by: Literal["cluster", "group", "released"] = "cluster"
    """What is kept whole and what is tested. `cluster`: components of related sequences, dealt evenly. `group`: the
    groups of the labelled tables' group column, and organisms of chains, dealt evenly. `released`: chains released on
    the day `released` or later are the test set, all others train and validate; a later chain with an earlier relative
    is left out, and labelled tables, which have no dates, are dealt as by `cluster`."""

    released: date | None = None
    """First day of the test set where `split_by` is `released`."""

    related_groups: Literal["join", "part"] = "join"
    """Whether groups with related members are joined into one, so that no test protein has a relative in training, or
    parted as they are, so that a group may be tested whose relatives were trained on; the audit then counts those."""

    together: bool = True
    """Whether all sets are split as one, so that no test protein of one has a relative in the training of another. A
    table with published folds always stands alone."""

    folds: int = Field(5, ge=3, le=100)
    """Number of folds; fold 0 is the test set, fold 1 the validation set, the others are trained on."""

    use_published_folds: bool = True
    """Keep the folds that a labelled table brings along; their number then replaces `folds` for that table."""

    seed: int = Field(0, ge=0)
    """Seed of the hash that deals components to folds."""

    leak_identity: float = Field(0.3, ge=0.0, le=1.0)
    """Fraction of identical residues from which a test protein may leak."""

    leak_coverage: float = Field(0.8, gt=0.0, le=1.0)
    """Aligned fraction of the shorter of the two proteins from which a test protein may leak."""

    max_leak: float = Field(0.01, ge=0.0, le=1.0)
    """Fraction of test proteins that may leak before the verdict is `leaks`."""

    on_leak: Literal["report", "fail"] | None = None
    """Whether a leaking split is only reported, or stops the run; null: one with published folds is reported, a split
    made here stops the run."""

    @model_validator(mode="after")
    def _a_day_for_dates(self) -> Self:
        if (self.split_by == "released") != (self.released is not None):
            raise ValueError("split_by: released and the key released, a day, come together")
        return self
