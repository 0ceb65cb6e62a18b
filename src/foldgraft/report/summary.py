"""First and last chapter: what was found, in plain words, and how it was made."""

from collections.abc import Iterator
from typing import Any

import yaml

from foldgraft.report import trunk
from foldgraft.report.drawing import count, plural
from foldgraft.report.page import Block, Bullets, Section, Source, Table, Text, Tiles
from foldgraft.report.run import Run
from foldgraft.report.verdicts import answer, trust

SYNTHETIC = (
    "The proteins of this run are synthetic, made to exercise the workflow; its figures say nothing about nature."
)


def opening(run: Run) -> Section:
    """What was asked and what came out, for a reader who reads nothing else."""
    # a synthetic proteome takes the place of all other inputs, so one such row speaks for the whole run
    synthetic = [Text(SYNTHETIC, "note")] if (run.lock["source"] == "synth").any() else []
    blocks: list[Block] = [*synthetic, Text(_question(run)), Bullets(list(_verdicts(run))), Tiles(_numbers(run))]
    return Section("summary", "Summary", blocks)


def _question(run: Run) -> str:
    if not run.tasks:
        return "This run trained no head; the page shows the data that it prepared."
    name = run.trunk.get("name", "the trunk")
    tasks = [task.name for task in run.tasks]
    listed = f"{', '.join(tasks[:-1])} and {tasks[-1]}" if len(tasks) > 1 else tasks[0]
    return (
        f"Can heads on a protein language model ({name}) predict {listed} for proteins that have no relative among "
        "those they learnt from? Each head is measured on test proteins that it never saw, beside baselines that use "
        "no language model."
    )


def _verdicts(run: Run) -> Iterator[tuple[str, str]]:
    yield from (answer(task) for task in run.tasks)
    yield from trust(run)
    if run.trunk:
        yield "", trunk.worth(run)


def _numbers(run: Run) -> list[tuple[str, str]]:
    chains, labels, trained = len(run.index), sum(len(one.rows) for one in run.labelled), len(run.experiments)
    items = [(count(chains), plural(chains, "protein chain")), (count(labels), plural(labels, "labelled sequence"))]
    for name, part in run.split.groupby("set"):
        rows = part[part["split"] == "test"]
        what = "test chain" if name == "structures" else "test sequence"
        clusters = rows["cluster"].nunique()
        said = f"{plural(len(rows), what)} of {name} in {count(clusters)} {plural(clusters, 'cluster')}"
        items.append((count(len(rows)), said))
    return [*items, (count(trained), plural(trained, "experiment"))]


def methods(run: Run) -> Section:
    """Versions, seeds and settings."""
    rows = list(_origins(run.provenance))
    seeds = [(f"seed of {experiment.name}", str(experiment.settings.get("seed", ""))) for experiment in run.experiments]
    blocks: list[Block] = [
        Text(
            "Intervals are 95 % percentile bootstrap intervals; whole clusters of similar proteins are drawn, and an "
            "experiment and a baseline meet the same draws, so that their difference is paired. p-values are of a "
            "paired permutation test in which clusters change sides at random, corrected over the experiments of a "
            "task by Holm's method. Baselines learn from all proteins outside the test fold, and choose their settings "
            "on the validation fold. The threshold that turns a score into a call maximises MCC on the validation fold "
            "of the same test fold. Calibration error uses bins of equal number. P@L never caps the number of pairs by "
            "the number of contacts; a range with fewer pairs than asked for is taken whole; pairs of equal score "
            "count with their expectation."
        ),
        Table(("what", "version or value"), [*rows, *seeds], "With these the report was made."),
    ]
    if run.provenance:
        text = yaml.safe_dump(run.provenance["config"], sort_keys=False, allow_unicode=True)
        blocks.append(Source("Configuration, all keys resolved", text))
    for experiment in run.experiments:
        text = yaml.safe_dump(experiment.settings, sort_keys=False, allow_unicode=True)
        blocks.append(Source(f"Settings of {experiment.name}", text))
    return Section("methods", "Methods and provenance", blocks, folded=True)


def _origins(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Versions and inputs, out of provenance.json."""
    for key in ("foldgraft", "python", "platform", "mmseqs"):
        if key in record:
            yield key, record[key]
    yield from record.get("packages", {}).items()
    if "inputs" in record:
        yield "inputs", f"{record['inputs']['count']:,} items, sha256 {record['inputs']['sha256'][:16]}"
