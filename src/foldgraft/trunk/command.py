"""`foldgraft trunk`: download, convert or pretrain the trunk."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
import typer

from foldgraft.errors import FoldgraftError
from foldgraft.models.device import pick
from foldgraft.models.trunk import Trunk
from foldgraft.records.files import sealed
from foldgraft.records.text_tables import write_frame
from foldgraft.settings import option
from foldgraft.trunk.checkpoint import convert as convert_checkpoint
from foldgraft.trunk.checkpoint import describe, open_checkpoint, write_trunk
from foldgraft.trunk.download import download as fetch
from foldgraft.trunk.hub import download_hub
from foldgraft.trunk.pretraining.corpus import divide, near, read_unique, test_sequences
from foldgraft.trunk.pretraining.texts import read_texts
from foldgraft.trunk.pretraining.training import HISTORY
from foldgraft.trunk.pretraining.training import pretrain as train
from foldgraft.trunk.settings import HUB, TrunkSettings
from foldgraft.trunk.sheet import sheet

app = typer.Typer(no_args_is_help=True, add_completion=False)

Weights = Annotated[Path, typer.Option(help="model.safetensors to write.")]
Description = Annotated[Path, typer.Option(help="trunk.json to write.")]
Adapter = Annotated[Path | None, typer.Option(help="Folder of a PEFT adapter to merge.")]
Configuration = Annotated[TrunkSettings, option(TrunkSettings)]


@app.callback()
def trunk() -> None:
    """Provide the language-model trunk: tensors in safetensors, and a description of where they come from."""


@app.command()
def download(
    weights: Weights,
    description: Description,
    downloads: Annotated[Path, typer.Option(help="Folder that keeps the published files, shared by all runs.")],
    adapter: Adapter = None,
    settings: Configuration = TrunkSettings(),
) -> None:
    """Download a published model, of fair-esm or of the Hugging Face hub."""
    name = settings.published
    if name is None:
        raise FoldgraftError("trunk.model: name the model to download")
    if name in HUB:
        path, source = download_hub(name, downloads, settings.hub), {"url": settings.hub}
    else:
        (path, _), source = fetch(name, downloads, settings.url), {"url": settings.url}
    convert_checkpoint(path, weights, description, adapter, {"kind": "download", "model": name, **source})


@app.command()
def convert(
    checkpoint: Annotated[Path, typer.Option(help="Hugging Face folder, file of fair-esm or ESM C, or own trunk.")],
    weights: Weights,
    description: Description,
    adapter: Adapter = None,
) -> None:
    """Convert a local checkpoint."""
    convert_checkpoint(checkpoint, weights, description, adapter)


@app.command()
def show(
    checkpoint: Annotated[Path, typer.Argument(metavar="FILE", help="A checkpoint of any kind, its file or folder.")],
    adapter: Adapter = None,
) -> None:
    """Print what a checkpoint is: architecture, parameters, heads, and how it behaves."""
    opened = open_checkpoint(checkpoint, adapter)
    for line in sheet(describe(opened.network, opened.name) | opened.about):
        print(line)


@app.command()
def pretrain(
    split: Annotated[Path, typer.Option(help="split.parquet: proteins near its test split are left out.")],
    weights: Weights,
    description: Description,
    history: Annotated[Path, typer.Option(help="history.csv to write.")],
    sequences: Annotated[Path | None, typer.Option(help="FASTA of the sequences to learn from ...")] = None,
    text: Annotated[list[Path] | None, typer.Option(help="... or a text of one per line; may be repeated.")] = None,
    valid: Annotated[Path | None, typer.Option(help="Text of the sequences to measure on.")] = None,
    start: Annotated[Path | None, typer.Option(help="model.safetensors to go on from, trunk.json beside it.")] = None,
    index: Annotated[list[Path] | None, typer.Option(help="index.parquet of the chains; may be repeated.")] = None,
    labels: Annotated[list[Path] | None, typer.Option(help="A shard of labels; may be repeated.")] = None,
    cross_validated: Annotated[
        list[str] | None,
        typer.Option(help="Set (structures, or a labelled table) tested fold by fold; may be repeated."),
    ] = None,
    settings: Configuration = TrunkSettings(),
) -> None:
    """Pretrain a small trunk by masked-language modelling; interrupted and run again, it goes on where it was."""
    plan = settings.pretrain
    if plan is None:
        raise FoldgraftError("trunk.pretrain: give the shape and the budget of the trunk to pretrain")
    if (sequences is None) == (text is None):
        raise FoldgraftError("give either --sequences or --text")
    sequence_of = read_texts(text) if text else read_unique(sequences)
    test = test_sequences(split, index or [], labels or [], cross_validated or [])
    dropped = near(sequence_of, test, plan.test_identity, plan.test_coverage, weights, torch.get_num_threads())
    kept = {name: sequence for name, sequence in sequence_of.items() if name not in dropped}
    parts = divide(kept, plan.valid_sequences, read_texts([valid]) if valid else None)
    first = Trunk.load(start, start.with_name("trunk.json"), torch.device("cpu")) if start else None
    checkpoint = weights.with_name("checkpoint.safetensors")
    network, rows, summary = train(*parts, plan, pick(), checkpoint, first)
    summary |= {"sequences": len(sequence_of), "test_proteins": len(test), "left_out_near_test": len(dropped)}
    with sealed(history) as temporary:
        write_frame(temporary, pd.DataFrame(rows, columns=HISTORY))
    shape = network.architecture
    name = f"{first.name}-continued" if first else f"pretrained-{shape.layers}x{shape.width}"
    source = {"kind": "pretrain"} | ({"from": first.name, "from_sha256": first.sha256} if first else {})
    write_trunk(weights, description, network, name, {"source": source, "pretraining": summary})
    checkpoint.unlink(missing_ok=True)
