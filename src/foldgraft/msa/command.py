"""The `foldgraft msa` commands."""

from pathlib import Path
from typing import Annotated

import typer

from foldgraft import mmseqs
from foldgraft.errors import FoldgraftError
from foldgraft.msa.fetched import Fetched
from foldgraft.msa.given import Services
from foldgraft.msa.queries import Outputs, write_queries
from foldgraft.msa.search import Found, Source, align, make_database
from foldgraft.msa.settings import MsaSettings
from foldgraft.records.alignments import ALIGNMENTS, COEVOLUTION, read_queries
from foldgraft.records.files import file_sha256, write_json
from foldgraft.records.given import read_given
from foldgraft.records.tables import read_rows, row_writer
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
def queries(
    index: Annotated[Path, typer.Option(help="Index of all chains of the run.")],
    queries: Annotated[Path, typer.Option(help="Table to write: which shard aligns which sequence.")],
    digests: Annotated[Path, typer.Option(help="Digest of each shard's part of it to write, JSON.")],
    given: Annotated[
        Path | None, typer.Option(help="Account to write, CSV: which given alignment serves which chains.")
    ] = None,
    data: Data = Path(),
    settings: Settings = MsaSettings(),
) -> None:
    """Find the sequences to align, each once, and the chains that alignments made elsewhere serve."""
    write_queries(index, settings.alignments, data, Outputs(queries, digests, given))


@app.command()
def search(
    queries: Annotated[Path, typer.Option(help="Table that `queries` wrote.")],
    shard: Annotated[str, typer.Option(help="Name of the shard, e.g. files-00000.")],
    alignments: Annotated[Path, typer.Option(help="Table to write: an alignment per sequence.")],
    database: Annotated[Path | None, typer.Option(help="mmseqs database that `database` made.")] = None,
    fetched: Annotated[
        Path | None, typer.Option(help="In place of a database, what `fetch alignments` wrote for the shard.")
    ] = None,
    store: Annotated[Path, typer.Option(help="Folder of the store that holds what was fetched.")] = Path(),
    given: Annotated[Path | None, typer.Option(help="Account of given alignments that `queries` wrote.")] = None,
    data: Data = Path(),
    memory: Annotated[int, typer.Option(min=100, help="MB that mmseqs may take.")] = 4000,
    threads: Threads = 1,
    settings: Settings = MsaSettings(),
) -> None:
    """Align the sequences of one shard with their homologs."""
    if (database is None) == (fetched is None):
        raise FoldgraftError("--database, --fetched: give one of them")
    table = read_queries(queries, shard).set_index("sequence_sha256")
    sequences = table["sequence"].to_dict()
    with mmseqs.scratch(alignments) as folder, row_writer(alignments, ALIGNMENTS, group=8) as writer:
        sources: list[Source] = [Services(read_given(given), settings.alignments, data)] if given else []
        if fetched:
            sources.append(Fetched(fetched, table["id"].to_dict(), store))
        else:
            left = {name: text for name, text in sequences.items() if not any(name in one for one in sources)}
            sources.append(Found(left, database, settings, folder, memory, threads))
        for row in align(sequences, sources, settings):
            writer.write({"id": table["id"][row["sequence_sha256"]], **row})


@app.command()
def coevolution(
    alignments: Annotated[Path, typer.Option(help="Shard of msa/alignments.")],
    coevolution: Annotated[Path, typer.Option(help="Table to write: a score per pair of residues.")],
    threads: Threads = 1,
    settings: Settings = MsaSettings(),
) -> None:
    """Score the coevolution of the pairs of one shard."""
    import torch  # it takes seconds, which searches do without

    from foldgraft.models.device import pick
    from foldgraft.msa.couple import couple

    torch.set_num_threads(threads)
    with row_writer(coevolution, COEVOLUTION) as writer:
        for row in couple(read_rows(alignments, ALIGNMENTS), settings.coevolution, pick()):
            writer.write(row)
