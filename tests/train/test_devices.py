"""That tensors meet on one device: the device `meta`, which computes nothing, stands in for a GPU."""

import numpy as np
import pandas as pd
import pytest
import torch

from foldgraft.models.heads.layers import Standardise
from foldgraft.tasks.seen import distance
from foldgraft.tasks.task import BUILT_IN, SOLUBILITY
from foldgraft.tasks.trained import load_head
from foldgraft.train.engine import Engine
from foldgraft.train.experiment import train
from foldgraft.train.outputs import Outputs
from foldgraft.train.settings import Experiment

META = torch.device("meta")


class Elsewhere(Engine):
    """The first of two GPUs."""

    share = (0, 2)

    def __init__(self):
        super().__init__(kind="cpu")
        self.device = META


@pytest.mark.parametrize(
    ("task", "kinds", "values"),
    [
        (SOLUBILITY, ("labels", "embeddings"), {"layers": "last"}),
        (BUILT_IN["contact"], ("targets",), {"features": ["attention", "separation"]}),
    ],
)
def test_a_head_that_is_solved_for_is_solved_on_the_cpu_whatever_the_device(folder, tmp_path, task, kinds, values):
    one = Experiment(task=task.name, validation="next", **values)
    written = [Outputs.of(tmp_path / name) for name in ("cpu", "gpu")]
    for outputs, engine in zip(written, (None, Elsewhere()), strict=True):
        train("x", one, [task], folder.inputs(*kinds), outputs, engine)
    here, there = (load_head(outputs.head).members[0].state_dict() for outputs in written)
    assert here.keys() == there.keys() and all(torch.equal(here[name], there[name]) for name in here)
    pd.testing.assert_frame_equal(*(pd.read_csv(outputs.history) for outputs in written))


def test_the_distance_of_an_embedding_is_taken_where_the_head_is():
    class Asked(Standardise):
        """Says where it was asked, and gives a number, which `meta` cannot."""

        def forward(self, x):
            seen.append(x.device)
            return torch.full((1, 4), 3.0)

    seen = []
    assert distance(np.ones(4, dtype=np.float32), Asked(4).to(META)) == 3
    assert seen == [META]
