"""Which source files a stage's results depend on, read from its imports."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
PRESENTATION = {"foldgraft.errors", "foldgraft.progress"}
"""Modules that change what a person sees but no result; an edit of them reruns nothing."""


def stage_sources(stage: str) -> list[Path]:
    """Files of the stage's package and of every module that they import, directly or not; sorted."""
    found: set[Path] = {path for path in (PACKAGE / stage).rglob("*") if _is_source(path)}
    queue = [path for path in found if path.suffix == ".py"]
    while queue:
        for path in _imported(queue.pop()):
            if path not in found:
                found.add(path)
                queue.append(path)
    return sorted(found)


def _is_source(path: Path) -> bool:
    return path.is_file() and path.suffix != ".pyc" and not path.name.startswith(".")


@cache
def _imported(path: Path) -> tuple[Path, ...]:
    names = {name for node in ast.walk(ast.parse(path.read_text())) for name in _names(node)}
    files = {file for name in names if name not in PRESENTATION and (file := _module_file(name))}
    packages = {file.parent / "__init__.py" for file in files if file.parent != PACKAGE}
    return tuple(files | packages)


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.startswith("foldgraft."))
    elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "foldgraft":
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module_file(name: str) -> Path | None:
    base = PACKAGE.joinpath(*name.split(".")[1:])
    if base.with_suffix(".py").is_file():
        return base.with_suffix(".py")
    if base != PACKAGE and (base / "__init__.py").is_file():
        return base / "__init__.py"
    return None
