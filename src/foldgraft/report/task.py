"""The chapter of a level: for each of its tasks the answer, whether it can be believed, and where it fails."""

from collections.abc import Sequence

from foldgraft.records.targets import Targets
from foldgraft.report import curves, layers, pairs, parts
from foldgraft.report.page import Block, Bullets, Fold, Heading, Section
from foldgraft.report.results import Task
from foldgraft.report.run import Run
from foldgraft.report.tables import comparison_table, headline_table, metrics_table, notes_list
from foldgraft.report.verdicts import allowed, of_set, relatives

TITLES = {"protein": "Proteins", "residue": "Residues", "pair": "Residue pairs"}


def section(run: Run, level: str, examples: Sequence[Targets]) -> Section:
    """The chapter of a level; `examples` are the proteins whose maps are shown, best first."""
    blocks: list[Block] = []
    for task in run.tasks:
        if task.about.level == level:
            blocks += [Heading(task.name, f"task-{task.name}"), *_task(run, task, examples)]
    return Section(f"level-{level}", TITLES[level], blocks)


def _task(run: Run, task: Task, examples: Sequence[Targets]) -> list[Block]:
    verdict = run.verdict.get(task.set)
    trusted = [of_set(run, task.set, verdict)] if verdict and task.experiments else []
    trusted += relatives(task, allowed(run))
    believed = [*([Bullets(trusted)] if trusted else []), *pairs.caution(run, task)]
    believed += [*curves.calibration(task), *notes_list(task)]
    failing = [*parts.blocks(task), *curves.of_kind(task)]
    failing += pairs.blocks(run, task, examples) if task.about.level == "pair" else []
    return [
        *pairs.definition(task),
        headline_table(task),
        *_under("Can it be believed?", f"belief-{task.name}", believed),
        *_under("Where does it fail?", f"failing-{task.name}", failing),
        *layers.blocks(run, task),
        Fold("All metrics and comparisons", [metrics_table(task), comparison_table(task)]),
    ]


def _under(title: str, name: str, blocks: list[Block]) -> list[Block]:
    return [Heading(title, name, 4), *blocks] if blocks else []
