"""What all settings share: strict pydantic models, and the way a command takes one as JSON."""

from pathlib import Path
from typing import Any, TypeVar

import typer
from pydantic import BaseModel, ConfigDict, ValidationError

from foldgraft.errors import FoldgraftError


class Settings(BaseModel):
    """A section of the configuration. Unknown keys are errors; values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


S = TypeVar("S", bound=BaseModel)


def explain(error: ValidationError) -> str:
    """One line per problem: the dotted key, what was given, what it may be."""
    lines = []
    for problem in error.errors():
        if problem["type"] == "default_factory_not_called":  # follows from another problem, told on its own line
            continue
        key = ".".join(map(str, _keys(problem["loc"])))
        untold = problem["type"] in ("missing", "extra_forbidden") or not problem["loc"]  # or all would be shown
        given = "" if untold else f" (given: {problem['input']!r})"
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = "no such key"
        if problem["type"] == "union_tag_not_found":
            message, given = f"the key {problem['ctx']['discriminator']} is missing", ""
        lines.append(f"{key}: {message}{given}" if key else f"{message}{given}")
    return "\n".join(lines)


def _keys(place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The keys as the user wrote them: pydantic puts the task, which chose the model, behind an experiment's name."""
    return place[:2] + place[3:] if place[:1] == ("experiments",) else place


def option(model: type[S], name: str = "--settings") -> Any:
    """An option that takes a section of the configuration as JSON, as the workflow passes it.

    `@FILE` reads it from a file: a list of many thousand ids is longer than an argument may be.
    """

    def parse(text: str | S) -> S:
        if isinstance(text, model):  # the default goes through the parser too
            return text
        try:
            return model.model_validate_json(Path(text[1:]).read_bytes() if text.startswith("@") else text)
        except OSError as error:
            raise FoldgraftError(f"{name}: {text[1:]} cannot be read ({error.strerror})") from None
        except ValidationError as error:
            raise FoldgraftError(f"{name}: {explain(error)}") from None

    return typer.Option(name, parser=parse, metavar="JSON", help=f"{model.__name__} as JSON, or @FILE that holds it.")
