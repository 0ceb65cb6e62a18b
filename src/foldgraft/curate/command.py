"""Commands of the curate stage."""

from pathlib import Path
from typing import Annotated

import typer

from foldgraft.curate.settings import CurateSettings
from foldgraft.curate.shard import ShardOutputs, curate_shard
from foldgraft.curate.summary import SummaryOutputs, summarise
from foldgraft.settings import option

app = typer.Typer(no_args_is_help=True)


@app.callback()
def curate() -> None:
    """Turn structure files into protein chains."""


@app.command()
def shard(
    lock: Annotated[Path, typer.Option(help="Piece of the lock that lists the shard's structures.")],
    store: Annotated[Path, typer.Option(help="Folder of the content-addressed store.")],
    chains: Annotated[Path, typer.Option(help="Table of chains to write.")],
    rejects: Annotated[Path, typer.Option(help="Table of rejects to write.")],
    atoms: Annotated[Path, typer.Option(help="Table to write of what became of the atoms of amino acids.")],
    data: Annotated[Path, typer.Option(help="Folder from which the patterns of supplied sequences start.")] = Path(),
    sifts: Annotated[
        Path | None, typer.Option(help="fetch/sifts.parquet: segments of UniProt entries, before those of the files.")
    ] = None,
    settings: Annotated[CurateSettings, option(CurateSettings)] = CurateSettings(),
) -> None:
    """Curate the structures of one shard."""
    curate_shard(lock, store, ShardOutputs(chains, rejects, atoms), settings, data, sifts)


@app.command()
def summary(
    chains: Annotated[list[Path], typer.Option(help="Table of chains of a shard; repeat for each.")],
    rejects: Annotated[list[Path], typer.Option(help="Table of rejects of a shard; repeat for each.")],
    atoms: Annotated[list[Path], typer.Option(help="Table of the atoms of a shard; repeat for each.")],
    index: Annotated[Path, typer.Option(help="Index of all chains to write.")],
    rejects_out: Annotated[Path, typer.Option(help="Table of all rejects to write.")],
    atoms_out: Annotated[Path, typer.Option(help="Table of all atoms to write.")],
) -> None:
    """Gather the shards' index, rejects and balances of atoms."""
    summarise(chains, rejects, atoms, SummaryOutputs(index, rejects_out, atoms_out))
