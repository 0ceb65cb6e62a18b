"""The rules of the house, held by reading the source."""

import ast
import re
import runpy
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from foldgraft.cli import STAGES

GROUND_FLOOR = {
    "records",
    "geometry",
    "evolution",
    "residues",
    "models",
    "tasks",
    "metrics",
    "mmseqs",
    "settings",
    "errors",
    "progress",
    "viewer",
}
ABOVE = {"config", "sections", "plan", "beforehand", "cli", "manual", "launch", "alone"}
"""Modules that know the stages."""


def imports(path: Path) -> set[str]:
    """The second parts of all `foldgraft.<part>` that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "foldgraft":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("foldgraft."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("foldgraft.")}
    return found - {"__version__"}


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_imports_another(root, stage):
    for path in (root / "src/foldgraft" / stage).rglob("*.py"):
        assert imports(path) <= GROUND_FLOOR | {stage}, path


@pytest.mark.parametrize("module", sorted(GROUND_FLOOR))
def test_the_ground_floor_knows_no_stage(root, module):
    base = root / "src/foldgraft" / module
    for path in [base.with_suffix(".py")] if base.with_suffix(".py").exists() else base.rglob("*.py"):
        assert not imports(path) & {*STAGES, *ABOVE}, path


def test_the_picture_of_the_structure_is_in_step(root):
    """If this fails: make docs."""
    names = runpy.run_path(str(root / "docs/draw_structure.py"))
    arrows = names["arrows"]()
    drawn = re.findall(r"<title>(\w+)(?:&#45;&gt;(\w+))?</title>", (root / "docs/structure.svg").read_text())
    assert {one for one, other in drawn if not other} - {"structure"} == set(arrows)
    edges = {(one, other) for one, other in drawn if other}
    assert edges and all(other in arrows[one] for one, other in edges)
    reached = {one: set(TopologicalSorter(below(edges, one)).static_order()) - {one} for one in arrows}
    assert all(uses <= reached[one] for one, uses in arrows.items())


def below(edges: set[tuple[str, str]], start: str) -> dict[str, set[str]]:
    """The arrows that are reached from a part."""
    found, queue = {}, [start]
    while queue:
        one = queue.pop()
        found[one] = {other for first, other in edges if first == one}
        queue += found[one] - set(found)
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_one_name_everywhere(root, stage):
    assert (root / f"workflow/rules/{stage}.smk").exists()
    assert (root / f"src/foldgraft/{stage}/command.py").exists()
    assert (root / f"src/foldgraft/{stage}/settings.py").exists()
    assert list((root / f"tests/{stage}").glob("test_*.py"))


def test_only_fetch_and_trunk_use_the_network(root):
    users = {
        path.relative_to(root / "src/foldgraft").parts[0]
        for path in (root / "src/foldgraft").rglob("*.py")
        if re.search(
            r"^\s*(import|from) (httpx|requests|urllib\.request|socket|http\.client)\b", path.read_text(), re.M
        )
    }
    assert users <= {"fetch", "trunk"}


def test_nothing_is_pickled_and_no_shell_is_used(root):
    forbidden = re.compile(
        r"\bpickle\b|shell=True|allow_pickle=True|weights_only=False|torch\.load\((?!.*weights_only)"
    )
    for path in (root / "src").rglob("*.py"):
        assert not forbidden.search(path.read_text()), path


def test_every_rule_has_a_log_an_environment_and_its_code(root):
    for path in (root / "workflow/rules").glob("*.smk"):
        parts = re.split(r"^ *(?:rule|checkpoint) (\w+):$", path.read_text(), flags=re.M)
        for name, body in zip(parts[1::2], parts[2::2], strict=True):
            if "shell:" not in body:
                continue
            for directive in ("log:", "conda:", "threads:", "resources:", "benchmark:"):
                assert directive in body, f"{path.name}: rule {name} has no {directive}"
            command = re.findall(r"python -m foldgraft --made-from \{params\.made_from\} (\w+) ([\w-]+)", body)
            assert len(command) == body.count("python -m foldgraft") == 1, f"{path.name}: rule {name} has no lineage"
            assert re.findall(r'code=code\("(\w+)", "([\w-]+)"[,)]', body) == command, f"{path.name}: code of {name}"
            assert name.split("_")[0] == path.stem == command[0][0], f"{path.name}: rule {name} is not of its stage"


def test_csv_files_are_written_by_records_alone(root):
    """What writes them there lets no cell begin a formula; the proteome that the demo makes up is from nowhere else."""
    for path in (root / "src").rglob("*.py"):
        if path.parts[-2:] not in (("records", "text_tables.py"), ("synth", "proteome.py")):
            assert not re.search(r"csv\.(writer|DictWriter)|to_csv\((?!index=False\)\.encode)", path.read_text()), path


def test_tables_are_written_by_records_alone(root):
    """What writes them there adds checksums and whose they are."""
    for path in (root / "src").rglob("*.py"):
        if path.parts[-2:] != ("records", "tables.py"):
            assert not re.search(r"ParquetWriter|write_table\(.*temporary|to_parquet|pq\.write", path.read_text()), path


def documented(node: ast.AST) -> list[tuple[str, str]]:
    """Name and type of each parameter in the numpydoc section of a function's or class's docstring."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=\n\n?\w+\n---|\Z)", ast.get_docstring(node) or "", re.S | re.M)
    lines = [line for line in (section[1].splitlines() if section else []) if line and not line.startswith(" ")]
    return [
        (name.strip(" *"), line.partition(" : ")[2]) for line in lines for name in line.partition(" : ")[0].split(",")
    ]


def test_documented_parameters_exist_and_have_a_type(root):
    known = 0
    for path in (root / "src/foldgraft").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                names = {arg.arg for arg in ast.walk(node.args) if isinstance(arg, ast.arg)}
            elif isinstance(node, ast.ClassDef):
                names = {arg.arg for part in ast.walk(node) if isinstance(part, ast.arguments) for arg in part.args}
                names |= {one.target.id for one in node.body if isinstance(one, ast.AnnAssign)}
            else:
                continue
            for name, kind in documented(node):
                assert name in names and kind, f"{path}: {node.name}: {name}"
                known += 1
    assert known > 300


def modules_imported(path: Path, src: Path) -> set[str]:
    """All modules of the package that a file imports, wherever in it: at its top, in a function, for types alone."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inside = src / (node.module or "").replace(".", "/")
            found |= {
                f"{node.module}.{alias.name}"
                if (inside / f"{alias.name}.py").exists() or (inside / alias.name).is_dir()
                else str(node.module)
                for alias in node.names
            }
    return {name for name in found if name.partition(".")[0] == "foldgraft"}


def import_graph(src: Path) -> dict[str, set[str]]:
    """What each module of the package imports, by name."""
    return {
        ".".join(path.relative_to(src).with_suffix("").parts).removesuffix(".__init__"): modules_imported(path, src)
        for path in (src / "foldgraft").rglob("*.py")
    }


def test_no_modules_import_each_other_in_a_circle(root):
    graph = import_graph(root / "src")
    assert len(graph) > 200 and set().union(*graph.values()) <= set(graph)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_a_circle_for_types_alone_would_be_found(tmp_path):
    package = tmp_path / "foldgraft"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("def f():\n    from foldgraft import b\n")
    (package / "b.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from foldgraft.a import f\n"
    )
    with pytest.raises(CycleError):
        TopologicalSorter(import_graph(tmp_path)).prepare()
