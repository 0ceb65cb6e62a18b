"""First chapter: what came out, whether it can be believed, and where it fails, in plain words."""

from collections.abc import Iterator

from foldgraft.report import curves, parts, trunk
from foldgraft.report.drawing import count, plural
from foldgraft.report.page import Block, Bullets, Heading, Section, Table, Text, Tiles
from foldgraft.report.run import Run
from foldgraft.report.verdicts import answer, only_tried, trust

SYNTHETIC = (
    "The proteins of this run are synthetic, made to exercise the workflow; its figures say nothing about nature."
)


def opening(run: Run) -> Section:
    """What was asked and what came out, for a reader who reads nothing else."""
    blocks: list[Block] = [Text(_question(run))]
    if run.tasks:
        blocks.append(_answers(run))
    # a synthetic proteome takes the place of all other inputs, so one such row speaks for the whole run
    if (run.lock["source"] == "synth").any():
        blocks.append(Text(SYNTHETIC, "note"))
    blocks += [Heading("Can it be believed?", "believed"), Bullets(list(_belief(run)))]
    if weak := [("", said) for task in run.tasks if (said := parts.weakest(task))]:
        blocks += [Heading("Where does it fail?", "weakest"), Bullets(weak)]
    blocks += [Heading("How much was there to learn from?", "sizes"), Tiles(_numbers(run))]
    return Section("summary", "What came out", blocks)


def _answers(run: Run) -> Table:
    """A row for each task: its best head beside the strongest baseline."""
    answers = [answer(task) for task in run.tasks]
    head = ("task", "verdict", "head", "strongest baseline", "difference", "tested on")
    rows = [(one.task, one.said, one.value, one.baseline, one.difference, one.tested) for one in answers]
    caption = (
        "The head that is best on validation proteins, on test proteins that it never saw, beside the strongest "
        "baseline without a language model; in brackets 95 % intervals by resampling clusters of similar proteins. "
        "Better means that the interval of the difference leaves out zero and that p is at most 0.05."
    )
    caption += " Tried: heads that learnt from other tables only." if only_tried(run) else ""
    caption += " ↓: less is better." if any("↓" in one.value for one in answers) else ""
    crossed = [task.name for task in run.tasks if any(one.cross_validated for one in task.experiments)]
    caption += f" Cross-validated, so that each protein is tested once: {', '.join(crossed)}." if crossed else ""
    return Table(head, rows, caption, {one.said: "good" for one in answers if one.good})


def _belief(run: Run) -> Iterator[tuple[str, str]]:
    yield from trust(run)
    for task in run.tasks:
        if said := curves.calibration_error(task):
            yield "", f"{task.name}: {said}"
    if run.trunk:
        yield "", trunk.worth(run)


def _question(run: Run) -> str:
    if not run.tasks:
        return "This run trained no head; the page shows the data that it prepared."
    name = run.trunk.get("name", "the trunk")
    said = []
    if learnt := [task.name for task in run.tasks if task.experiments]:
        said.append(
            f"Can heads on a protein language model ({name}) predict {_listed(learnt)} for proteins that have no "
            "relative among those they learnt from? Each head is measured on test proteins that it never saw, beside "
            "baselines that use no language model."
        )
    if tried := [task.name for task in run.tasks if not task.experiments]:
        said.append(
            f"How well do heads on a protein language model ({name}) that learnt from other tables predict "
            f"{_listed(tried)}? Each is measured on all proteins, whether or not they have a relative among those it "
            "learnt from."
        )
    return " ".join(said)


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _numbers(run: Run) -> list[tuple[str, str]]:
    chains, labels, trained = len(run.index), sum(len(one.rows) for one in run.labelled), len(run.experiments)
    items = [(count(chains), plural(chains, "protein chain")), (count(labels), plural(labels, "labelled sequence"))]
    tried = only_tried(run)
    for name, part in run.split.groupby("set"):
        rows = part if name in tried else part[part["split"] == "test"]
        what = "test chain" if name == "structures" else "test sequence"
        clusters = rows["cluster"].nunique()
        said = f"{plural(len(rows), what)} of {name} in {count(clusters)} {plural(clusters, 'cluster')}"
        items.append((count(len(rows)), said))
    items.append((count(trained), plural(trained, "experiment")))
    return [(size, what) for size, what in items if size != "0"]
