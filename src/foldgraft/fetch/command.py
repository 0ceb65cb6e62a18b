"""Commands of the fetch stage."""

from pathlib import Path
from typing import Annotated

import typer

from foldgraft.fetch import colabfold
from foldgraft.fetch import labels as label_shards
from foldgraft.fetch import replay as replays
from foldgraft.fetch import sequences as sequence_files
from foldgraft.fetch import sifts as sifts_files
from foldgraft.fetch import structures as structure_files
from foldgraft.fetch.label_settings import LabelsSettings
from foldgraft.fetch.origin import Origin
from foldgraft.fetch.search import write_search
from foldgraft.fetch.settings import FetchSettings, Locations, SequencesSettings, StructuresSettings
from foldgraft.fetch.store import Store as FileStore
from foldgraft.settings import option

app = typer.Typer(no_args_is_help=True)

Fetch = Annotated[FetchSettings, option(FetchSettings)]
Data = Annotated[Path, typer.Option(help="Folder that relative input paths start from.")]
Store = Annotated[Path, typer.Option(help="Folder of the content-addressed store.")]
Shard = Annotated[str, typer.Option(help="Name of the shard, e.g. files-00000.")]
Replay = Annotated[
    Path | None,
    typer.Option(help="Whole lock of an earlier run, to do again what it says: no network and no local file is used."),
]


@app.callback()
def fetch() -> None:
    """Bring structures, sequences and labels into the store."""


@app.command()
def structures(
    shard: Shard,
    store: Store,
    lock: Annotated[Path, typer.Option(help="Piece of the lock to write.")],
    locations: Annotated[Locations, option(Locations, "--locations")] = Locations([]),
    search: Annotated[Path | None, typer.Option(help="Ids that `fetch search` found, for shards of a query.")] = None,
    source: Annotated[str, typer.Option(help="What the lock calls local files: files or synth.")] = "files",
    data: Data = Path(),
    replay: Replay = None,
    settings: Fetch = FetchSettings(),
) -> None:
    """Fetch one shard of structures."""
    origin = Origin(data, FileStore(store), settings, replay)
    structure_files.fetch_shard(shard, locations.root, search, origin, lock, source)


@app.command()
def search(
    structures: Annotated[StructuresSettings, option(StructuresSettings, "--structures")],
    store: Store,
    ids: Annotated[Path, typer.Option(help="List of ids to write.")],
    lock: Annotated[Path, typer.Option(help="Piece of the lock to write.")],
    data: Data = Path(),
    replay: Replay = None,
    settings: Fetch = FetchSettings(),
) -> None:
    """Search the PDB for entries."""
    write_search(structures, Origin(data, FileStore(store), settings, replay), ids, lock)


@app.command()
def sequences(
    store: Store,
    fasta: Annotated[Path, typer.Option(help="FASTA file to write, .fasta.gz.")],
    lock: Annotated[Path, typer.Option(help="Piece of the lock to write.")],
    sequences: Annotated[SequencesSettings, option(SequencesSettings, "--sequences")],
    data: Data = Path(),
    replay: Replay = None,
    settings: Fetch = FetchSettings(),
) -> None:
    """Fetch all sequences."""
    sequence_files.fetch_sequences(sequences, Origin(data, FileStore(store), settings, replay), fasta, lock)


@app.command()
def sifts(
    store: Store,
    table: Annotated[Path, typer.Option(help="Table of segments to write.")],
    lock: Annotated[Path, typer.Option(help="Piece of the lock to write.")],
    source: Annotated[str, typer.Option(help="`download`, or a local copy of pdb_chain_uniprot.csv.gz or .tsv.gz.")],
    data: Data = Path(),
    replay: Replay = None,
    settings: Fetch = FetchSettings(),
) -> None:
    """Fetch the table that maps residues of the PDB to UniProt."""
    sifts_files.fetch_sifts(source, Origin(data, FileStore(store), settings, replay), table, lock)


@app.command()
def alignments(
    queries: Annotated[Path, typer.Option(help="msa/queries.parquet: which sequences are to be aligned.")],
    shard: Shard,
    store: Store,
    lock: Annotated[Path, typer.Option(help="Piece of the lock to write.")],
    replay: Replay = None,
    settings: Fetch = FetchSettings(),
) -> None:
    """Ask ColabFold's server for the alignments of one shard; the sequences leave this machine."""
    colabfold.fetch_alignments(queries, shard, Origin(Path(), FileStore(store), settings, replay), lock)


@app.command()
def labels(
    shard: Shard,
    store: Store,
    labels: Annotated[Path, typer.Option(help="Table of labels to write.")],
    rejects: Annotated[Path, typer.Option(help="Table of rows without a label to write, CSV.")],
    table: Annotated[LabelsSettings, option(LabelsSettings, "--table")],
    data: Data = Path(),
    replay: Replay = None,
    settings: Fetch = FetchSettings(),
) -> None:
    """Read one shard of a labelled table; its name begins with the table's."""
    origin = Origin(data, FileStore(store), settings, replay)
    label_shards.fetch_labels(shard, label_shards.Table(shard.rpartition("-")[0], table, origin), labels, rejects)


@app.command()
def lock(
    lock: Annotated[Path, typer.Option(help="The whole lock to write.")],
    store: Store,
    piece: Annotated[list[Path] | None, typer.Option(help="A piece of the lock; repeat for each.")] = None,
    table: Annotated[
        list[str] | None, typer.Option(help="NAME=FILE, a file of a labelled table, to be stored and locked; repeat.")
    ] = None,
    data: Data = Path(),
    replay: Replay = None,
) -> None:
    """Merge the pieces of the lock, and add the labelled tables."""
    tables: dict[str, list[Path]] = {}
    for name, _, path in (given.partition("=") for given in table or []):
        tables.setdefault(name, []).append(Path(path))
    structure_files.merge_lock(piece or [], lock, tables, Origin(data, FileStore(store), replay=replay))


@app.command()
def verify(lock: Annotated[Path, typer.Option(help="The lock to verify.")], store: Store) -> None:
    """Verify that the store holds every file of a lock, byte by byte."""
    print(f"{replays.verify(lock, store)} files of {lock} are in {store}, undamaged")
