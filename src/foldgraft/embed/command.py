"""`foldgraft embed`: sequences through the frozen trunk."""

from pathlib import Path
from typing import Annotated

import typer

from foldgraft.embed.repeats import elsewhere, write_repeats
from foldgraft.embed.settings import EmbedSettings
from foldgraft.settings import option

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def embed() -> None:
    """Embed sequences with the frozen trunk."""


@app.command()
def repeats(
    repeats: Annotated[Path, typer.Option(help="Table to write, parquet.")],
    digests: Annotated[Path, typer.Option(help="Digest of each shard's part of it to write, JSON.")],
    labels: Annotated[list[Path] | None, typer.Option(help="Shard of labelled sequences; repeat for each.")] = None,
    index: Annotated[Path | None, typer.Option(help="Index of all chains, to find the repeats of structures.")] = None,
) -> None:
    """Find the sequences of a shard that an earlier one embeds."""
    write_repeats(labels or [], index, repeats, digests)


@app.command()
def shard(
    trunk: Annotated[Path, typer.Option(help="model.safetensors of the trunk.")],
    description: Annotated[Path, typer.Option(help="trunk.json of the trunk.")],
    sequences: Annotated[Path, typer.Option(help="Table of chains or of labels, parquet; named after the shard.")],
    repeats: Annotated[Path, typer.Option(help="Which sequences of a shard an earlier one embeds.")],
    embeddings: Annotated[Path, typer.Option(help="Embeddings to write, safetensors.")],
    rejects: Annotated[Path, typer.Option(help="Table of what cannot be embedded to write, CSV.")],
    residues: Annotated[
        list[str] | None, typer.Option(help="Keep the residue embeddings of this layer (1, 2, ..., last, all); repeat.")
    ] = None,
    settings: Annotated[EmbedSettings, option(EmbedSettings)] = EmbedSettings(),
) -> None:
    """Embed the unique sequences of one shard: pooled, of every layer, and per residue, of the layers named."""
    import torch  # it takes seconds, which the other command does without

    from foldgraft.embed.shard import Outputs, embed_shard, layer_numbers
    from foldgraft.models.trunk import Trunk

    precision = getattr(torch, settings.precision)
    loaded = Trunk.load(trunk, description, batch_tokens=settings.batch_tokens, precision=precision)
    layers, outputs = layer_numbers(residues or [], loaded.layers), Outputs(embeddings, rejects)
    embed_shard(sequences, elsewhere(repeats, sequences.stem), loaded, layers, outputs, settings)
