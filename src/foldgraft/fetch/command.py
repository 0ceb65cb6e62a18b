"""Commands of the fetch stage."""

from pathlib import Path
from typing import Annotated

import typer

from foldgraft.fetch import labels as label_shards
from foldgraft.fetch import sequences as sequence_files
from foldgraft.fetch import structures as structure_files
from foldgraft.fetch.search import write_search
from foldgraft.fetch.settings import FetchSettings, SequencesSettings, SolubilitySettings, StructuresSettings
from foldgraft.settings import option

app = typer.Typer(no_args_is_help=True)

Fetch = Annotated[FetchSettings, option(FetchSettings)]
Data = Annotated[Path, typer.Option(help="Folder that relative input paths start from.")]
Store = Annotated[Path, typer.Option(help="Folder of the content-addressed store.")]
Shard = Annotated[str, typer.Option(help="Name of the shard, e.g. files-00000.")]


@app.callback()
def fetch() -> None:
    """Bring structures, sequences and labels into the store."""


@app.command()
def structures(
    shard: Shard,
    store: Store,
    lock: Annotated[Path, typer.Option(help="Piece of the lock to write.")],
    structures: Annotated[StructuresSettings, option(StructuresSettings)],
    search: Annotated[Path | None, typer.Option(help="Ids that `fetch search` found, for shards of a query.")] = None,
    source: Annotated[str, typer.Option(help="What the lock calls local files: files or synth.")] = "files",
    data: Data = Path(),
    settings: Fetch = FetchSettings(),
) -> None:
    """Fetch one shard of structures."""
    structure_files.fetch_shard(shard, structures, search, data, store, lock, settings, source)


@app.command()
def search(
    structures: Annotated[StructuresSettings, option(StructuresSettings)],
    ids: Annotated[Path, typer.Option(help="List of ids to write.")],
    data: Data = Path(),
    settings: Fetch = FetchSettings(),
) -> None:
    """Search the PDB for entries."""
    write_search(structures, data, ids, settings)


@app.command()
def sequences(
    store: Store,
    fasta: Annotated[Path, typer.Option(help="FASTA file to write, .fasta.gz.")],
    lock: Annotated[Path, typer.Option(help="Piece of the lock to write.")],
    sequences: Annotated[SequencesSettings, option(SequencesSettings)],
    data: Data = Path(),
    settings: Fetch = FetchSettings(),
) -> None:
    """Fetch all sequences."""
    sequence_files.fetch_sequences(sequences, data, store, fasta, lock, settings)


@app.command()
def labels(
    shard: Shard,
    labels: Annotated[Path, typer.Option(help="Table of labels to write.")],
    solubility: Annotated[SolubilitySettings, option(SolubilitySettings)],
    data: Data = Path(),
    settings: Fetch = FetchSettings(),
) -> None:
    """Read one shard of labelled sequences."""
    label_shards.fetch_labels(shard, solubility, data, labels, settings)


@app.command()
def lock(
    lock: Annotated[Path, typer.Option(help="The whole lock to write.")],
    store: Store,
    piece: Annotated[list[Path] | None, typer.Option(help="A piece of the lock; repeat for each.")] = None,
    table: Annotated[list[Path] | None, typer.Option(help="A labelled table, to be stored and locked; repeat.")] = None,
    data: Data = Path(),
) -> None:
    """Merge the pieces of the lock, and add the labelled tables."""
    structure_files.merge_lock(piece or [], lock, table or [], data, store)
