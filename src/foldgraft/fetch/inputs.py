"""What the configuration names, sorted into shards: fast enough to be asked each time the workflow is planned."""

import hashlib
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from foldgraft.errors import FoldgraftError
from foldgraft.fetch.identifiers import accession, alphafold_entry, file_entry, pdb_id
from foldgraft.fetch.label_settings import LabelsSettings
from foldgraft.fetch.settings import FetchSettings, SequencesSettings, StructuresSettings
from foldgraft.records.files import matches
from foldgraft.records.label_files import count_rows


class Item(NamedTuple):
    """One thing to fetch: where it is from, its entry id, and its path or the name its service knows."""

    source: str
    id: str
    location: str


def structure_shards(structures: StructuresSettings, fetch: FetchSettings, data: Path) -> dict[str, list[Item]]:
    """Shards of structures by name; those of a search (`query-`) are empty until it has been made.

    An id added at the end of a list changes the last shard of its source only.

    Raises
    ------
    FoldgraftError
        for a glob that matches nothing or an id that is none.
    """
    shards = {}
    for name, items in (
        ("files", file_items(structures, data)),
        ("rcsb", rcsb_items(structures)),
        ("alphafold", alphafold_items(structures)),
    ):
        names = shard_names(name, len(items), fetch.shard_size)
        shards |= {shard: items[k * fetch.shard_size : (k + 1) * fetch.shard_size] for k, shard in enumerate(names)}
    if structures.rcsb.query:
        names = shard_names("query", structures.rcsb.query.max_entries, fetch.shard_size)
        shards |= {shard: [] for shard in names}
    return shards


def label_shards(name: str, table: LabelsSettings, fetch: FetchSettings, paths: Iterable[Path]) -> list[str]:
    """Names of the shards of a labelled table; `paths` are the files that hold its rows.

    Replicates and missing labels leave the last ones shorter, or empty.
    """
    rows = sum(map(count_rows, paths))
    return shard_names(name, min(rows, table.limit or rows), fetch.label_shard_size)


def shard_names(source: str, count: int, size: int) -> list[str]:
    """`files-00000`, `files-00001`, ... for `count` items in shards of `size`."""
    return [f"{source}-{number:05d}" for number in range(math.ceil(count / size))]


def shard_digest(items: list[Item]) -> str:
    """Changes when an item of the shard is another, or a local file has another size or time."""
    lines = [f"{item.source} {item.id} {_stamp(item)}" for item in items]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _stamp(item: Item) -> str:
    if item.source != "files":
        return item.location
    try:
        stat = Path(item.location).stat()
    except OSError:
        return f"{item.location} missing"
    return f"{item.location} {stat.st_size} {stat.st_mtime_ns}"


def items_of(shard: str, locations: Iterable[str]) -> list[Item]:
    """The items of a shard, whose name begins with their source, from the locations that its plan lists.

    Raises
    ------
    FoldgraftError
        if a location is none of that source, or the source is unknown.
    """
    source, _, number = shard.rpartition("-")
    if source not in READERS or not number.isdigit():
        raise FoldgraftError(f"--shard: {shard!r} is no shard; they are named files-00000, rcsb-00000 and so on")
    return READERS[source](list(locations))


def file_items(structures: StructuresSettings, data: Path) -> list[Item]:
    """The local structure files, sorted by path, thinned to the limit."""
    paths = matches(structures.files, data, "structures.files")
    limit = structures.limit
    if limit and limit < len(paths):
        paths = [paths[k * len(paths) // limit] for k in range(limit)]
    return _files(str(data / path) for path in paths)


def _files(paths: Iterable[str]) -> list[Item]:
    return [Item("files", file_entry(Path(path)), path) for path in paths]


def rcsb_items(structures: StructuresSettings) -> list[Item]:
    """The PDB entries given by id, in the order given."""
    return _entries(structures.rcsb.ids)


def _entries(names: Iterable[str]) -> list[Item]:
    ids = [(given, pdb_id(given)) for given in names]
    wrong = next((given for given, name in ids if name is None), None)
    if wrong is not None:
        raise FoldgraftError(f"structures.rcsb.ids: {wrong!r} is no PDB id; write 1ubq or pdb_00001ubq")
    return [Item("rcsb", name, name) for _, name in ids if name]


def alphafold_items(structures: StructuresSettings) -> list[Item]:
    """The models of the AlphaFold database, in the order given."""
    return _models(structures.alphafold.accessions)


def _models(given: list[str]) -> list[Item]:
    names = accessions(given, "structures.alphafold.accessions")
    return [Item("alphafold", alphafold_entry(name), name) for name in names]


READERS: dict[str, Callable[[list[str]], list[Item]]] = {"files": _files, "rcsb": _entries, "alphafold": _models}


def accessions(given: list[str], key: str) -> list[str]:
    """UniProt accessions in their one spelling; `key` is the configuration's, for the message."""
    ids = [accession(text) for text in given]
    if None in ids:
        raise FoldgraftError(f"{key}: {given[ids.index(None)]!r} is no UniProt accession; write P69905 or A0A024R1R8")
    return [name for name in ids if name]


def sifts_path(sifts: str | None, data: Path) -> Path | None:
    """The local table of SIFTS; None if it is to be downloaded, or there is to be none.

    Raises
    ------
    FoldgraftError
        if there is no such file.
    """
    if sifts in (None, "download"):
        return None
    path = data / str(sifts)
    if not path.is_file():
        raise FoldgraftError(f"structures.sifts: there is no file {path}; write download for the table of SIFTS itself")
    return path


def sequence_paths(sequences: SequencesSettings, data: Path) -> list[Path]:
    """The local FASTA files, sorted."""
    return [data / path for path in matches(sequences.files, data, "sequences.files")]


def table_files(name: str, settings: LabelsSettings, data: Path) -> list[Path]:
    """The files that a labelled table is read from.

    Raises
    ------
    FoldgraftError
        if one is not there.
    """
    key = name if name == "solubility" else f"labels.{name}"
    keys = ["table", *(["test_table"] if settings.test_table else []), *(f"join.{join}" for join in settings.join)]
    for part, file in zip(keys, settings.files, strict=True):
        if not (data / file).is_file():
            raise FoldgraftError(f"{key}.{part}: there is no file {(data / file).absolute()}")
    return [data / file for file in settings.files]


def shown_path(path: Path, data: Path) -> str:
    """A local file as the lock names it: relative to the folder of the data where it lies in it."""
    return str(path.relative_to(data) if path.is_relative_to(data) else path)
