"""The commands of the predict stage that need a run's trunk and heads; `foldgraft.alone` adds those that do without."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import torch
import typer

from foldgraft.errors import FoldgraftError
from foldgraft.evolution.lone import couple_file
from foldgraft.evolution.settings import AlignmentSettings
from foldgraft.models.device import pick
from foldgraft.models.trunk import Trunk
from foldgraft.predict.contacts import Outputs, maps_of, tell, write_maps
from foldgraft.predict.heads import load_heads
from foldgraft.predict.sequences import Candidates
from foldgraft.predict.settings import RESERVED, PredictSettings
from foldgraft.predict.tables import predicted_table
from foldgraft.predict.training import learnt_from
from foldgraft.records.fasta import read_fasta
from foldgraft.records.rejects import write_rejects
from foldgraft.settings import option
from foldgraft.tasks.trained import Trained

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
    labels: Annotated[
        list[Path] | None,
        typer.Option(help="Shard of a labelled table that a head learnt from, for the nearest protein; repeat."),
    ] = None,
    split: Annotated[Path | None, typer.Option(help="Table of the split, beside --labels.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the search for the nearest protein.")] = 1,
    settings: Annotated[PredictSettings, option(PredictSettings)] = PredictSettings(),
) -> None:
    """Predict what trained heads say of new sequences, whatever their tasks."""
    if bool(labels) != (split is not None):
        raise FoldgraftError("--labels and --split go together: the proteins that a head learnt from, and their folds")
    frozen = Trunk.load(trunk, description, precision=getattr(torch, precision))
    heads = load_heads(head, frozen)
    learnt = learnt_from(heads, labels, split) if labels and split else None
    tally = predicted_table(output_predictions, Candidates(fasta, settings), heads, frozen, learnt, threads)
    write_rejects(output_rejects, tally.rejected)
    print(f"predict: {fasta}: {tally.why(str(output_rejects))}", file=sys.stderr)


@app.command()
def contacts(
    alignment: Annotated[Path, typer.Option(help="Alignment of the protein, in any common format.")],
    output_pairs: Annotated[Path, typer.Option(help="Ranked pairs to write, CSV.")],
    sequence: Annotated[
        Path | None, typer.Option(help="The protein, FASTA with one record; the alignment's first row by default.")
    ] = None,
    trunk: Annotated[Path | None, typer.Option(help="Weights of the trunk.")] = None,
    description: Annotated[Path | None, typer.Option(help="Description of the trunk, JSON.")] = None,
    head: Annotated[list[Path] | None, typer.Option(help="Trained head of residue pairs; repeat for several.")] = None,
    output_map: Annotated[Path | None, typer.Option(help="Maps to draw, PNG or SVG.")] = None,
    output_rr: Annotated[Path | None, typer.Option(help="Probabilities to write in CASP's format RR.")] = None,
    output_npz: Annotated[Path | None, typer.Option(help="Maps to write as arrays of NumPy.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of matrix products.")] = 1,
    settings: Annotated[AlignmentSettings, option(AlignmentSettings)] = AlignmentSettings(),
) -> None:
    """Rank the contacts of one protein by its alignment: by coevolution, by the trunk, by heads that use both.

    Without a trunk, by coevolution alone. The pairs are ranked by the last head given, else by the trunk's own contact
    regression if it has one, else by coevolution.
    """
    torch.set_num_threads(threads)
    frozen, heads = _trunk_and_heads(trunk, description, head or [])
    given = None if sequence is None else _one(sequence)
    coupled = couple_file(alignment, given, settings, pick())
    tell(coupled)
    maps = maps_of(coupled, frozen, heads)
    write_maps(Outputs(output_pairs, output_map, output_rr, output_npz), coupled.sequence, maps)


def _trunk_and_heads(
    trunk: Path | None, description: Path | None, head: list[Path]
) -> tuple[Trunk | None, list[Trained]]:
    if (trunk is None) != (description is None):
        raise FoldgraftError("--trunk and --description go together")
    if trunk is None or description is None:
        if head:
            raise FoldgraftError("--head needs --trunk and --description")
        return None, []
    frozen = Trunk.load(trunk, description)
    heads = load_heads(head, frozen, aligned=True)
    other = next((each for each in heads if each.info.level != "pair"), None)
    if other:
        raise FoldgraftError(
            f"--head: the experiment {other.info.name} predicts for each {other.info.level}, not for pairs"
        )
    for each in heads:
        if each.info.name in RESERVED:
            raise FoldgraftError(
                f"--head: the experiment's name {each.info.name} is taken in tables of contacts; train it under "
                f"another than {', '.join(RESERVED)}"
            )
    return frozen, heads


def _one(fasta: Path) -> str:
    """The sequence of a FASTA file with one record."""
    records = [record.sequence.upper().removesuffix("*") for record in read_fasta(fasta)]
    if len(records) != 1:
        raise FoldgraftError(f"{fasta}: {len(records)} records; give the one protein of the alignment")
    return records[0]
