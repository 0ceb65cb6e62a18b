"""Commands of the report stage: paths in, paths out."""

import json
from pathlib import Path
from typing import Annotated

import typer

from foldgraft.records.files import atomic, read_json, write_json
from foldgraft.report import provenance as origins
from foldgraft.report.crate import crate as crate_of
from foldgraft.report.run import Run
from foldgraft.report.settings import CardSettings, ReportSettings
from foldgraft.settings import option

app = typer.Typer(no_args_is_help=True)


@app.callback()
def report() -> None:
    """Render the report."""


@app.command()
def provenance(
    lock: Annotated[Path, typer.Option(help="fetch/lock.parquet")],
    config: Annotated[typer.FileText, typer.Option(help="the whole configuration as JSON; - reads it from a pipe")],
    out: Annotated[Path, typer.Option(help="written: provenance.json")],
) -> None:
    """Record what the run's numbers depend on."""
    write_json(out, origins.provenance(lock, json.load(config)))


@app.command()
def render(
    results: Annotated[Path, typer.Option(help="results/<run>, the folder of the run")],
    out: Annotated[Path, typer.Option(help="written: the page, one HTML file that needs nothing else")],
    viewer: Annotated[
        Path | None, typer.Option(help="3Dmol-min.js; without it a still picture takes its place")
    ] = None,
    out_figures: Annotated[
        Path | None, typer.Option(help="written: a folder of the page's figures, one HTML file each")
    ] = None,
    settings: Annotated[ReportSettings, option(ReportSettings)] = ReportSettings(),
) -> None:
    """Render a run as one HTML page that opens without a network."""
    from foldgraft.report import page as pages  # these import matplotlib
    from foldgraft.report import whole
    from foldgraft.report.figures import write_figures

    page = whole.made(results, viewer, settings)
    if out_figures:
        write_figures(page.sections, out_figures)
    with atomic(out) as temporary:
        temporary.write_text(pages.render(page), encoding="utf-8")


@app.command()
def card(
    results: Annotated[Path, typer.Option(help="results/<run>, the folder of the run")],
    experiment: Annotated[str, typer.Option(help="name of the experiment whose head it is of")],
    out: Annotated[Path, typer.Option(help="written: the card, Markdown")],
    settings: Annotated[CardSettings, option(CardSettings)],
) -> None:
    """Write the model card of a trained head."""
    from foldgraft.report.card import card as model_card  # it imports torch

    text = model_card(Run(results), experiment, settings)
    with atomic(out) as temporary:
        temporary.write_text(text, encoding="utf-8")


@app.command()
def crate(
    results: Annotated[Path, typer.Option(help="results/<run>, the folder of the run")],
    provenance: Annotated[Path, typer.Option(help="its provenance.json")],
    commands: Annotated[typer.FileText, typer.Option(help="the command of each rule as JSON; - reads it from a pipe")],
    out: Annotated[Path, typer.Option(help="written: ro-crate-metadata.json")],
) -> None:
    """Describe a run's folder as an RO-Crate: files by hash, versions, commands, time and memory of the jobs."""
    write_json(out, crate_of(results, read_json(provenance), json.load(commands)))
