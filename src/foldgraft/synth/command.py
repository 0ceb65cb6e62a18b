"""`foldgraft synth`: a synthetic proteome whose truth is known."""

from pathlib import Path
from typing import Annotated

import typer

from foldgraft.settings import option
from foldgraft.synth.proteome import write
from foldgraft.synth.settings import SynthSettings

app = typer.Typer(help="Generate a synthetic proteome whose truth is known.", no_args_is_help=True)


@app.callback()
def synth() -> None:
    """Generate a synthetic proteome whose truth is known."""


@app.command()
def proteome(
    structures: Annotated[Path, typer.Option(help="Folder for <entry>.cif.gz files.")],
    sequences: Annotated[Path, typer.Option(help="Homologs of all families, FASTA, gzip-compressed.")],
    labels: Annotated[Path, typer.Option(help="CSV of id, sequence, solubility (0 or 1).")],
    constructs: Annotated[Path, typer.Option(help="FASTA of new sequences to predict for.")],
    truth: Annotated[Path, typer.Option(help="JSON of contacts, secondary structure, quirks and label figures.")],
    settings: Annotated[SynthSettings, option(SynthSettings)] = SynthSettings(),
) -> None:
    """Write structures, homologs, solubility labels and constructs of synthetic families, and the truth."""
    write(settings, structures, sequences, labels, constructs, truth)
