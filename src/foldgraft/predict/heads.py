"""Trained heads as a prediction asks for them."""

from collections.abc import Sequence
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk
from foldgraft.models.trunk.fingerprint import TOLERANCE
from foldgraft.tasks.trained import Trained, load_head


def load_heads(
    paths: Sequence[Path], trunk: Trunk, aligned: bool = False, tolerance: float = TOLERANCE
) -> list[Trained]:
    """Read the heads of several experiments of one level; those on coevolution only where there is an alignment.

    Raises
    ------
    FoldgraftError
        if heads are of different levels, one was trained on another trunk, bears the name of another one, or needs
        coevolution or covariates, which a lone sequence does not have.
    """
    heads: list[Trained] = []
    for path in paths:
        trained = load_head(path, trunk)
        info = trained.info
        if heads and info.level != heads[0].info.level:
            raise FoldgraftError(
                f"{path}: the experiment {info.name} predicts for each {info.level}, {heads[0].info.name} for each "
                f"{heads[0].info.level}; predict them separately"
            )
        info.trunk.require(trunk, f"{path}: the experiment {info.name}", tolerance)
        if "coevolution" in info.features and not aligned:
            raise FoldgraftError(
                f"{path}: the experiment {info.name} was trained on coevolution, which needs an alignment: use "
                "`foldgraft predict contacts`, or choose one whose features leave it out"
            )
        if info.covariates:
            raise FoldgraftError(
                f"{path}: the experiment {info.name} reads {', '.join(info.covariates)} beside the sequence; choose "
                "one without covariates"
            )
        if any(info.name == other.info.name for other in heads):
            raise FoldgraftError(f"{path}: another head given is of an experiment named {info.name}, too")
        heads.append(trained)
    return heads
