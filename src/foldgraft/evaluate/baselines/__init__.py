"""Baselines: what a task yields without a language model. Each writes predictions as an experiment does.

A baseline covers the proteins that the experiments of its task predicted. For those of a test fold it chooses its
settings on the validation fold of that test fold and then learns from all other folds, the validation fold among them;
for those of a validation fold it learns from neither.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.baselines import attention, pair, protein, residue
from foldgraft.evaluate.baselines.inputs import Inputs, make_inputs

BASELINES: dict[tuple[str, str], Callable[[Inputs], None]] = {
    ("protein", "constant"): partial(protein.write, model=protein.constant),
    ("protein", "composition"): partial(protein.write, model=protein.composition),
    ("protein", "boosting"): partial(protein.write, model=protein.boosting),
    ("protein", "neighbour"): protein.write_neighbour,
    ("protein", "untrained"): protein.write_untrained,
    ("protein", "covariates"): partial(protein.write, model=protein.covariates),
    ("residue", "constant"): partial(residue.write, model=residue.constant),
    ("residue", "onehot"): partial(residue.write, model=residue.onehot),
    ("residue", "state"): partial(residue.write, model=residue.by_state),
    ("residue", "untrained"): residue.write_untrained,
    ("pair", "separation"): pair.write_separation,
    ("pair", "coevolution"): pair.write_coevolution,
    ("pair", "untrained"): attention.write_untrained,
}
"""By level and name; a new baseline is a line here, and a name among the baselines of its tasks."""


def run(name: str, predictions: Sequence[Path], split: pd.DataFrame, **others) -> None:
    """Write the predictions of a baseline; `others` are attributes of `Inputs`.

    Raises
    ------
    FoldgraftError
        if there is no such baseline at the level of the predictions.
    """
    inputs = make_inputs(name, predictions, split, **others)
    level = inputs.about.level
    if (level, name) not in BASELINES:
        known = ", ".join(one for of_level, one in BASELINES if of_level == level)
        raise FoldgraftError(f"there is no baseline {name!r} of {level} tasks; take {known}")
    BASELINES[level, name](inputs)
