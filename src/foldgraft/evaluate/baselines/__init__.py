"""Baselines: what a task yields without a language model. Each writes predictions as an experiment does.

A baseline covers the proteins that the experiments of its task predicted. For those of a test fold it chooses its
settings on the validation fold of that test fold and then learns from all other folds, the validation fold among them;
for those of a validation fold it learns from neither.
"""

from collections.abc import Callable
from functools import partial

from foldgraft.evaluate.baselines import pair, protein, residue
from foldgraft.evaluate.baselines.inputs import Inputs

BASELINES: dict[tuple[str, str], Callable[[Inputs], None]] = {
    ("protein", "constant"): partial(protein.write, model=protein.constant),
    ("protein", "composition"): partial(protein.write, model=protein.composition),
    ("protein", "boosting"): partial(protein.write, model=protein.boosting),
    ("protein", "neighbour"): protein.write_neighbour,
    ("residue", "constant"): partial(residue.write, model=residue.constant),
    ("residue", "onehot"): partial(residue.write, model=residue.onehot),
    ("residue", "state"): partial(residue.write, model=residue.by_state),
    ("pair", "separation"): pair.write_separation,
    ("pair", "coevolution"): pair.write_coevolution,
}
"""By level and name; a new baseline is a line here, and a name among the baselines of its tasks."""
