"""Trained heads as a prediction asks for them."""

from collections.abc import Sequence
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.models.head_file import Trained, load_head
from foldgraft.models.trunk import Trunk


def load_heads(paths: Sequence[Path], task: str, trunk: Trunk) -> list[Trained]:
    """Read the heads of several experiments of one task.

    Raises
    ------
    FoldgraftError
        if a head is of another task, was trained on another trunk, bears the name of another one, or needs
        coevolution, which a lone sequence has not.
    """
    heads = []
    for path in paths:
        trained = load_head(path, trunk.device)
        info = trained.info
        if info.task != task:
            raise FoldgraftError(f"{path}: the experiment {info.name} predicts {info.task}, not {task}")
        info.trunk.require(trunk, f"{path}: the experiment {info.name}")
        if "coevolution" in info.features:
            raise FoldgraftError(
                f"{path}: the experiment {info.name} was trained on coevolution, which needs an alignment; choose one "
                "whose features leave it out"
            )
        if any(info.name == other.info.name for other in heads):
            raise FoldgraftError(f"{path}: another head given is of an experiment named {info.name}, too")
        heads.append(trained)
    return heads
