"""The commands of the predict stage."""

from pathlib import Path
from typing import Annotated, Literal

import torch
import typer

from foldgraft.models.trunk import Trunk
from foldgraft.predict.contacts import write_maps
from foldgraft.predict.heads import load_heads
from foldgraft.predict.sequences import candidates
from foldgraft.predict.settings import PredictSettings
from foldgraft.predict.solubility import write_table
from foldgraft.settings import option

app = typer.Typer(no_args_is_help=True)

Precision = Annotated[
    Literal["float32", "bfloat16"], typer.Option(help="embed.precision of the run that the heads are of.")
]


@app.callback()
def predict() -> None:
    """Predict for new sequences."""


@app.command(name="sequences")
def predict_sequences(
    fasta: Annotated[Path, typer.Option(help="Sequences, plain or gzip-compressed FASTA.")],
    trunk: Annotated[Path, typer.Option(help="Weights of the trunk that the heads were trained on.")],
    description: Annotated[Path, typer.Option(help="Description of the trunk, JSON.")],
    head: Annotated[list[Path], typer.Option(help="Trained solubility head; repeat for several experiments.")],
    predictions: Annotated[Path, typer.Option(help="Output: one row per sequence, CSV.")],
    precision: Precision = "float32",
    settings: Annotated[PredictSettings, option(PredictSettings)] = PredictSettings(),
) -> None:
    """Predict the solubility of new sequences."""
    frozen = Trunk.load(trunk, description, precision=getattr(torch, precision))
    write_table(predictions, candidates(fasta, settings), load_heads(head, "solubility", frozen), frozen)


@app.command(name="contacts")
def predict_contacts(
    fasta: Annotated[Path, typer.Option(help="Sequences, plain or gzip-compressed FASTA.")],
    trunk: Annotated[Path, typer.Option(help="Weights of the trunk that the heads were trained on.")],
    description: Annotated[Path, typer.Option(help="Description of the trunk, JSON.")],
    head: Annotated[list[Path], typer.Option(help="Trained contact head; repeat for several experiments.")],
    predictions: Annotated[Path, typer.Option(help="Output: one map per sequence and experiment, parquet.")],
    rejects: Annotated[Path, typer.Option(help="Output: sequences that cannot be predicted, CSV.")],
    precision: Precision = "float32",
    settings: Annotated[PredictSettings, option(PredictSettings)] = PredictSettings(),
) -> None:
    """Predict the contacts of new sequences."""
    frozen = Trunk.load(trunk, description, precision=getattr(torch, precision))
    write_maps(predictions, rejects, candidates(fasta, settings), load_heads(head, "contact", frozen), frozen)
