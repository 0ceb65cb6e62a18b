"""Configuration files read more strictly than YAML asks: a key stands once, and trouble is told with file and line."""

from pathlib import Path
from typing import Any

import yaml

from foldgraft.errors import FoldgraftError

MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """YAML in which no mapping has a key twice."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, int] = {}
    for key, _ in node.value:
        if key.tag == MERGE or not isinstance(key, yaml.ScalarNode):
            continue
        name, line = loader.construct_object(key), key.start_mark.line + 1
        if name in seen:
            raise FoldgraftError(f"line {line}: the key {name!r} stands on line {seen[name]} already; name it once")
        seen[name] = line
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_config_file(path: Path) -> dict[str, Any]:
    """Keys and values of a configuration file.

    Raises
    ------
    FoldgraftError
        naming file and line, for what is no YAML, no mapping, or has a key twice.
    """
    try:
        values = yaml.load(Path(path).read_text(encoding="utf-8-sig"), Loader=_Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise FoldgraftError(f"{path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be read as YAML"
        raise FoldgraftError(f"{path}{where}: {problem}; indent with blanks, and close what you open") from None
    except FoldgraftError as error:
        raise FoldgraftError(f"{path}, {error}") from None
    if not isinstance(values, dict):
        raise FoldgraftError(f"{path}: it holds no keys; a configuration begins with a line such as run: mine")
    return values
