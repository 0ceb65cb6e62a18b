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
    inputs: str
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
        for name, fasta in config.predict.sequences.items():
            if not (data / fasta).is_file():
                raise FoldgraftError(f"predict.sequences.{name}: {data / fasta} does not exist")
    msa_inputs.check(config.msa, data)
    if config.trunk.checkpoint and not (data / config.trunk.checkpoint).exists():
        raise FoldgraftError(f"trunk.checkpoint: {data / config.trunk.checkpoint} does not exist")


def make(config: Config) -> Plan:
    """Name the shards of a run."""
    data = Path(config.data)
    if config.synth:
        return _synthetic(config)
    structures = inputs.structure_shards(config.structures, config.fetch, data) if config.structures else {}
    labels = inputs.label_shards(config.solubility, config.fetch, data) if config.solubility else []
    table = [data / config.solubility.table] if config.solubility else []
    sequences = [path for pattern in config.sequences.files for path in data.glob(pattern)] if config.sequences else []
    patterns = [*config.msa.alignments.files, *config.msa.alignments.queries]
    return Plan(
        structures={shard: inputs.shard_digest(items) for shard, items in structures.items()},
        labels=labels,
        inputs=digest([*table, *sequences]),
        alignments=digest(path for pattern in patterns for path in data.glob(pattern)),
        predict={name: digest([data / fasta]) for name, fasta in config.predict.sequences.items()},
    )


def _synthetic(config: Config) -> Plan:
    made = hashlib.sha256(config.synth.model_dump_json().encode()).hexdigest()
    files = math.ceil(len(entry_names(config.synth)) / config.fetch.shard_size)
    tables = math.ceil(config.synth.labels / config.fetch.label_shard_size)
    return Plan(
        structures={f"files-{number:05d}": made for number in range(files)},
        labels=[f"labels-{number:05d}" for number in range(tables)],
        inputs=made,
        alignments=digest([]),
        predict=dict.fromkeys(config.predict.sequences, made),
    )


def digest(paths: Iterable[Path]) -> str:
    """A digest of the names, sizes and times of files: cheap, and different when one of them was changed."""
    lines = []
    for path in sorted(paths):
        status = path.stat()
        lines.append(f"{path}\t{status.st_size}\t{status.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def section(config: Config, name: str) -> str:
    """A section of the configuration as JSON, in an order that does not change."""
    value = getattr(config, name)
    return TypeAdapter(type(value)).dump_json(value).decode()


def in_conda(workflow: Any) -> bool:
    """Whether Snakemake gives jobs conda environments of their own."""
    return any(str(method) == "conda" for method in workflow.deployment_settings.deployment_method)
