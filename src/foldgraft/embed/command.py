"""`foldgraft embed`: sequences through the frozen trunk."""

from pathlib import Path
from typing import Annotated

import typer

from foldgraft.embed.settings import EmbedSettings
from foldgraft.embed.shard import embed_shard
from foldgraft.models.trunk import Trunk
from foldgraft.settings import option

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def embed() -> None:
    """Embed sequences with the frozen trunk."""


@app.command()
def shard(
    trunk: Annotated[Path, typer.Option(help="model.safetensors of the trunk.")],
    description: Annotated[Path, typer.Option(help="trunk.json of the trunk.")],
    sequences: Annotated[Path, typer.Option(help="Table of chains or of labels, parquet.")],
    embeddings: Annotated[Path, typer.Option(help="Embeddings to write, safetensors.")],
    rejects: Annotated[Path, typer.Option(help="Table of what cannot be embedded to write, CSV.")],
    settings: Annotated[EmbedSettings, option(EmbedSettings)] = EmbedSettings(),
) -> None:
    """Embed the unique sequences of one shard, pooled and per residue."""
    loaded = Trunk.load(trunk, description, batch_tokens=settings.batch_tokens)
    embed_shard(sequences, loaded, embeddings, rejects, settings)
