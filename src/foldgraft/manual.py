"""The configuration's manual and JSON schema, generated from the settings so that they cannot fall out of step."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from foldgraft.config import Config
from foldgraft.config_files import read_config_file
from foldgraft.errors import FoldgraftError
from foldgraft.plan import configure
from foldgraft.records.files import atomic

app = typer.Typer(help="Check configuration files; write their manual and schema.", no_args_is_help=True)

INTRODUCTION = """# Configuration

Generated from the settings in `src/foldgraft/` by `foldgraft config write`; edit those, not this page.

A configuration is a YAML file given as `snakemake --configfile FILE`; without one, `config/demo.yaml` runs. Several
files may follow `--configfile`, each adding to those before it, `--config key=value` changes a single key, and
`--config 'fetch={retries: 2}'` one within a section.
A misspelled key or a value out of range stops the run before any job, with the key's name.

| file | what it runs on |
|---|---|
| [`demo.yaml`](demo.yaml) | a synthetic proteome, offline, in minutes |
| [`real_files.yaml`](real_files.yaml) | your own or downloaded files, offline |
| [`reduced.yaml`](reduced.yaml) | added after `real_files.yaml`: the same on fewer proteins |
| [`config.yaml`](config.yaml) | PDB entries, UniProt sequences and an ESM-2 trunk, from the network |
"""


def manual() -> str:
    """The manual as Markdown: a table of keys per section."""
    schema = Config.model_json_schema(by_alias=True)
    parts = [INTRODUCTION, "## Top level\n", _table(schema, schema)]
    for name, field in schema["properties"].items():
        for title, model in _models(field, schema):
            suffix = f" ({title})" if title else ""
            parts.append(f"## {name}{suffix}\n\n{_meaning(field, schema)}\n\n{_section(model, schema, '')}")
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _section(model: dict[str, Any], schema: dict[str, Any], prefix: str) -> str:
    """The model's table of keys, followed by those of the sections nested in it."""
    text = _table(model, schema, prefix)
    for name, field in model.get("properties", {}).items():
        for _, nested in _models(field, schema):
            text += "\n\n" + _section(nested, schema, f"{prefix}{name}.")
    return text


def _models(field: dict[str, Any], schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The object models that a field may hold: itself, a choice of several, or the values of a mapping."""
    field = _values(field) or field
    choices = field.get("oneOf") or field.get("anyOf") or field.get("allOf") or [field]
    references = [choice["$ref"].rsplit("/", 1)[-1] for choice in choices if "$ref" in choice]
    for name in references:
        model = schema["$defs"][name]
        if "properties" in model:
            task = model["properties"].get("task", {}).get("const")
            yield (f"task: {task}" if task else "", model)


def _values(field: dict[str, Any]) -> dict[str, Any] | None:
    """What a mapping holds, be its keys free or bound to a pattern."""
    held = field.get("additionalProperties")
    return held if isinstance(held, dict) else next(iter(field.get("patternProperties", {}).values()), None)


def _table(model: dict[str, Any], schema: dict[str, Any], prefix: str = "") -> str:
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    required = set(model.get("required", []))
    for name, field in model.get("properties", {}).items():
        default = "required" if name in required else _default(field)
        rows.append(f"| `{prefix}{name}` | {_type(field, schema)} | {default} | {_meaning(field, schema)} |")
    return "\n".join(rows)


def _meaning(field: dict[str, Any], schema: dict[str, Any]) -> str:
    """The key's sentence; pydantic leaves it out where it is that of the model itself."""
    model = schema["$defs"][field["$ref"].rsplit("/", 1)[-1]] if "$ref" in field else {}
    return " ".join(field.get("description", model.get("description", "")).split())


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    if isinstance(value, dict) and value:
        return "see below"
    return f"`{json.dumps(value)}`" if value is not None else "none"


def _type(field: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in field:
        target = schema["$defs"][field["$ref"].rsplit("/", 1)[-1]]
        return "section" if "properties" in target else _type(target, schema)
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    choices = field.get("anyOf") or field.get("oneOf")
    if choices:
        names = dict.fromkeys(_type(choice, schema) for choice in choices if choice.get("type") != "null")
        return " or ".join(names)
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}), schema)}"
    if field.get("type") == "object":
        values = _values(field)
        return f"name to {_type(values, schema)}" if values else "section"
    return field.get("type", "any") + _bounds(field)


def _bounds(field: dict[str, Any]) -> str:
    words = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {field[key]}" for key, sign in words.items() if key in field]
    return f", {' and '.join(bounds)}" if bounds else ""


def schema_text() -> str:
    """The JSON schema, for editors and other programs."""
    return json.dumps(Config.model_json_schema(), indent=2) + "\n"


@app.callback()
def config() -> None:
    """Check configuration files, or write their manual and schema."""


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Configuration files, each adding to those before.")],
) -> None:
    """Check configuration files and the local inputs that they name."""
    layers, values = [read_config_file(file) for file in files], {}
    for layer in layers:
        values = merged(values, layer)
    configure(values, check=True, layers=layers)
    print(f"{', '.join(map(str, files))}: nothing wrong was found")


def merged(values: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Two configurations as Snakemake merges them: section by section, the later value counts."""
    both = {key: merged(values[key], more[key]) for key in values.keys() & more.keys() if _sections(values, more, key)}
    return values | more | both


def _sections(values: dict[str, Any], more: dict[str, Any], key: str) -> bool:
    return isinstance(values[key], dict) and isinstance(more[key], dict)


@app.command()
def write(folder: Annotated[Path, typer.Option(help="Where README.md and schema.json go.")] = Path("config")) -> None:
    """Write config/README.md and config/schema.json."""
    if not folder.is_dir():
        raise FoldgraftError(f"{folder} is not a folder")
    for name, text in (("README.md", manual()), ("schema.json", schema_text())):
        with atomic(folder / name) as temporary:
            temporary.write_text(text)
