"""Tensors by another's names into ours: each is placed, or known to be of no use, or an error."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk.architecture import Architecture

Names = dict[str, tuple[str, ...]]
"""Our names of each of their tensors; more than one where theirs is several of ours, one below the other."""


@dataclass(frozen=True)
class Translated:
    """Tensors by our names.

    Attributes
    ----------
    layout
        what names they had.
    left_out
        their names of tensors that are not used, and why not.
    """

    state: dict[str, Tensor]
    architecture: Architecture
    layout: str
    left_out: dict[str, str]


TOGETHER = "fetch weights and configuration anew, both from one place"


def assign(
    tensors: dict[str, Tensor], names: Names, useless: dict[str, str], where: str
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors by our names, and the ones left out with the reason.

    Parameters
    ----------
    useless : dict of str to str
        patterns of names that are known to be of no use to a trunk, with the reason.

    Raises
    ------
    FoldgraftError
        naming the first tensor without a place, else the first place without a tensor.
    """
    state, left_out = {}, {}
    for name, tensor in tensors.items():
        if name in names:
            state |= split(tensor, names[name], f"{where}: {name}")
        elif reason := next((why for pattern, why in useless.items() if re.fullmatch(pattern, name)), None):
            left_out[name] = reason
        else:
            raise FoldgraftError(
                f"{where}: there is no place for its tensor {name} in the trunk that it says it is; {TOGETHER}"
            )
    for name in names:
        if name not in tensors:
            raise FoldgraftError(f"{where}: it lacks the tensor {name} of the trunk that it says it is; {TOGETHER}")
    return state, left_out


def split(tensor: Tensor, parts: tuple[str, ...], where: str) -> dict[str, Tensor]:
    """A tensor cut along its rows into as many equal parts as there are names."""
    if len(parts) > 1 and (not tensor.ndim or tensor.shape[0] % len(parts)):
        raise FoldgraftError(f"{where} has the shape {tuple(tensor.shape)}, which is not {len(parts)} of one size")
    return dict(zip(parts, tensor.chunk(len(parts)) if len(parts) > 1 else (tensor,), strict=True))


def renamed(tensors: dict[str, Tensor], rename: Callable[[str], str], where: str) -> dict[str, Tensor]:
    """The tensors under other names.

    Raises
    ------
    FoldgraftError
        if two of them then have the same name.
    """
    state: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        new = rename(name)
        if new in state:
            raise FoldgraftError(f"{where}: it holds the tensor {new} twice, once as {name}")
        state[new] = tensor
    return state
