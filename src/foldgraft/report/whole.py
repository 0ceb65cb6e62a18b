"""The whole page from the folder of a run."""

from collections.abc import Iterable
from pathlib import Path

from foldgraft.errors import FoldgraftError
from foldgraft.progress import progress
from foldgraft.records.targets import Targets
from foldgraft.report import data, methods, pairs, predictions, structures, summary, task, training, trunk
from foldgraft.report.drawing import styled
from foldgraft.report.page import Page, render
from foldgraft.report.run import LEVELS, Run
from foldgraft.report.settings import ReportSettings
from foldgraft.viewer.parts import read_viewer


def page(results: Path, viewer: Path | None, settings: ReportSettings) -> str:
    """The page as one HTML text; see `made`."""
    return render(made(results, viewer, settings))


def made(results: Path, viewer: Path | None, settings: ReportSettings) -> Page:
    """The page of a run.

    Parameters
    ----------
    results : folder of the run; a chapter whose stages did not run says so
    viewer : file of 3Dmol.js, for a live 3D view
    settings : ReportSettings
    """
    run = Run(results)
    names = list(dict.fromkeys([*(pairs.examples(run, settings.examples) or _typical(run)), *settings.proteins]))
    if unknown := sorted(set(settings.proteins) - set(run.index["id"])):
        raise FoldgraftError(f"report.proteins: this run has no chain {unknown[0]}; curate/index.parquet lists them")
    targets = _read(run, names)
    shown = [targets[name] for name in names if name in targets]
    script = read_viewer(viewer) if shown else ""
    shards = sorted({run.shard_of(one.id) for one in shown})
    levels = [level for level in LEVELS if any(one.about.level == level for one in run.tasks)]
    chapters = (
        lambda: summary.opening(run),
        *(lambda level=level: task.section(run, level, shown) for level in levels),
        lambda: structures.section(run, shards, shown, script),
        lambda: data.section(run),
        lambda: training.section(run),
        lambda: trunk.section(run),
        lambda: methods.methods(run),
    )
    with styled():
        sections = [make() for make in progress(chapters, "chapters")]
        sections[1 + len(levels) : 1 + len(levels)] = predictions.section(run)
    return Page(settings.title, run.name, sections, script)


def _typical(run: Run) -> list[str]:
    """The chain of median length, for a run without contact experiments."""
    table = run.index.sort_values(["length", "id"], kind="stable")
    return table["id"].iloc[[len(table) // 2]].tolist() if len(table) else []


def _read(run: Run, names: Iterable[str]) -> dict[str, Targets]:
    wanted = set(names)
    shards = sorted({run.shard_of(name) for name in wanted})
    return {one.id: one for shard in shards for one in run.targets(shard) if one.id in wanted}
