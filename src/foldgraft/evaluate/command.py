"""Commands of the evaluate stage: paths in, paths out."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from foldgraft.evaluate import diagnosis, tables
from foldgraft.evaluate.breakdown import BREAKDOWN
from foldgraft.evaluate.compare import COMPARISON, NOTES
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.records.files import intact
from foldgraft.records.metrics import COLUMNS, TABLES
from foldgraft.records.split import SPLIT
from foldgraft.records.tables import read_frame
from foldgraft.settings import option

app = typer.Typer(no_args_is_help=True)

Predictions = Annotated[
    list[Path], typer.Option("--predictions", help="train/<experiment>/predictions/<task>.parquet; repeat")
]
SplitPath = Annotated[Path, typer.Option(help="cluster/split.parquet")]
SetName = Annotated[str, typer.Option("--set", help="the task's proteins in the split: structures, or a table's name")]
Labels = Annotated[list[Path] | None, typer.Option("--labels", help="fetch/labels/<shard>.parquet; repeat")]
Targets = Annotated[list[Path] | None, typer.Option("--targets", help="targets/<shard>.parquet; repeat")]
Chosen = Annotated[EvaluateSettings, option(EvaluateSettings)]


@app.callback()
def evaluate() -> None:
    """Measure experiments beside baselines."""


@app.command()
def baseline(
    name: Annotated[str, typer.Option(help="constant, composition, neighbour, onehot, separation, ...")],
    predictions: Predictions,
    split: SplitPath,
    of_set: SetName,
    output: Annotated[Path, typer.Option(help="the baseline's predictions")],
    labels: Labels = None,
    targets: Targets = None,
    coevolution: Annotated[
        list[Path] | None, typer.Option("--coevolution", help="msa/coevolution/<shard>.parquet; repeat")
    ] = None,
    description: Annotated[Path | None, typer.Option(help="trunk/trunk.json, for `untrained`")] = None,
    max_length: Annotated[
        int | None, typer.Option(min=1, help="longest sequence that `untrained` embeds, residues; any if not given")
    ] = None,
    settings: Chosen = EvaluateSettings(),
    threads: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Predict, without what a language model learnt, the proteins that the experiments of a task predicted."""
    from foldgraft.evaluate.baselines import run  # it imports torch and scikit-learn, which measuring does without

    sources = {"labels": labels or [], "targets": targets or [], "coevolution": coevolution or []}
    sources |= {"description": description, "max_length": max_length}
    run(name, predictions, _of_set(split, of_set), output=output, settings=settings, threads=threads, **sources)


@app.command()
def external(
    head: Annotated[Path, typer.Option(help="train/<experiment>/head.safetensors, of another table's experiment")],
    trunk: Annotated[Path, typer.Option(help="trunk/model.safetensors")],
    description: Annotated[Path, typer.Option(help="trunk/trunk.json")],
    labels: Annotated[list[Path], typer.Option("--labels", help="fetch/labels/<shard>.parquet; repeat")],
    split: SplitPath,
    output: Annotated[Path, typer.Option(help="the head's predictions")],
    embeddings: Annotated[
        list[Path] | None, typer.Option("--embeddings", help="embed/<shard>.safetensors; repeat")
    ] = None,
    predictions: Annotated[
        list[Path] | None, typer.Option("--predictions", help="of the table's own experiments, to cover; repeat")
    ] = None,
) -> None:
    """Try the head of another table's experiment on a labelled table."""
    from foldgraft.evaluate.external import External, transfer  # these import torch
    from foldgraft.models.device import pick
    from foldgraft.models.trunk import Trunk

    loaded = Trunk.load(trunk, description, pick())
    transfer(External(head, loaded, labels, split, embeddings or [], predictions or []), output)


@app.command()
def metrics(
    predictions: Annotated[
        list[Path], typer.Option("--predictions", help="one task's, of experiments and baselines; repeat")
    ],
    split: SplitPath,
    of_set: SetName,
    leakage: Annotated[Path, typer.Option(help="cluster/leakage.parquet")],
    output_folder: Annotated[Path, typer.Option(help=f"holds {', '.join(TABLES)}, each as a csv file")],
    labels: Labels = None,
    targets: Targets = None,
    alignments: Annotated[
        list[Path] | None, typer.Option("--alignments", help="msa/alignments/<shard>.parquet; repeat")
    ] = None,
    external_leakage: Annotated[
        list[Path] | None,
        typer.Option(help="cluster/external/<table>/<experiment>.parquet, of each head of another table; repeat"),
    ] = None,
    settings: Chosen = EvaluateSettings(),
) -> None:
    """Measure one task: metrics with intervals, comparisons with baselines, breakdowns, and points of curves."""
    sources = tables.Sources(_of_set(split, of_set), of_set, leakage, labels or [], targets or [], alignments or [])
    sources = replace(sources, external=external_leakage or [])
    tables.write_tables(output_folder, tables.measure(predictions, sources, settings))


@app.command()
def collect(
    output_metrics: Annotated[Path, typer.Option(help="metrics.csv of all tasks")],
    output_comparison: Annotated[Path, typer.Option(help="comparison.csv of all tasks, experiments beside baselines")],
    output_breakdown: Annotated[Path, typer.Option(help="breakdown.csv of all tasks")],
    output_notes: Annotated[Path, typer.Option(help="notes.csv of all tasks, why a number is missing")],
    folder: Annotated[
        list[Path] | None, typer.Option("--folder", help="evaluate/tasks/<task>; repeat per task")
    ] = None,
) -> None:
    """Join the tables of all tasks."""
    for output, columns in (
        (output_metrics, COLUMNS),
        (output_comparison, COMPARISON),
        (output_breakdown, BREAKDOWN),
        (output_notes, NOTES),
    ):
        tables.collect([one / output.name for one in folder or []], output, columns)


@app.command()
def diagnose(
    history: Annotated[list[Path], typer.Option(help="<experiment>/history.csv; the folder names it; repeat")],
    output: Annotated[Path, typer.Option(help="what the loss curves say")],
) -> None:
    """Read the loss curves and say in words what they show."""
    histories = {path.parent.name: pd.read_csv(intact(path)) for path in history}
    tables.write_csv(output, diagnosis.diagnosis_table(histories))


def _of_set(path: Path, which: str) -> pd.DataFrame:
    table = read_frame(path, SPLIT)
    return table[table["set"] == which]
