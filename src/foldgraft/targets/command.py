"""`foldgraft targets`: what the heads learn from structures."""

from pathlib import Path
from typing import Annotated

import typer

from foldgraft.settings import option
from foldgraft.targets.settings import TargetsSettings
from foldgraft.targets.shard import write_shard

app = typer.Typer(no_args_is_help=True)


@app.callback()
def targets() -> None:
    """Compute distograms, contacts, torsions and secondary structure of curated chains."""


@app.command()
def shard(
    chains: Annotated[Path, typer.Option(help="Curated chains of the shard (parquet).")],
    targets: Annotated[Path, typer.Option(help="Table of targets to write (parquet).")],
    audit: Annotated[Path, typer.Option(help="Table of what was masked and why to write (CSV).")],
    settings: Annotated[TargetsSettings, option(TargetsSettings)] = TargetsSettings(),
) -> None:
    """Compute the targets of one shard."""
    write_shard(chains, targets, audit, settings)
