"""The layer of the trunk that serves a task best, by a regression on each alone."""

import sys
from typing import Any

import numpy as np

from foldgraft.models.heads.settings import LinearSettings
from foldgraft.models.trunk import Trunk
from foldgraft.progress import progress
from foldgraft.tasks.sequences import SequenceExamples
from foldgraft.tasks.vectors import StoredVectors
from foldgraft.train.ensemble import Trainer
from foldgraft.train.settings import Experiment, Training

COLUMNS = ["layer", "metric", "value"]
"""Of `layers.csv`: the task's first metric on validation proteins, higher being better."""


def compare_layers(name: str, experiment: Experiment, examples: SequenceExamples, trunk: Trunk) -> list[dict[str, Any]]:
    """Solve a regression on each layer alone, and say what it reaches on the validation proteins.

    The proteins of the test fold have no part in it.

    Returns
    -------
    list of rows with the columns `COLUMNS`
    """
    stored: StoredVectors = examples.vectors
    training = Training(class_weights=experiment.training.class_weights)
    regression = experiment.model_copy(
        update={"head": LinearSettings(), "training": training, "ensemble": 1, "covariates": ()}
    )
    found = []
    for layer in progress(stored.layers, f"{name}: layers"):
        alone = SequenceExamples(
            examples.tasks,
            examples.table,
            examples.known,
            "residues" if examples.per_residue else "pooled",
            StoredVectors(stored.embeddings, [layer]),
        )
        widths = (stored.embeddings.width, 0)
        trainer = Trainer(name, regression, alone, widths, trunk, np.ones(len(alone), dtype=bool))
        (group,) = trainer.groups()
        row = trainer.train(group).history[0]
        found.append({"layer": layer, "metric": examples.tasks[0].headline, "value": row["valid_metric"]})
        print(f"{name}: layer {layer}, {found[-1]['metric']} {found[-1]['value']:.4f}", file=sys.stderr)
    return found


def best_layer(rows: list[dict[str, Any]]) -> int:
    """The layer of the highest value; of equals the last."""
    values = [row["value"] for row in rows]
    return rows[len(values) - 1 - int(np.nanargmax(values[::-1]))]["layer"]
