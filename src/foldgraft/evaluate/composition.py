"""Baselines of solubility: what composition, length and charge tell, and what knowing nothing tells."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from foldgraft.errors import FoldgraftError
from foldgraft.progress import progress
from foldgraft.records.predictions import PROTEIN
from foldgraft.records.split import roles
from foldgraft.residues import AMINO_ACIDS

STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
"""Inverse penalties C of the logistic regression, from which validation chooses."""

CHARGE = {"K": 1.0, "R": 1.0, "D": -1.0, "E": -1.0}
"""Whole charges near pH 7; histidine counts as neutral."""


def features(sequence: str) -> np.ndarray:
    """Fractions of the 20 amino acids, log length, net charge, its size, and net charge per residue; shape (24,)."""
    sequence = sequence.upper()
    counts = np.array([sequence.count(letter) for letter in AMINO_ACIDS], dtype=np.float64)
    net = sum(charge * sequence.count(letter) for letter, charge in CHARGE.items())
    length = max(1, len(sequence))
    return np.concatenate([counts / max(1.0, counts.sum()), [np.log(length), net, abs(net), net / length]])


def baselines(labels: pd.DataFrame, split: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions of the composition model and of a constant, for every fold as test and as validation.

    Each fold is tested by a model fitted to the others but the next one, on which its penalty is chosen (after the last
    fold comes the first): as the experiments do it, cross-validated or not.

    Parameters
    ----------
    labels : frame
        columns of `foldgraft.records.labels`
    split : frame
        the rows of `cluster/split.parquet` of the set `labels`
    seed : int

    Returns
    -------
    two frames with the columns of `foldgraft.records.predictions.PROTEIN`, sorted by split and id

    Raises
    ------
    FoldgraftError
        if there are fewer than three folds.
    """
    table = labels[["id", "sequence", "sequence_sha256", "label"]].merge(split[["id", "fold"]], on="id")
    table = table.sort_values("id", kind="stable", ignore_index=True)
    folds = table["fold"].nunique()
    if folds < 3:
        raise FoldgraftError(f"cluster/split.parquet: the labels have {folds} folds; three are the least")
    inputs = np.array([features(sequence) for sequence in table["sequence"]])  # (n, 24)
    parts = list(_by_fold(table, inputs, seed))
    composition, constant = (pd.concat(frames, ignore_index=True) for frames in zip(*parts, strict=True))
    order = ["split", "id"]
    return composition.sort_values(order, ignore_index=True), constant.sort_values(order, ignore_index=True)


def _by_fold(table: pd.DataFrame, inputs: np.ndarray, seed: int) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    label, by_fold = table["label"].to_numpy(), roles(table["fold"], cross_validate=True)
    for one in progress(by_fold, "folds of the composition baseline", len(by_fold)):
        train, valid = one.train, one.valid
        score = fit(inputs[train], label[train], inputs[valid], label[valid], inputs, seed)
        mean = np.full(len(table), label[train].mean())
        for name, rows in (("test", one.test), ("valid", valid)):
            chosen = table.iloc[rows]
            yield _frame(chosen, name, score[rows]), _frame(chosen, name, mean[rows])


def fit(
    train: np.ndarray, label: np.ndarray, valid: np.ndarray, valid_label: np.ndarray, inputs: np.ndarray, seed: int
) -> np.ndarray:
    """Probabilities for `inputs` from the penalised logistic regression that has the least log loss on validation.

    A fraction y is a protein that is soluble with weight y and insoluble with weight 1 - y.
    """
    if label.min() == label.max() and label.min() in (0.0, 1.0):
        return np.full(len(inputs), label.mean())
    models = [_model(train, label, strength, seed) for strength in STRENGTHS]
    losses = [_log_loss(valid_label, model.predict_proba(valid)[:, 1]) for model in models]
    return models[int(np.argmin(losses))].predict_proba(inputs)[:, 1]


def _model(inputs: np.ndarray, label: np.ndarray, strength: float, seed: int) -> Pipeline:
    scaler = StandardScaler().fit(inputs)
    regression = LogisticRegression(C=strength, max_iter=500, random_state=seed)
    weight = np.concatenate([label, 1 - label])
    classes = np.repeat([1, 0], len(label))
    used = weight > 0
    doubled = scaler.transform(np.concatenate([inputs, inputs])[used])
    regression.fit(doubled, classes[used], sample_weight=weight[used])
    return make_pipeline(scaler, regression)


def _log_loss(label: np.ndarray, score: np.ndarray) -> float:
    score = np.clip(score, 1e-9, 1 - 1e-9)
    return float(-np.mean(label * np.log(score) + (1 - label) * np.log(1 - score)))


def _frame(rows: pd.DataFrame, split: str, score: np.ndarray) -> pd.DataFrame:
    scores = list(score[:, None].astype(np.float32))
    return rows.rename(columns={"label": "truth"}).assign(split=split, score=scores, low=scores, high=scores)[
        PROTEIN.names
    ]
