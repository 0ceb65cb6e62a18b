"""The `foldgraft msa` commands."""

from pathlib import Path
from typing import Annotated

import typer

from foldgraft import mmseqs
from foldgraft.msa import inputs
from foldgraft.msa.couple import couple
from foldgraft.msa.search import align, make_database
from foldgraft.msa.settings import MsaSettings
from foldgraft.records import chains as chain_records
from foldgraft.records.alignments import ALIGNMENTS, COEVOLUTION
from foldgraft.records.files import file_sha256, write_json
from foldgraft.records.tables import read_frame, read_rows, row_writer
from foldgraft.settings import option

app = typer.Typer(no_args_is_help=True)

Threads = Annotated[int, typer.Option(min=1, help="Threads of mmseqs.")]
Given = Annotated[MsaSettings, option(MsaSettings)]


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
def search(
    chains: Annotated[Path, typer.Option(help="Shard of curate/chains.")],
    database: Annotated[Path, typer.Option(help="mmseqs database that `database` made.")],
    alignments: Annotated[Path, typer.Option(help="Table to write: an alignment per chain.")],
    data: Annotated[
        Path, typer.Option(help="Folder from which the patterns of precomputed alignments start.")
    ] = Path(),
    memory: Annotated[int, typer.Option(min=100, help="MB that mmseqs may take.")] = 4000,
    threads: Threads = 1,
    settings: Given = MsaSettings(),
) -> None:
    """Align the chains of one shard with their homologs."""
    table = read_frame(chains, chain_records.SCHEMA, ["id", "sequence", "sequence_sha256"])
    ids = table.sort_values("id").groupby("sequence_sha256").id.agg(list)
    unique = dict(zip(table.sequence_sha256, table.sequence, strict=True))
    given = inputs.find(settings.alignments, data)
    with mmseqs.scratch(alignments) as folder, row_writer(alignments, ALIGNMENTS, group=8) as writer:
        for row in align(unique, given, database, settings, folder, memory, threads):
            for name in ids[row["sequence_sha256"]]:
                writer.write({"id": name, **row})


@app.command()
def coevolution(
    alignments: Annotated[Path, typer.Option(help="Shard of msa/alignments.")],
    coevolution: Annotated[Path, typer.Option(help="Table to write: a score per pair of residues.")],
    settings: Given = MsaSettings(),
) -> None:
    """Score the coevolution of the pairs of one shard."""
    with row_writer(coevolution, COEVOLUTION) as writer:
        for row in couple(read_rows(alignments, ALIGNMENTS), settings.coevolution):
            writer.write(row)
