"""The `foldgraft msa` commands."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from foldgraft import mmseqs
from foldgraft.models.device import pick
from foldgraft.msa.couple import couple
from foldgraft.msa.given import Services, write_given
from foldgraft.msa.search import align, make_database
from foldgraft.msa.settings import MsaSettings
from foldgraft.records import chains as chain_records
from foldgraft.records.alignments import ALIGNMENTS, COEVOLUTION
from foldgraft.records.files import file_sha256, write_json
from foldgraft.records.given import read_given
from foldgraft.records.tables import read_frame, read_rows, row_writer
from foldgraft.settings import option

app = typer.Typer(no_args_is_help=True)

Threads = Annotated[int, typer.Option(min=1, help="Threads of mmseqs, or of matrix products.")]
Data = Annotated[Path, typer.Option(help="Folder from which the patterns of given alignments start.")]
Settings = Annotated[MsaSettings, option(MsaSettings)]


@app.callback()
def msa() -> None:
    """Align homologs and score coevolution."""


@app.command()
def database(
    database: Annotated[Path, typer.Option(help="mmseqs database to write; its files share this path as their stem.")],
    done: Annotated[Path, typer.Option(help="JSON to write when the database is complete.")],
    sequences: Annotated[
        Path | None, typer.Option(help="fetch/sequences.fasta.gz: what is searched; without it, nothing is.")
    ] = None,
) -> None:
    """Make the database that is searched."""
    make_database(sequences, database)
    write_json(done, {"sequences": file_sha256(sequences) if sequences else None, "mmseqs": mmseqs.version()})


@app.command()
def given(
    index: Annotated[Path, typer.Option(help="Index of all chains of the run.")],
    given: Annotated[Path, typer.Option(help="Account to write, CSV: which alignment serves which chains.")],
    digests: Annotated[Path, typer.Option(help="Digest of each shard's part of it to write, JSON.")],
    data: Data = Path(),
    settings: Settings = MsaSettings(),
) -> None:
    """Find the chains that alignments made elsewhere serve, and list what becomes of each."""
    write_given(index, settings.alignments, data, given, digests)


@app.command()
def search(
    chains: Annotated[Path, typer.Option(help="Shard of curate/chains.")],
    database: Annotated[Path, typer.Option(help="mmseqs database that `database` made.")],
    alignments: Annotated[Path, typer.Option(help="Table to write: an alignment per chain.")],
    given: Annotated[Path | None, typer.Option(help="Account of given alignments that `given` wrote.")] = None,
    data: Data = Path(),
    memory: Annotated[int, typer.Option(min=100, help="MB that mmseqs may take.")] = 4000,
    threads: Threads = 1,
    settings: Settings = MsaSettings(),
) -> None:
    """Align the chains of one shard with their homologs."""
    table = read_frame(chains, chain_records.SCHEMA, ["id", "sequence", "sequence_sha256"])
    ids = table.sort_values("id").groupby("sequence_sha256").id.agg(list)
    unique = dict(zip(table.sequence_sha256, table.sequence, strict=True))
    services = Services(read_given(given), settings.alignments, data) if given else None
    with mmseqs.scratch(alignments) as folder, row_writer(alignments, ALIGNMENTS, group=8) as writer:
        for row in align(unique, services, database, settings, folder, memory, threads):
            for name in ids[row["sequence_sha256"]]:
                writer.write({"id": name, **row})


@app.command()
def coevolution(
    alignments: Annotated[Path, typer.Option(help="Shard of msa/alignments.")],
    coevolution: Annotated[Path, typer.Option(help="Table to write: a score per pair of residues.")],
    threads: Threads = 1,
    settings: Settings = MsaSettings(),
) -> None:
    """Score the coevolution of the pairs of one shard."""
    torch.set_num_threads(threads)
    with row_writer(coevolution, COEVOLUTION) as writer:
        for row in couple(read_rows(alignments, ALIGNMENTS), settings.coevolution, pick()):
            writer.write(row)
