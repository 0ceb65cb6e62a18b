"""Draw the stages and the files between them from the workflow's own rule graph.

Usage: snakemake --rulegraph dot | python docs/draw_dag.py | dot -Tsvg > docs/dag.svg
"""

import re
import sys

NETWORK = {"fetch": "#dbe9f6", "trunk": "#dbe9f6"}
GPU = {"embed": "#fde8c8", "train": "#fde8c8", "predict": "#fde8c8"}
OTHER = "#eef2e6"


def stage_edges(graph: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Stages and the edges between them, out of Snakemake's graph of rules (named `<stage>_<step>`)."""
    stages = {number: name.split("_")[0] for number, name in re.findall(r'^\s*(\d+)\[label = "(\w+)"', graph, re.M)}
    edges = {(stages[a], stages[b]) for a, b in re.findall(r"(\d+) -> (\d+)", graph)}
    targets = {"all", "default"}
    edges = {(a, b) for a, b in edges if a != b and not {a, b} & targets}
    return sorted(set(stages.values()) - targets), sorted(edges)


def dot(stages: list[str], edges: list[tuple[str, str]]) -> str:
    """The stages as a graph in the dot language."""
    lines = [
        "digraph stages {",
        "  rankdir=LR; bgcolor=white; nodesep=0.35; ranksep=0.5;",
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=13, color="#55606b"];',
        '  edge [color="#7a858f", arrowsize=0.7];',
    ]
    for stage in stages:
        lines.append(f'  {stage} [fillcolor="{NETWORK.get(stage) or GPU.get(stage) or OTHER}"];')
    lines += [f"  {a} -> {b};" for a, b in _reduced(edges)]
    return "\n".join([*lines, "}"])


def _reduced(edges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The edges without those that a longer way implies: a picture of eleven stages, not of every file."""

    def reachable(start: str, goal: str, without: tuple[str, str]) -> bool:
        seen, queue = set(), [start]
        while queue:
            node = queue.pop()
            for a, b in edges:
                if a == node and (a, b) != without and b not in seen:
                    seen.add(b)
                    queue.append(b)
        return goal in seen

    return [edge for edge in edges if not reachable(*edge, without=edge)]


if __name__ == "__main__":
    print(dot(*stage_edges(sys.stdin.read())))
