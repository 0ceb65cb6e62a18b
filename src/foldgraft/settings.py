"""What all settings share: strict pydantic models, and the way a command takes one as JSON."""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from foldgraft.errors import FoldgraftError


class Settings(BaseModel):
    """A section of the configuration. Unknown keys are errors; values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


S = TypeVar("S", bound=BaseModel)


WORDS = {
    "missing": "it must be given",
    "greater_than": "it must be more than {gt}",
    "greater_than_equal": "it must be {ge} or more",
    "less_than": "it must be less than {lt}",
    "less_than_equal": "it must be {le} or less",
    "literal_error": "it must be {expected}",
    "enum": "it must be {expected}",
    "union_tag_invalid": "it must be {expected_tags}",
    "int_type": "it must be a whole number",
    "int_parsing": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "float_type": "it must be a number",
    "float_parsing": "it must be a number",
    "finite_number": "it must be a finite number",
    "bool_type": "it must be true or false",
    "bool_parsing": "it must be true or false",
    "string_type": "it must be a text",
    "string_pattern_mismatch": "it must match the pattern {pattern}",
    "string_too_short": "it must have {min_length} or more characters",
    "string_too_long": "it must have {max_length} or fewer characters",
    "too_short": "it must have {min_length} or more entries",
    "too_long": "it must have {max_length} or fewer entries",
    "list_type": "it must be a list",
    "tuple_type": "it must be a list",
    "set_type": "it must be a list",
    "dict_type": "it must be a section of keys and values",
    "model_type": "it must be a section of keys and values",
    "model_attributes_type": "it must be a section of keys and values",
    "date_type": "it must be a day, such as 2026-01-31",
    "date_parsing": "it must be a day, such as 2026-01-31",
    "date_from_datetime_parsing": "it must be a day, such as 2026-01-31",
    "json_invalid": "it is no JSON ({error})",
}
"""What is said of each kind of problem, in place of pydantic's own words."""


def explain(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """One line per problem: the dotted key, what was given, what it may be.

    Parameters
    ----------
    error : ValidationError
    model : type of settings, optional
        what was being read; with it, an unknown key is answered by the keys that there are.
    """
    lines = []
    for problem in error.errors():
        if problem["type"] == "default_factory_not_called":  # follows from another problem, told on its own line
            continue
        location = _keys(problem["loc"])
        key = ".".join(map(str, location))
        untold = problem["type"] in ("missing", "extra_forbidden") or not problem["loc"]  # or all would be shown
        given = "" if untold else f" (given: {problem['input']!r})"
        words = WORDS.get(problem["type"])
        message = words.format(**problem.get("ctx", {})) if words else problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = f"no such key{_instead(location, model)}"
        if problem["type"] in ("literal_error", "enum", "union_tag_invalid"):
            message += _nearest(problem)
        if problem["type"] == "union_tag_not_found":
            message, given = f"the key {problem['ctx']['discriminator']} is missing", ""
        lines.append(f"{key}: {message}{given}" if key else f"{message}{given}")
    return "\n".join(lines)


def _nearest(problem: Mapping[str, Any]) -> str:
    """The likeliest of the texts that a value may be, if it is near one."""
    context = problem.get("ctx", {})
    known = re.findall(r"'([^']*)'", str(context.get("expected", context.get("expected_tags", ""))))
    near = difflib.get_close_matches(str(context.get("tag", problem["input"])), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _keys(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The keys as the user wrote them: pydantic puts the name of a head, which chose its settings, behind `head`."""
    return location[:3] + location[4:] if location[:1] == ("experiments",) and location[2:3] == ("head",) else location


def _instead(location: tuple[int | str, ...], model: type[BaseModel] | None) -> str:
    """The keys that a section does have, the likeliest first."""
    known = sorted({name for section in _sections(model, location[:-1]) for name in section.model_fields})
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{hint} (keys: {', '.join(known)})" if known else ""


def _sections(model: Any, location: tuple[int | str, ...]) -> list[type[BaseModel]]:
    """The models that a key of the configuration may hold."""
    models = _models(model)
    for key in location:
        held = []
        for one in models:
            if isinstance(one, type) and issubclass(one, BaseModel):
                held += [field.annotation for name, field in one.model_fields.items() if key in (name, field.alias)]
            else:  # a mapping or a list: what it holds is its last argument
                held += get_args(one)[-1:]
        models = [found for annotation in held for found in _models(annotation)]
    return [one for one in models if isinstance(one, type) and issubclass(one, BaseModel)]


def _models(annotation: Any) -> list[Any]:
    """The models, mappings and lists in an annotation, whatever they are wrapped in."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (dict, list, tuple):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models(part)]


def option(model: type[S], name: str = "--settings") -> Any:
    """An option that takes a section of the configuration as JSON, as the workflow passes it.

    `@FILE` reads it from a file: a list of many thousand ids is longer than an argument may be.
    """
    import typer  # planning reads settings too, and does without typer

    def parse(text: str | S) -> S:
        if isinstance(text, model):  # the default goes through the parser too
            return text
        try:
            return model.model_validate_json(Path(text[1:]).read_bytes() if text.startswith("@") else text)
        except OSError as error:
            raise FoldgraftError(f"{name}: {text[1:]} cannot be read ({error.strerror})") from None
        except ValidationError as error:
            raise FoldgraftError(f"{name}: {explain(error, model)}") from None

    return typer.Option(name, parser=parse, metavar="JSON", help=f"{model.__name__} as JSON, or @FILE that holds it.")
