"""What the workflow must know before any job runs: the checked configuration, and the shards.

All of it follows from the configuration and a listing of the local inputs, so that a plan costs no more than that
listing and grows with shards rather than proteins. Hence no checkpoint says which jobs there are; the one of `embed`
says only which of them are done already.
"""

import hashlib
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from foldgraft.beforehand import check_inputs
from foldgraft.config import Config, load
from foldgraft.curate.supplied_files import supplied_paths
from foldgraft.errors import FoldgraftError
from foldgraft.fetch import inputs
from foldgraft.fetch.inputs import shown_path, table_files
from foldgraft.fetch.label_settings import LabelsSettings
from foldgraft.ledger import Ledger
from foldgraft.logs import AGAIN
from foldgraft.msa import inputs as msa_inputs
from foldgraft.records.files import file_sha256
from foldgraft.sections import RESULTS
from foldgraft.synth.settings import entry_names
from foldgraft.trunk.choice import choose

LINES, WIDTH = 10, 190
"""of a failed job's log that are shown, and characters of each"""
ERRORS = re.compile(r"(slurmstepd\S*: |srun: )?error: |Traceback \(most recent call last\)")
"""How the reason begins that a job, or Slurm, gives for its failure."""


@dataclass(frozen=True)
class Plan:
    """Names of the shards, and digests of local inputs; a digest that changes reruns what stands on it.

    `locations` are the files, ids or accessions of each shard of structures; an earlier run's lock or a search knows
    those of the shards that are not there. `labels` are the shards of each labelled table, `tables` the digests of its
    files.
    """

    structures: dict[str, str]
    locations: dict[str, list[str]]
    labels: dict[str, list[str]]
    tables: dict[str, str]
    sequences: str
    sifts: str
    alignments: str
    supplied: str
    predict: dict[str, str]


def configure(
    values: Mapping[str, Any], check: bool, folder: Path = RESULTS, layers: Iterable[Mapping[str, Any]] = ()
) -> Config:
    """Read the configuration and, with `check`, everything about the local inputs that can be known beforehand.

    `folder` holds the results of all runs. `layers` are what Snakemake merged the values from, by which a trunk is
    chosen (`foldgraft.trunk.choice`); with `check` the choice is told.

    Raises
    ------
    FoldgraftError
        naming the key, file or record that is wrong.
    """
    values, message = choose(values, layers)
    config = load(values, folder)
    if check:
        check_inputs(config)
        print(message, end="\n" if message else "", file=sys.stderr)
    return config


def make(config: Config, ledger: Ledger | None = None) -> Plan:
    """Name the shards of a run; the ledger knows the bytes of its inputs."""
    data, ledger = Path(config.data), ledger or Ledger()
    if config.synth:
        return _synthetic(config, ledger)
    if config.replay:
        return _replayed(config, ledger)
    structures = inputs.structure_shards(config.structures, config.fetch, data) if config.structures else {}
    digests = {shard: _shard_digest(config, shard, items, ledger) for shard, items in structures.items()}
    ledger.save()
    sifts = inputs.sifts_path(config.structures.sifts, data) if config.structures else None
    return Plan(
        structures=digests,
        locations={shard: [item.location for item in items] for shard, items in structures.items()},
        labels=_label_shards(config, config.tables),
        tables={name: ledger.digest(table_files(name, table, data)) for name, table in config.tables.items()},
        sequences=ledger.digest(inputs.sequence_paths(config.sequences, data) if config.sequences else []),
        sifts=ledger.digest([sifts] if sifts else []),
        alignments=ledger.digest(msa_inputs.paths(config.msa.alignments, data)),
        supplied=ledger.digest(supplied_paths(config.curate.sequences, data)),
        predict=_new_sequences(config, ledger),
    )


def _replayed(config: Config, ledger: Ledger) -> Plan:
    """The plan of an earlier run, from its lock and the store: local files need not be there any more."""
    try:
        from foldgraft.fetch.replay import Replay, stored_files  # it imports pyarrow: planning does without otherwise
    except ImportError as error:
        raise FoldgraftError(
            f"replay: {error}; install pyarrow and pandas beside Snakemake, to read the lock"
        ) from None

    lock, data = Path(config.replay or ""), Path(config.data)
    earlier, made = Replay(lock, Path(config.store)), ledger.digest([lock])
    locked = earlier.shards()
    if config.structures:
        local = [shard for shard in locked if shard.startswith("files-")]
        _same_files(earlier, local, config.structures.files, data, "structures.files")
    if config.sequences:
        _same_files(earlier, ["sequences"], config.sequences.files, data, "sequences.files")
    labels = {}
    for name, table in config.tables.items():
        _same_files(earlier, [name], table.files, data, f"the labelled table {name}")
        stored = stored_files(earlier, name)
        paths = [stored[shown_path(data / file, data)] for file in _holding_rows(table)]
        labels[name] = inputs.label_shards(name, table, config.fetch, paths)
    shards = [shard for shard in locked if shard.startswith("files-")]
    remote = config.structures.model_copy(update={"files": []}) if config.structures else None
    for shard, items in inputs.structure_shards(remote, config.fetch, data).items() if remote else ():
        absent = [item.id for item in items if item.id not in locked[shard]]
        if absent:
            raise FoldgraftError(f"replay: {lock} has no {absent[0]} in the shard {shard}, as this configuration has")
        shards.append(shard)
    return Plan(
        structures=dict.fromkeys(shards, made),
        locations={},
        labels=labels,
        tables=dict.fromkeys(config.tables, made),
        sequences=made,
        sifts=made,
        alignments=ledger.digest(msa_inputs.paths(config.msa.alignments, data)),
        supplied=ledger.digest(supplied_paths(config.curate.sequences, data)),
        predict=_new_sequences(config, ledger),
    )


def _same_files(earlier: Any, shards: Iterable[str], patterns: Collection[str], data: Path, key: str) -> None:
    """Stop if the lock is of local files that the configuration does not name, or the other way round."""
    known = [row["url"] for shard in shards for row in earlier.rows(shard) if row["source"] == "files"]
    wanted = [str(data / pattern).replace("**/", "*") for pattern in patterns]
    strange = next((url for url in known if not any(fnmatch(str(data / url), pattern) for pattern in wanted)), None)
    if strange or (patterns and not known):
        files = f"{strange}, which {key} does not name" if strange else f"none of the files that {key} names"
        raise FoldgraftError(f"replay: {earlier.lock} has {files}; replay a lock with the configuration it was made by")


def _synthetic(config: Config, ledger: Ledger) -> Plan:
    made = hashlib.sha256(config.synth.model_dump_json().encode()).hexdigest()
    paths = [f"{config.results}/synth/structures/{name}.cif.gz" for name in entry_names(config.synth)]
    size = config.fetch.shard_size
    shards = inputs.shard_names("files", len(paths), size)
    return Plan(
        structures=dict.fromkeys(shards, made),
        locations={shard: paths[k * size : (k + 1) * size] for k, shard in enumerate(shards)},
        labels={"solubility": inputs.shard_names("solubility", config.synth.labels, config.fetch.label_shard_size)}
        | _label_shards(config, config.labels),
        tables={"solubility": made}
        | {name: ledger.digest(table_files(name, table, Path(config.data))) for name, table in config.labels.items()},
        sequences=made,
        sifts=made,
        alignments=ledger.digest(msa_inputs.paths(config.msa.alignments, Path(config.data))),
        supplied=ledger.digest(supplied_paths(config.curate.sequences, Path(config.data))),
        predict=_new_sequences(config, ledger),
    )


def _label_shards(config: Config, tables: Mapping[str, LabelsSettings]) -> dict[str, list[str]]:
    data = Path(config.data)
    return {
        name: inputs.label_shards(name, table, config.fetch, [data / file for file in _holding_rows(table)])
        for name, table in tables.items()
    }


def _holding_rows(table: LabelsSettings) -> list[str]:
    return [table.table, *([table.test_table] if table.test_table else [])]


def _new_sequences(config: Config, ledger: Ledger) -> dict[str, str]:
    """Digests of the files to predict for; one that the run itself makes is known to Snakemake as such."""
    paths = {name: Path(config.data) / fasta for name, fasta in config.predict.sequences.items()}
    made = config.results / "synth" if config.synth else None
    return {name: ledger.digest([] if path.parent == made else [path]) for name, path in paths.items()}


def _shard_digest(config: Config, shard: str, items: list[inputs.Item], ledger: Ledger) -> str:
    """The digest of a shard of structures, without reading its files until their times change.

    Then those that the shard's piece of the lock tells are still the same leave it as it was.
    """
    seen = inputs.shard_digest(items)
    name = f"{config.results} {shard}"

    def anew() -> str:
        before = ledger.known(name)
        return before if before and _as_locked(config, shard, items) else seen

    return ledger.kept(name, seen, anew) if shard.startswith("files-") else seen


def _as_locked(config: Config, shard: str, items: list[inputs.Item]) -> bool:
    """Whether the files of a shard are, byte for byte, those that its piece of the lock names."""
    try:
        from foldgraft.records import lock, tables  # they import pyarrow: planning does without otherwise
    except ImportError:
        return False
    piece = config.results / f"fetch/structures/{shard}.parquet"
    try:
        rows = tables.read_frame(piece, lock.SCHEMA, ["id", "sha256"])
    except FoldgraftError:
        return False
    locked = dict(zip(rows["id"], rows["sha256"], strict=True))
    return all(locked.get(item.id) == file_sha256(Path(item.location)) for item in items)


def section(config: Config, name: str, **parts: Any) -> str:
    """A section of the configuration as JSON, in an order that does not change; of its keys, those that pydantic's
    `include` and `exclude` leave."""
    value = getattr(config, name)
    return TypeAdapter(type(value)).dump_json(value, **parts).decode()


def closing(config: Config) -> Iterator[str]:
    """What a user should see when a run has ended well: what became of the alignments that they gave."""
    account = config.results / "msa/given.csv"
    if config.msa.alignments.files and account.exists():
        from foldgraft.records.given import read_given, summary  # it imports pandas, which planning does without

        yield from summary(read_given(account))
        yield f"the whole account is {account}"


def reasons(logs: Iterable[str], folder: Path, since: float) -> Iterator[str]:
    """Why jobs failed, for the end of what Snakemake says: the last lines of the log of each, which hold the reason.

    Parameters
    ----------
    logs : paths
        Snakemake's own, which name those of the jobs that failed, unless it was to be quiet.
    folder : Path
        of the jobs' logs; those that tell of an error are taken where Snakemake names none.
    since : float
        when the run began, in seconds of the epoch.
    """
    text = "".join(Path(log).read_text() for log in logs if Path(log).is_file())
    named = ", ".join(re.findall(r"^ +log: (.+) \(check log file", text, re.MULTILINE)).split(", ")
    named_logs = [path for path in map(Path, dict.fromkeys(named)) if path.is_file()]
    for path in named_logs or [path for path in sorted(folder.rglob("*.log")) if path.stat().st_mtime >= since]:
        lines = path.read_text(errors="replace").rpartition(AGAIN)[2].rstrip().splitlines()
        first = next((k for k, line in enumerate(lines) if ERRORS.match(line)), None)
        if named_logs or first is not None:
            yield f"\n{path} ends with"
            first = max(0, len(lines) - LINES) if first is None else first
            yield from (f"    {line[:WIDTH]}" for line in lines[first:][-2 * LINES :])


def outside(path: str | Path, absolute: bool = False) -> str:
    """A path that no rule makes, as Snakemake takes it.

    Raises
    ------
    FoldgraftError
        if Snakemake would take a part of it for a wildcard.
    """
    if wildcard := re.search(r"\{\s*\w[^{}]*\}", str(path)):
        raise FoldgraftError(
            f"{path}: Snakemake takes {wildcard[0]} in a path for a wildcard; rename it, or work in that folder and "
            "write the path from there"
        )
    return str(Path(path).absolute() if absolute else path)


def importable(package: Path, folder: Path, alone: bool) -> Path:
    """A folder from which jobs import the package; with `alone`, one that holds no other of an installation.

    Jobs with a conda environment of their own must not find the packages that Snakemake's holds.
    """
    if not alone or package.parent.name != "site-packages":
        return package.parent
    link = folder / package.name
    if link.resolve() != package.resolve():
        folder.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(package)
    return folder.absolute()


def in_conda(workflow: Any) -> bool:
    """Whether Snakemake gives jobs conda environments of their own."""
    return any(str(method) == "conda" for method in workflow.deployment_settings.deployment_method)
