"""Kinds of targets, and what fits each; torch is not needed to know them."""

from typing import Literal

from foldgraft.errors import FoldgraftError

Level = Literal["protein", "residue", "pair"]
Kind = Literal["binary", "value", "classes", "angles"]

LOSSES: dict[str, tuple[str, ...]] = {
    "binary": ("bce", "mse", "kl"),
    "value": ("mse", "mae", "msle"),
    "classes": ("ce", "kl"),
    "angles": ("mse", "mae"),
}
"""Losses that fit each kind of target; the first is the default."""

HEADLINES = {"binary": "roc_auc", "value": "r2", "classes": "accuracy", "angles": "mae"}
"""The metric that early stopping may watch and that the report names first, of each kind."""


def checked_loss(name: str, kind: str) -> str:
    """The loss, if it fits the kind of target.

    Raises
    ------
    FoldgraftError
        if it does not, naming those that do.
    """
    if name not in LOSSES[kind]:
        raise FoldgraftError(f"loss {name!r} does not fit a target of kind {kind}; take {' or '.join(LOSSES[kind])}")
    return name
