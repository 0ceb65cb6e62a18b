"""Draw which part of the package imports which.

Usage: python docs/draw_structure.py | tred | dot -Tsvg -o docs/structure.svg

A part is a package or module right below `src/foldgraft`; those that everything uses (`EVERYWHERE`) are left out with
their arrows. `tred` leaves out arrows that follow from others.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "src/foldgraft"
EVERYWHERE = {"errors", "progress", "settings", "records", "residues"}
STAGES = (
    "synth", "fetch", "curate", "cluster", "msa", "targets", "trunk", "embed", "train", "evaluate", "report", "predict",
)  # fmt: skip
ABOVE = {"config", "sections", "config_files", "plan", "launch", "manual", "alone", "cli", "__main__"}


def part_of(module: str) -> str:
    """The part that a module of the package is in."""
    return module.split(".")[1] if "." in module else ""


def imports(path: Path) -> Iterator[str]:
    """Parts that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "foldgraft":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("foldgraft."):
            yield part_of(node.module)
        elif isinstance(node, ast.Import):
            yield from (part_of(alias.name) for alias in node.names if alias.name.startswith("foldgraft."))


def arrows() -> dict[str, set[str]]:
    """What each part imports of the others."""
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if part != "__init__" and part not in EVERYWHERE:
            used = {one for one in imports(path) if (PACKAGE / one).exists() or (PACKAGE / f"{one}.py").exists()}
            found.setdefault(part, set()).update(used - EVERYWHERE - {part})
    return found


def dot(edges: dict[str, set[str]]) -> str:
    """The picture in Graphviz's language: what composes the stages above, the stages, the ground floor below."""
    lines = [
        "rankdir=TB; bgcolor=white; nodesep=0.12; ranksep=0.9;",
        'node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11, margin="0.08,0.04"];',
        'node [color="#57636f", fillcolor="#f4f6f8"]; edge [color="#8a949e", arrowsize=0.6];',
    ]
    lines += [f'"{stage}" [fillcolor="#cfe3f3"];' for stage in STAGES]
    lines += [f'"{name}" [fillcolor="#ffffff"];' for name in sorted(ABOVE & set(edges))]
    lines.append("{rank=same; " + "; ".join(f'"{stage}"' for stage in STAGES) + "}")
    lines += [f'"{part}";' for part in sorted(edges)]
    lines += [f'"{part}" -> "{used}";' for part, uses in sorted(edges.items()) for used in sorted(uses)]
    return "digraph structure {\n" + "\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    print(dot(arrows()))
