"""What each layer of the trunk is worth to an experiment: by a regression on it alone, and by its share in a mix."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from foldgraft.metrics.catalogue import describe
from foldgraft.models.heads.build import Widths
from foldgraft.models.heads.layers import Head
from foldgraft.models.heads.mix import shares
from foldgraft.models.heads.settings import LinearSettings
from foldgraft.models.trunk import Trunk
from foldgraft.progress import progress
from foldgraft.records.files import sealed
from foldgraft.records.text_tables import write_frame
from foldgraft.tasks.sequences import SequenceExamples
from foldgraft.tasks.vectors import StoredVectors
from foldgraft.train.ensemble import Trainer
from foldgraft.train.settings import Experiment, Training

COLUMNS = ["layer", "metric", "value", "share"]
"""Of `layers.csv`: the task's first metric on validation proteins, of a regression on this layer alone; and the layer's
share in a learnt mix, the mean of the members. A column that was not asked for is empty."""

COMPARED = 20_000
"""Most training proteins or residues that a regression on one layer learns from."""


def compare_layers(name: str, experiment: Experiment, examples: SequenceExamples, trunk: Trunk) -> list[dict[str, Any]]:
    """Solve a regression on each layer alone, and say what it reaches on the validation proteins.

    The proteins of the first test fold have no part in it. The head of the experiment has none either: whatever it is,
    the regression says how much a layer tells, and costs little.

    Returns
    -------
    list of rows with the first columns of `COLUMNS`; none for an experiment that reads no stored layers, or one alone
    """
    if examples.vectors is None or len(examples.vectors.layers) < 2:
        return []
    stored: StoredVectors = examples.vectors
    regression = Experiment(
        task=experiment.task,
        weights=experiment.weights,
        head=LinearSettings(max_examples=COMPARED),
        cross_validate=experiment.cross_validate,
        validation=experiment.validation if experiment.layers == "best" else "next",
        seed=experiment.seed,
        training=Training(class_weights=experiment.training.class_weights),
    )
    metric, scores = examples.tasks[0].headline, []
    for layer in progress(stored.layers, f"{name}: layers"):
        alone = SequenceExamples(
            examples.tasks,
            examples.table,
            examples.known,
            "residues" if examples.per_residue else "pooled",
            StoredVectors(stored.embeddings, [layer]),
        )
        widths = Widths(stored.embeddings.width)
        trainer = Trainer(name, regression, alone, widths, trunk, np.ones(len(alone), dtype=bool))
        value = trainer.train(trainer.groups()[0]).history[0]["valid_metric"]
        scores.append({"layer": layer, "metric": metric, "value": -value if _lower(metric) else value})
        print(f"{name}: layer {layer}, {metric} {scores[-1]['value']:.4f}", file=sys.stderr)
    return scores


def best_layer(rows: Sequence[dict[str, Any]]) -> int:
    """The layer that does best; of equals the last."""
    values = [-row["value"] if _lower(row["metric"]) else row["value"] for row in rows]
    return rows[len(values) - 1 - int(np.nanargmax(values[::-1]))]["layer"]


def write_layers(path: Path, compared: Sequence[dict[str, Any]], heads: Sequence[Head]) -> None:
    """Write `layers.csv`: what was compared, and what the heads' mixes have learnt; no rows if there is neither."""
    table = pd.DataFrame(list(compared), columns=COLUMNS)
    if mixes := shares(heads):
        mean = np.mean(mixes, axis=0)
        table = table.reindex(range(len(mean))).assign(layer=range(1, len(mean) + 1), share=mean)
    with sealed(path) as temporary:
        write_frame(temporary, table)


def _lower(metric: str) -> bool:
    """Whether less is better; `foldgraft.train.measure.headline` gives such metrics with a minus."""
    return describe(metric).lower_is_better
