"""Baseline of residue pairs: a regression on the attention maps of a trunk with random weights."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.baselines import models
from foldgraft.evaluate.baselines.inputs import Inputs, Plan, training
from foldgraft.evaluate.baselines.models import Predict
from foldgraft.evaluate.baselines.untrained import readable, trunk_of
from foldgraft.metrics.classes import SMALLEST
from foldgraft.models.trunk import Trunk
from foldgraft.progress import progress
from foldgraft.records.predictions import schema_of
from foldgraft.records.tables import read_frames, row_writer
from foldgraft.records.targets import SCHEMA, Targets, read_targets
from foldgraft.tasks.pair_features import Layout, expand, pair_index
from foldgraft.tasks.truth import TRUTH, bin_centres, share_in_contact

FEATURES = ("attention", "separation")
"""Those that experiments read by default."""

CHAINS, PAIRS = 100, 200
"""Chains that are learnt from, and pairs of each, drawn by the seed."""

STRENGTHS = (0.01, 0.1, 1.0)

TOGETHER = 1 << 18
"""Pairs whose features are in memory together."""


class Learnt(NamedTuple):
    """Pairs of the chains that are learnt from."""

    table: pd.DataFrame  # a row for each chain: id, fold
    features: list[np.ndarray]  # (n, F)
    truth: list[np.ndarray]  # (n, 1)

    def examples(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features and truth of the pairs of some chains."""
        return np.concatenate([self.features[r] for r in rows]), np.concatenate([self.truth[r] for r in rows])


def write_untrained(inputs: Inputs) -> None:
    """Write what logistic regression says of each pair on the attention of an untrained trunk, and on separation."""
    trunk = trunk_of(inputs)
    layout = Layout(FEATURES, trunk)
    wanted: dict[str, list[tuple[dict, Predict]]] = {}
    for plan, (without, whole) in _models(inputs, trunk, layout):
        for split, rows in inputs.rows(plan):
            for row in rows.to_dict("records"):
                wanted.setdefault(row["id"], []).append((row, whole if split == "test" else without))
    with row_writer(inputs.output, schema_of(inputs.about)) as writer:
        for chain in _chains(inputs.targets, "chains through an untrained trunk"):
            asked = wanted.pop(chain.id, [])
            for columns, (row, _) in zip(_predicted(inputs, trunk, layout, chain, asked), asked, strict=True):
                writer.write(row | columns)
    if wanted:
        raise FoldgraftError(f"baseline untrained: {min(wanted)} is in no file of targets; rerun the targets stage")


def _chains(targets: list[Path], what: str) -> Iterator[Targets]:
    for path in progress(list(targets), f"shards of {what}"):
        yield from read_targets(path)


def _models(inputs: Inputs, trunk: Trunk, layout: Layout) -> Iterator[tuple[Plan, tuple[Predict, Predict]]]:
    """For each plan the models that learn without the validation fold, and with it."""
    learnt = _learnt(inputs, trunk, layout)
    outputs, seed = max(1, len(inputs.names)), inputs.settings.seed

    def fitted(rows: np.ndarray, strength: float) -> Predict:
        features, truth = learnt.examples(rows)
        said = models.linear(inputs.kind, outputs, features, truth, strength, seed)
        return said if inputs.kind == "binary" else _smoothed(said, len(truth))

    for plan in progress(inputs.plans(), f"folds of {inputs.about.experiment}"):
        train, valid = training(learnt.table, plan, inputs.about.experiment)
        best = STRENGTHS[0]
        if len(valid):
            best = models.choose(partial(fitted, train), STRENGTHS, inputs.kind, *learnt.examples(valid))
        yield plan, (fitted(train, best), fitted(np.concatenate([train, valid]), best))


def _smoothed(said: Predict, count: int) -> Predict:
    """Probabilities of classes after one more pair, spread evenly over them: few pairs show a rare bin."""

    def predict(features: np.ndarray) -> np.ndarray:
        probability = said(features)
        return (count * probability + 1 / probability.shape[1]) / (count + 1)

    return predict


def _learnt(inputs: Inputs, trunk: Trunk, layout: Layout) -> Learnt:
    """Draw chains, none longer than the longest that the experiments predicted, and pairs of them."""
    table = read_frames(inputs.targets, SCHEMA, ["id", "sequence"]).drop_duplicates("id")
    table = table.merge(inputs.split[["id", "fold"]], on="id").sort_values("id", ignore_index=True)
    longest = int(inputs.wanted["length"].max())
    table = table[[readable(sequence, longest) for sequence in table["sequence"]]]
    rng = np.random.default_rng(inputs.settings.seed)
    fold = table.set_index("id")["fold"].iloc[rng.permutation(len(table))[:CHAINS]].to_dict()
    rows, features, truths = [], [], []
    for chain in _chains(inputs.targets, "targets"):
        if chain.id in fold:
            truth = TRUTH[inputs.about.task](chain)
            packed = pair_index(len(chain.sequence)).packed
            packed = packed[np.isfinite(truth[packed, 0])]
            packed = np.sort(rng.permutation(packed)[:PAIRS])
            if len(packed):
                rows.append((chain.id, fold.pop(chain.id)))
                features.append(layout.gather(trunk, chain.sequence, packed, None))
                truths.append(truth[packed].astype(np.float64))
    return Learnt(pd.DataFrame(rows, columns=["id", "fold"]), features, truths)


def _predicted(
    inputs: Inputs, trunk: Trunk, layout: Layout, chain: Targets, asked: list[tuple[dict, Predict]]
) -> Iterator[dict[str, object]]:
    """Columns of each row that is asked of a chain."""
    if not asked:
        return
    length, packed = len(chain.sequence), pair_index(len(chain.sequence)).packed
    parts: list[list[np.ndarray]] = [[] for _ in asked]  # of each, (S, 1) or score, distance and loss, (S, 3)
    truth = TRUTH[inputs.about.task](chain)[packed, 0]
    for start in range(0, max(1, len(packed)), TOGETHER):
        some = slice(start, start + TOGETHER)
        features = layout.gather(trunk, chain.sequence, packed[some], None)
        for part, (_, said) in zip(parts, asked, strict=True):
            values = said(features) if len(features) else np.zeros((0, max(1, len(inputs.names))))
            part.append(values if inputs.kind == "binary" else _of_bins(values, truth[some]))
    for part in parts:
        columns = np.concatenate(part)
        prediction: dict[str, object] = {"score": expand(columns[:, 0], length, 0.0)}
        if inputs.kind == "classes":
            known = columns[np.isfinite(truth), 2]
            prediction["distance"] = expand(columns[:, 1], length, np.nan)
            prediction["cross_entropy"] = float(known.mean()) if known.size else None
        yield prediction


def _of_bins(probability: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Of each pair the probability of a contact, the expected distance, and -log of the true bin's probability, NaN
    where that is not known; from the probabilities of the bins, (S, 64) to (S, 3)."""
    known = np.isfinite(truth)
    loss = np.full(len(truth), np.nan)
    given = probability[np.flatnonzero(known), truth[known].astype(np.int64)]
    loss[known] = -np.log(np.maximum(given, SMALLEST))
    return np.stack([probability @ share_in_contact(), probability @ bin_centres(), loss], axis=1)
