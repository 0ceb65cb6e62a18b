"""What the workflow must know before any job runs: the checked configuration, and the shards.

All of it follows from the configuration and a listing of the local inputs, so that a plan costs no more than that
listing, grows with shards rather than proteins, and needs no checkpoint.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from foldgraft.config import Config, load
from foldgraft.errors import FoldgraftError
from foldgraft.fetch import checks, inputs
from foldgraft.msa import inputs as msa_inputs
from foldgraft.synth.settings import entry_names


@dataclass(frozen=True)
class Plan:
    """Names of the shards, and digests of local inputs; a digest that changes reruns what stands on it."""

    structures: dict[str, str]
    labels: list[str]
    table: str
    sequences: str
    alignments: str
    predict: dict[str, str]


def configure(values: Mapping[str, Any], check: bool) -> Config:
    """Read the configuration and, with `check`, everything about the local inputs that can be known beforehand.

    Raises
    ------
    FoldgraftError
        naming the key, file or record that is wrong.
    """
    config = load(values)
    if check:
        check_inputs(config)
    return config


def check_inputs(config: Config) -> None:
    """Stop for a missing file, an empty glob, a duplicate id, a bad record or label."""
    data = Path(config.data)
    if not data.is_dir():
        raise FoldgraftError(f"data: {config.data!r} is not a folder")
    if not config.synth:
        checks.check(config.structures, config.sequences, config.solubility, data)
    made = config.results / "synth/constructs.fasta" if config.synth else None
    for name, fasta in config.predict.sequences.items():
        if fasta != made and not (data / fasta).is_file():
            hint = f"; this run's constructs will be {made}" if made else ""
            raise FoldgraftError(f"predict.sequences.{name}: {data / fasta} does not exist{hint}")
    msa_inputs.check(config.msa, data)
    if config.trunk.checkpoint and not (data / config.trunk.checkpoint).exists():
        raise FoldgraftError(f"trunk.checkpoint: {data / config.trunk.checkpoint} does not exist")


def make(config: Config) -> Plan:
    """Name the shards of a run."""
    data = Path(config.data)
    if config.synth:
        return _synthetic(config)
    structures = inputs.structure_shards(config.structures, config.fetch, data) if config.structures else {}
    return Plan(
        structures={shard: inputs.shard_digest(items) for shard, items in structures.items()},
        labels=inputs.label_shards(config.solubility, config.fetch, data) if config.solubility else [],
        table=digest([data / config.solubility.table] if config.solubility else []),
        sequences=digest(inputs.sequence_paths(config.sequences, data) if config.sequences else []),
        alignments=digest(msa_inputs.paths(config.msa.alignments, data)),
        predict=_new_sequences(config),
    )


def _synthetic(config: Config) -> Plan:
    made = hashlib.sha256(config.synth.model_dump_json().encode()).hexdigest()
    files = math.ceil(len(entry_names(config.synth)) / config.fetch.shard_size)
    tables = math.ceil(config.synth.labels / config.fetch.label_shard_size)
    return Plan(
        structures={f"files-{number:05d}": made for number in range(files)},
        labels=[f"labels-{number:05d}" for number in range(tables)],
        table=made,
        sequences=made,
        alignments=digest(msa_inputs.paths(config.msa.alignments, Path(config.data))),
        predict=_new_sequences(config),
    )


def _new_sequences(config: Config) -> dict[str, str]:
    """Digests of the files to predict for; one that the run itself makes is known to Snakemake as such."""
    paths = {name: Path(config.data) / fasta for name, fasta in config.predict.sequences.items()}
    made = config.results / "synth" if config.synth else None
    return {name: digest([] if path.parent == made else [path]) for name, path in paths.items()}


def digest(paths: Iterable[Path]) -> str:
    """A digest of the names, sizes and times of files: cheap, and different when one of them was changed."""
    lines = []
    for path in sorted(paths):
        status = path.stat()
        lines.append(f"{path}\t{status.st_size}\t{status.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def section(config: Config, name: str, **parts: Any) -> str:
    """A section of the configuration as JSON, in an order that does not change; of its keys, those that pydantic's
    `include` and `exclude` leave."""
    value = getattr(config, name)
    return TypeAdapter(type(value)).dump_json(value, **parts).decode()


def in_conda(workflow: Any) -> bool:
    """Whether Snakemake gives jobs conda environments of their own."""
    return any(str(method) == "conda" for method in workflow.deployment_settings.deployment_method)
