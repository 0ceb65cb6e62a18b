"""Which source files the results of a command depend on, read from its imports."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
PRESENTATION = {"errors.py", "progress.py"}
"""Modules that change what a person sees but no result; an edit of them reruns nothing."""

ONLY = {
    "protein": {"evaluate/baselines/protein.py"},
    "residue": {"evaluate/baselines/residue.py", "metrics/angles.py"},
    "pair": {
        "evaluate/baselines/attention.py",
        "evaluate/baselines/pair.py",
        "evaluate/pairs.py",
        "metrics/contacts.py",
        "models/attention.py",
        "models/heads/pair.py",
        "models/heads/tuned_pairs.py",
        "records/alignments.py",
        "tasks/pair_batches.py",
        "tasks/pair_features.py",
        "tasks/pairs.py",
        "tasks/tuned_pairs.py",
    },
}
"""Modules that tasks of one level alone run, whatever imports them; tests watch a task of each level."""
IMPORT = re.compile(r"^[ \t]*((?:from foldgraft[\w.]* import (?:\([^)]*\)|.*))|(?:import foldgraft.*))", re.MULTILINE)
"""An import of this package. To parse these alone takes a tenth of the time of whole files; a test compares the two."""


@cache
def command_sources(stage: str, command: str, level: str = "") -> tuple[Path, ...]:
    """Files that decide what a command does: `command.py` of its stage, and all that the command's function names there
    and that those modules import, directly or not, with what else lies in those packages; sorted.

    Parameters
    ----------
    stage, command : str
        as in `foldgraft train experiment`.
    level : str
        of the task, if the command is for one; modules of other levels are left out.

    Raises
    ------
    KeyError
        if the stage has no such command.
    """
    door = PACKAGE / stage / "command.py"
    others = {name for known, names in ONLY.items() if level and known != level for name in names}
    left_out = {PACKAGE / name for name in PRESENTATION | others}
    reached = {door, *(path for path in (PACKAGE / stage).rglob("*") if _is_data(path))}
    queue = list(_files(_named(door, command)))
    while queue:
        path = queue.pop()
        if path not in reached | left_out:
            reached.add(path)
            queue += _imported(path)
            reached |= {file for file in path.parent.iterdir() if path.name == "__init__.py" and _is_data(file)}
    return tuple(sorted(reached))


def _is_data(path: Path) -> bool:
    return path.is_file() and path.suffix not in (".py", ".pyc") and not path.name.startswith(".")


@cache
def _imported(path: Path) -> tuple[Path, ...]:
    statements = ast.parse("\n".join(IMPORT.findall(path.read_text())))
    return tuple(_files(name for node in statements.body for _, name in _imports(node)))


def _named(door: Path, command: str) -> set[str]:
    """Modules, and names in them, that a command's function needs of those that its file imports."""
    tree = _parsed(door)
    imported: dict[str, set[str]] = {}
    for node in tree.body:
        for alias, name in _imports(node):
            imported.setdefault(alias, set()).add(name)
    defined = {name: node for node in tree.body for name in _defines(node)}
    commands = {_command(node): node for node in tree.body if isinstance(node, ast.FunctionDef)}
    reached, seen, queue = set(), set(), [commands[command]]
    while queue:
        for node in ast.walk(queue.pop()):
            reached |= {name for _, name in _imports(node)}
            if isinstance(node, ast.Name) and node.id not in seen:
                seen.add(node.id)
                reached |= imported.get(node.id, set())
                queue += [defined[node.id]] if node.id in defined else []
    return reached


def _command(node: ast.FunctionDef) -> str:
    """The name that `@app.command(name=...)` gives a function, or its own."""
    given = [word for call in node.decorator_list if isinstance(call, ast.Call) for word in call.keywords]
    return next((word.value.value for word in given if word.arg == "name"), node.name)


def _defines(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _imports(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The name that an import of this package gives here, and what it stands for: a module, or a name in one."""
    if isinstance(node, ast.Import):
        yield from ((alias.asname or alias.name, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "foldgraft":
        for alias in node.names:
            yield alias.asname or alias.name, node.module
            yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _files(names: Iterable[str]) -> set[Path]:
    """The modules of these names, and the packages that they are in."""
    files = {file for name in names if name.startswith("foldgraft.") and (file := _module_file(name))}
    return files | {file.parent / "__init__.py" for file in files if file.parent != PACKAGE}


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def _module_file(name: str) -> Path | None:
    base = PACKAGE.joinpath(*name.split(".")[1:])
    if base.with_suffix(".py").is_file():
        return base.with_suffix(".py")
    if base != PACKAGE and (base / "__init__.py").is_file():
        return base / "__init__.py"
    return None
