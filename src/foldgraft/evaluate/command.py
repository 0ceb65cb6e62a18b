"""Commands of the evaluate stage: paths in, paths out."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from foldgraft.evaluate import composition, diagnosis, measure, separation
from foldgraft.evaluate.results import Results, write_csv
from foldgraft.evaluate.settings import EvaluateSettings
from foldgraft.records import labels as label_records
from foldgraft.records.predictions import PROTEIN
from foldgraft.records.split import SPLIT
from foldgraft.records.tables import read_frame, read_frames, write_frame
from foldgraft.settings import option

app = typer.Typer(no_args_is_help=True)

SplitPath = Annotated[Path, typer.Option(help="cluster/split.parquet")]
TargetPaths = Annotated[list[Path], typer.Option(help="targets/<shard>.parquet; repeat per shard")]
ContactPaths = Annotated[list[Path], typer.Option(help="train/<experiment>/predictions.parquet; repeat per experiment")]
Chosen = Annotated[EvaluateSettings, option(EvaluateSettings)]


def _out(what: str) -> typer.models.OptionInfo:
    return typer.Option(help=f"written: {what}")


@app.callback()
def evaluate() -> None:
    """Measure experiments beside baselines."""


@app.command()
def baseline_solubility(
    labels: Annotated[list[Path], typer.Option(help="fetch/labels/<shard>.parquet; repeat per shard")],
    split: SplitPath,
    composition_out: Annotated[Path, _out("predictions from composition, length and charge")],
    constant_out: Annotated[Path, _out("predictions of the training mean")],
    settings: Chosen = EvaluateSettings(),
) -> None:
    """Predict solubility without a language model: from composition, and from the training mean."""
    table = read_frames(labels, label_records.SCHEMA)
    by_composition, constant = composition.baselines(table, _of_set(split, "solubility"), settings.seed)
    write_frame(composition_out, by_composition, PROTEIN)
    write_frame(constant_out, constant, PROTEIN)


@app.command()
def baseline_coevolution(
    predictions: ContactPaths,
    coevolution: Annotated[list[Path], typer.Option(help="msa/coevolution/<shard>.parquet; repeat per shard")],
    out: Annotated[Path, _out("predictions.parquet")],
) -> None:
    """Rank the contacts of the proteins that experiments predicted by coevolution alone."""
    separation.write_coevolution(out, separation.wanted(predictions), coevolution)


@app.command()
def baseline_separation(
    predictions: ContactPaths,
    targets: TargetPaths,
    split: SplitPath,
    out: Annotated[Path, _out("predictions.parquet")],
) -> None:
    """Predict the contacts of the proteins that experiments predicted from sequence separation alone."""
    counts = separation.SeparationCounts(targets, _of_set(split, "structures"))
    separation.write_separation(out, separation.wanted(predictions), counts)


@app.command()
def metrics(
    split: SplitPath,
    metrics: Annotated[Path, _out("metrics.csv")],
    comparison: Annotated[Path, _out("comparison.csv, experiments beside baselines")],
    notes: Annotated[Path, _out("notes.csv, why a number is missing")],
    roc: Annotated[Path, _out("ROC points")],
    pr: Annotated[Path, _out("precision-recall points")],
    reliability: Annotated[Path, _out("reliability bins")],
    thresholds: Annotated[Path, _out("thresholds that validation chose")],
    contacts: Annotated[Path, _out("contact precision of each protein")],
    solubility: Annotated[
        list[Path] | None, typer.Option(help="<name>/predictions.parquet of experiments and baselines; repeat")
    ] = None,
    contact: Annotated[
        list[Path] | None, typer.Option(help="<name>/predictions.parquet of experiments and baselines; repeat")
    ] = None,
    targets: Annotated[list[Path] | None, typer.Option(help="targets/<shard>.parquet; repeat per shard")] = None,
    settings: Chosen = EvaluateSettings(),
) -> None:
    """Compute metrics with intervals, comparisons with baselines, and curves."""
    results = Results()
    curves = measure.measure_solubility(solubility or [], _of_set(split, "solubility"), settings, results)
    precisions = measure.measure_contacts(contact or [], targets or [], settings, results)
    results.write(metrics, comparison, notes)
    for path, table in ((roc, curves.roc), (pr, curves.pr), (reliability, curves.reliability)):
        write_csv(path, table)
    write_csv(thresholds, curves.thresholds)
    write_csv(contacts, precisions)


@app.command()
def diagnose(
    history: Annotated[list[Path], typer.Option(help="<experiment>/history.csv; the folder names it; repeat")],
    diagnosis_out: Annotated[Path, typer.Option("--diagnosis", help="written: what the loss curves say")],
) -> None:
    """Read the loss curves and say in words what they show."""
    histories = {name: pd.read_csv(path) for name, path in measure.named(history).items()}
    write_csv(diagnosis_out, diagnosis.diagnosis_table(histories))


def _of_set(path: Path, which: str) -> pd.DataFrame:
    table = read_frame(path, SPLIT)
    return table[table["set"] == which]
