"""What all settings share: strict pydantic models, and the way a command takes one as JSON."""

from typing import Any, TypeVar

import typer
from pydantic import BaseModel, ConfigDict, ValidationError

from foldgraft.errors import FoldgraftError


class Settings(BaseModel):
    """A section of the configuration. Unknown keys are errors; values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


S = TypeVar("S", bound=Settings)


def explain(error: ValidationError, section: str = "") -> str:
    """One line per problem: the dotted key, what was given, what it may be."""
    lines = []
    for problem in error.errors():
        key = ".".join([section, *map(str, problem["loc"])] if section else map(str, problem["loc"]))
        given = "" if problem["type"] in ("missing", "extra_forbidden") else f" (given: {problem['input']!r})"
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = "no such key"
        lines.append(f"{key}: {message}{given}")
    return "\n".join(lines)


def option(model: type[S]) -> Any:
    """A `--settings` option that takes the section as JSON, as the workflow passes it."""

    def parse(text: str | S) -> S:
        if isinstance(text, model):  # the default goes through the parser too
            return text
        try:
            return model.model_validate_json(text)
        except ValidationError as error:
            raise FoldgraftError(f"--settings: {explain(error)}") from None

    return typer.Option(parser=parse, metavar="JSON", help=f"{model.__name__} as JSON; all keys have defaults.")
