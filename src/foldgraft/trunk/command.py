"""`foldgraft trunk`: download, convert or pretrain the trunk."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
import typer

from foldgraft.errors import FoldgraftError
from foldgraft.models.device import pick
from foldgraft.records.files import atomic
from foldgraft.settings import option
from foldgraft.trunk import checkpoint as files
from foldgraft.trunk.corpus import divide, near, read_unique, test_sequences
from foldgraft.trunk.download import download as fetch
from foldgraft.trunk.pretrain import HISTORY
from foldgraft.trunk.pretrain import pretrain as train
from foldgraft.trunk.settings import TrunkSettings

app = typer.Typer(no_args_is_help=True, add_completion=False)

Weights = Annotated[Path, typer.Option(help="model.safetensors to write.")]
Description = Annotated[Path, typer.Option(help="trunk.json to write.")]
Configuration = Annotated[TrunkSettings, option(TrunkSettings)]


@app.callback()
def trunk() -> None:
    """Provide the language-model trunk: tensors in safetensors, and a description of where they come from."""


@app.command()
def download(
    weights: Weights,
    description: Description,
    downloads: Annotated[Path, typer.Option(help="Folder that keeps the published files, shared by all runs.")],
    settings: Configuration = TrunkSettings(),
) -> None:
    """Download a published ESM-2 and its contact regression."""
    if settings.model is None:
        raise FoldgraftError("trunk.model: name the ESM-2 to download")
    model, regression = fetch(settings.model, downloads, settings.url)
    files.convert_fair(model, regression, weights, description, {"kind": "download", "url": settings.url})


@app.command()
def convert(
    checkpoint: Annotated[Path, typer.Option(help="ESM-2 file of fair-esm (.pt), or a trunk of Foldgraft.")],
    weights: Weights,
    description: Description,
) -> None:
    """Convert a local checkpoint."""
    files.convert(checkpoint, weights, description)


@app.command()
def pretrain(
    sequences: Annotated[Path, typer.Option(help="FASTA of the sequences to learn from.")],
    split: Annotated[Path, typer.Option(help="split.parquet: proteins near its test split are left out.")],
    weights: Weights,
    description: Description,
    history: Annotated[Path, typer.Option(help="history.csv to write.")],
    index: Annotated[list[Path] | None, typer.Option(help="index.parquet of the chains; may be repeated.")] = None,
    labels: Annotated[list[Path] | None, typer.Option(help="A shard of labels; may be repeated.")] = None,
    settings: Configuration = TrunkSettings(),
) -> None:
    """Pretrain a small trunk by masked-language modelling."""
    if settings.pretrain is None:
        raise FoldgraftError("trunk.pretrain: give the shape and the budget of the trunk to pretrain")
    plan = settings.pretrain
    text = read_unique(sequences)
    test = test_sequences(split, index or [], labels or [])
    dropped = near(text, test, plan.test_identity, plan.test_coverage, torch.get_num_threads())
    kept = {name: sequence for name, sequence in text.items() if name not in dropped}
    network, rows, summary = train(*divide(kept, plan.valid_sequences), plan, pick())
    summary |= {"sequences": len(text), "test_proteins": len(test), "left_out_near_test": len(dropped)}
    with atomic(history) as temporary:
        pd.DataFrame(rows, columns=HISTORY).to_csv(temporary, index=False)
    name = f"pretrained-{plan.layers}x{plan.width}"
    files.write_trunk(weights, description, network, name, {"source": {"kind": "pretrain"}, "pretraining": summary})
