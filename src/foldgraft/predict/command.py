"""The command of the predict stage."""

from pathlib import Path
from typing import Annotated, Literal

import torch
import typer

from foldgraft.models.trunk import Trunk
from foldgraft.predict.heads import load_heads
from foldgraft.predict.new import predict as predicted
from foldgraft.predict.sequences import candidates
from foldgraft.predict.settings import PredictSettings
from foldgraft.predict.tables import write_table
from foldgraft.settings import option

app = typer.Typer(no_args_is_help=True)


@app.callback()
def predict() -> None:
    """Predict for new sequences."""


@app.command(name="sequences")
def predict_sequences(
    fasta: Annotated[Path, typer.Option(help="Sequences, plain or gzip-compressed FASTA.")],
    trunk: Annotated[Path, typer.Option(help="Weights of the trunk that the heads were trained on.")],
    description: Annotated[Path, typer.Option(help="Description of the trunk, JSON.")],
    head: Annotated[list[Path], typer.Option(help="Trained head; repeat for several experiments of one level.")],
    output_predictions: Annotated[
        Path, typer.Option(help="CSV with a row per sequence or per residue, or parquet with a row per map of pairs.")
    ],
    output_rejects: Annotated[Path, typer.Option(help="Sequences that cannot be predicted, CSV.")],
    precision: Annotated[
        Literal["float32", "bfloat16"], typer.Option(help="embed.precision of the run that the heads are of.")
    ] = "float32",
    settings: Annotated[PredictSettings, option(PredictSettings)] = PredictSettings(),
) -> None:
    """Predict what trained heads say of new sequences, whatever their tasks."""
    frozen = Trunk.load(trunk, description, precision=getattr(torch, precision))
    heads = load_heads(head, frozen)
    records = predicted(candidates(fasta, settings), heads, frozen)
    write_table(output_predictions, output_rejects, heads[0].info.level, heads, records)
