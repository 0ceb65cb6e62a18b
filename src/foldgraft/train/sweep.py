"""Sweeps: an experiment with a grid of values becomes one experiment for each combination of them."""

import re
from collections.abc import Mapping
from itertools import product
from typing import Any

LONGEST = 64
"""Characters of an experiment's name."""


def expand(experiments: Mapping[str, Any]) -> dict[str, Any]:
    """Experiments as they are written, each with a `grid` replaced by its members.

    Parameters
    ----------
    experiments : mapping of str to mapping
        `grid` names keys by their path, such as `training.optimizer.name`, with a list of values each.

    Returns
    -------
    dict
        The members of `name` are called `name_<value>_<value>`, in the order of the grid.

    Raises
    ------
    ValueError
        if a grid has no values, or two members would have one name.
    """
    expanded: dict[str, Any] = {}
    for name, values in experiments.items():
        grid = values.get("grid") if isinstance(values, Mapping) else None
        if not grid:
            members = {name: values}
        elif not isinstance(grid, Mapping) or not all(isinstance(v, list | tuple) and v for v in grid.values()):
            raise ValueError(f"experiments.{name}.grid: it must give a list of values for each key")
        else:
            plain = {key: value for key, value in values.items() if key != "grid"}
            members = {_name(name, chosen): _with(plain, dict(zip(grid, chosen, strict=True)))
                       for chosen in product(*grid.values())}  # fmt: skip
            if len(members) < len(list(product(*grid.values()))):
                raise ValueError(f"experiments.{name}.grid: two of its members would have one name")
        twice = set(members) & set(expanded)
        if twice:
            raise ValueError(f"experiments.{name}.grid: {min(twice)} is the name of another experiment")
        expanded |= members
    return expanded


def _name(name: str, chosen: tuple[Any, ...]) -> str:
    parts = [re.sub(r"[^A-Za-z0-9]+", "_", str(value)).strip("_") for value in chosen]
    return "_".join([name, *parts])[:LONGEST]


def _with(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The values with those at dotted keys changed."""
    changed = dict(values)
    for path, value in changes.items():
        first, _, rest = path.partition(".")
        below = changed.get(first) or {}
        if rest and isinstance(below, str):  # `head: mlp` is short for `head: {name: mlp}`
            below = {"name": below}
        changed[first] = _with(below, {rest: value}) if rest else value
    return changed
