"""An RO-Crate of a run: what was made, of which inputs, by which commands, in what time and memory.

The metadata follow RO-Crate 1.1 (https://w3id.org/ro/crate/1.1) and its profile of process runs
(https://w3id.org/ro/wfrun/process/0.5), so that archives and search engines of research data can read them.
"""

import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.records.files import file_sha256

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
PROFILES = ("https://w3id.org/ro/wfrun/process/0.5",)
NAME = "ro-crate-metadata.json"
KEPT = (
    "provenance.json",
    "fetch/lock.parquet",
    "curate/*.csv",
    "curate/index.parquet",
    "cluster/*.parquet",
    "cluster/*.json",
    "msa/given.csv",
    "trunk/model.safetensors",
    "trunk/trunk.json",
    "trunk/history.csv",
    "train/*/*.*",
    "evaluate/*.csv",
    "evaluate/tasks/*/*.csv",
    "report/index.html",
)
"""Files that the crate lists; shards, of which there are many, are made of them again."""


@dataclass(frozen=True)
class Use:
    """What the jobs of one kind took, by Snakemake's benchmarks."""

    jobs: int
    seconds: float
    """of all together"""
    megabytes: float
    """peak of the largest, resident"""


def crate(results: Path, provenance: Mapping[str, Any], commands: Mapping[str, str]) -> dict[str, Any]:
    """The metadata of a run's folder.

    Parameters
    ----------
    results : Path
        the folder of the run.
    provenance : mapping
        the content of its provenance.json.
    commands : mapping
        the command of each rule, with its names of inputs and outputs.
    """
    files = [_file(results, path) for path in _kept(results)]
    software = [
        {"@id": f"#{name}", "@type": "SoftwareApplication", "name": name, "softwareVersion": str(found)}
        for name, found in _software(provenance).items()
    ]
    used = use(results / "benchmarks")
    actions = [_action(name, found, commands) for name, found in used.items()]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Foldgraft: {provenance['config']['run']}",
        "description": "Results of a run of Foldgraft: task heads on a frozen protein language-model trunk. "
        "Inputs are the rows of fetch/lock.parquet, each with its sha256; provenance.json holds the configuration.",
        "datePublished": datetime.now(UTC).isoformat(timespec="seconds"),
        "license": "Results are those of whoever ran it; inputs and weights have licences of their own.",
        "conformsTo": [{"@id": profile} for profile in PROFILES],
        "hasPart": [{"@id": file["@id"]} for file in files],
        "mentions": [{"@id": action["@id"]} for action in actions],
        "mainEntity": {"@id": "report/index.html"},
    }
    about = {
        "@id": NAME,
        "@type": "CreativeWork",
        "conformsTo": {"@id": CONTEXT.removesuffix("/context")},
        "about": {"@id": "./"},
    }
    software[0] |= {"license": "MIT", "softwareRequirements": [{"@id": one["@id"]} for one in software[1:]]}
    profiles = [{"@id": profile, "@type": "CreativeWork", "name": "Process Run Crate"} for profile in PROFILES]
    graph = [about, root, *profiles, *files, *software, *actions]
    return {"@context": CONTEXT, "@graph": [*graph, *_properties(used)]}


def _kept(results: Path) -> list[Path]:
    found = {path for pattern in KEPT for path in results.glob(pattern) if path.is_file()}
    return sorted(path for path in found if not path.name.startswith("."))


def _file(results: Path, path: Path) -> dict[str, Any]:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    size = str(path.stat().st_size)
    name = path.relative_to(results).as_posix()
    about = {"@id": name, "@type": "File", "name": path.name, "contentSize": size, "encodingFormat": kind}
    return about | {"sha256": file_sha256(path)}


def _software(provenance: Mapping[str, Any]) -> dict[str, Any]:
    own = f" (commit {provenance['commit']})" if provenance["commit"] else ""
    versions = {"foldgraft": f"{provenance['foldgraft']}{own}", "python": provenance["python"]}
    return versions | {"mmseqs": provenance["mmseqs"]} | provenance["packages"]


def use(benchmarks: Path) -> dict[str, Use]:
    """What each kind of job took, `curate shard` or `train solubility`, in the order of their names.

    Raises
    ------
    FoldgraftError
        if a file is no benchmark of Snakemake.
    """
    rows: dict[str, list[tuple[float, float]]] = {}
    for path in sorted(benchmarks.rglob("*.tsv")):
        parts = path.relative_to(benchmarks).with_suffix("").parts
        try:
            table = pd.read_csv(path, sep="\t", na_values=["NA", "-"])
            taken = float(table["s"].sum()), float(table["max_rss"].max())
        except (OSError, ValueError, KeyError) as error:
            raise FoldgraftError(f"{path}: is no benchmark of Snakemake ({error}); delete it") from None
        rows.setdefault(" ".join(parts[:2]), []).append(taken)
    return {
        name: Use(len(taken), sum(one for one, _ in taken), max(most for _, most in taken))
        for name, taken in rows.items()
    }


def _action(name: str, found: Use, commands: Mapping[str, str]) -> dict[str, Any]:
    stage = name.split()[0]
    others = [text for rule, text in commands.items() if rule.partition("_")[0] == stage]
    command = commands.get(name.replace(" ", "_"), others[0] if len(others) == 1 else "")
    action = {
        "@id": f"#{'-'.join(name.split())}",
        "@type": "CreateAction",
        "name": name,
        "instrument": {"@id": "#foldgraft"},
        "additionalProperty": [{"@id": one} for one in _names(name)],
    }
    return action | ({"description": " ".join(command.split())} if command else {})


def _names(name: str) -> list[str]:
    return [f"#{'-'.join(name.split())}-{what}" for what in ("jobs", "seconds", "megabytes")]


def _properties(used: Mapping[str, Use]) -> Iterator[dict[str, Any]]:
    for name, found in used.items():
        units = ("jobs", "seconds of wall time", "peak resident megabytes")
        values = (found.jobs, round(found.seconds, 2), round(found.megabytes, 1))
        for one, unit, value in zip(_names(name), units, values, strict=True):
            yield {"@id": one, "@type": "PropertyValue", "name": unit, "value": value if value == value else None}
