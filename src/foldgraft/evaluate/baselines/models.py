"""Models of the baselines, from scikit-learn, for every kind of target alike.

Each is fitted to inputs (n, F) and truth (n, T) as `foldgraft.records.predictions` has it, and predicts (n, K) as a
reader of predictions expects it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from foldgraft.metrics.classes import SMALLEST

Array = np.ndarray
Predict = Callable[[Any], Array]

STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
"""Inverse penalties of linear models, from which validation chooses."""

MOST_TREES, STEP = 300, 0.05
"""Trees of the boosted model, of which validation chooses how many, and its learning rate."""


def knowing_nothing(kind: str, truth: Array, outputs: int) -> Array:
    """What the truth alone says: mean, class frequencies, or mean direction of each angle, 0 where none is known; shape
    (K,)."""
    if kind == "classes":
        counts = np.bincount(truth[:, 0].astype(np.int64), minlength=outputs)
        return counts / counts.sum()
    return on_circle(np.nansum(truth, axis=0)) if kind == "angles" else truth.mean(axis=0)


def linear(kind: str, outputs: int, inputs: Any, truth: Array, strength: float, seed: int) -> Predict:
    """Logistic regression, or ridge regression of values and of sines and cosines.

    A fraction y counts as a positive of weight y and a negative of weight 1 - y.
    """
    scaler = StandardScaler(with_mean=not sparse.issparse(inputs))
    if kind in ("value", "angles"):
        ridge = make_pipeline(scaler, Ridge(alpha=1 / strength)).fit(inputs, truth)
        return lambda x: on_circle(ridge.predict(x)) if kind == "angles" else ridge.predict(x).reshape(x.shape[0], -1)
    regression = LogisticRegression(C=strength, max_iter=500, random_state=seed)
    return _classifier(kind, outputs, regression, scaler, inputs, truth)


def boosted(kind: str, outputs: int, inputs: Array, truth: Array, trees: int, seed: int) -> Predict:
    """Gradient-boosted trees."""
    settings = {"max_iter": trees, "learning_rate": STEP, "early_stopping": False, "random_state": seed}
    if kind == "value":
        regressor = HistGradientBoostingRegressor(**settings).fit(inputs, truth[:, 0])
        return lambda x: regressor.predict(x)[:, None]
    return _classifier(kind, outputs, HistGradientBoostingClassifier(**settings), None, inputs, truth)


def _classifier(
    kind: str, outputs: int, model: Any, scaler: StandardScaler | None, inputs: Any, truth: Array
) -> Predict:
    label = truth[:, 0]
    if kind == "classes" or np.isin(label, (0, 1)).all():
        rows, target, weight = inputs, label.astype(np.int64), None
    else:
        stack = sparse.vstack if sparse.issparse(inputs) else np.concatenate
        rows, target = stack([inputs, inputs]), np.repeat([1, 0], len(label))
        weight = np.concatenate([label, 1 - label])
    if len(np.unique(target)) < 2:
        return lambda x: np.tile(knowing_nothing(kind, truth, outputs), (x.shape[0], 1))
    transform = scaler.fit(inputs).transform if scaler else lambda x: x
    model.fit(transform(rows), target, sample_weight=weight)

    def predict(x: Any) -> Array:
        probability = model.predict_proba(transform(x))
        if kind == "binary":
            return probability[:, 1:]
        every = np.zeros((len(probability), outputs))
        every[:, model.classes_] = probability
        return every

    return predict


def loss(kind: str, predicted: Array, truth: Array) -> float:
    """What validation chooses by: cross-entropy, or squared error."""
    if kind == "classes":
        given = np.take_along_axis(predicted, truth[:, :1].astype(np.int64), axis=1)
        return float(-np.log(np.maximum(given, SMALLEST)).mean())
    if kind == "binary":
        p = np.clip(predicted, SMALLEST, 1 - SMALLEST)
        return float(-(truth * np.log(p) + (1 - truth) * np.log(1 - p)).mean())
    return float(np.nanmean((predicted - truth) ** 2))


def choose(fitted: Callable[[Any], Predict], among: Sequence[Any], kind: str, inputs: Any, truth: Array) -> Any:
    """The setting whose model has the least loss on validation examples; the first if there are none."""
    if not len(truth):
        return among[0]
    return min(among, key=lambda setting: loss(kind, fitted(setting)(inputs), truth))


def on_circle(values: Array) -> Array:
    """Pairs of sine and cosine scaled to the unit circle; shape (..., 2 * A)."""
    pairs = values.reshape(*values.shape[:-1], -1, 2)
    length = np.linalg.norm(pairs, axis=-1, keepdims=True)
    return np.divide(pairs, length, out=np.zeros_like(pairs), where=length > 0).reshape(values.shape)
