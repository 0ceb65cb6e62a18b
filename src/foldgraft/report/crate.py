"""An RO-Crate of a run: what was made, of which inputs, by which commands, in what time and memory.

The metadata follow RO-Crate 1.1 (https://w3id.org/ro/crate/1.1) and its profile of process runs
(https://w3id.org/ro/wfrun/process/0.5), so that archives and search engines of research data can read them.
"""

import mimetypes
from collections.abc import Collection, Iterator, Mapping
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
    "cluster/external/*/*.parquet",
    "msa/given.csv",
    "trunk/model.safetensors",
    "trunk/trunk.json",
    "trunk/history.csv",
    "train/*/*.*",
    "evaluate/*.csv",
    "evaluate/tasks/*/*.csv",
    "evaluate/external/*/*.parquet",
    "report/index.html",
    "report/*.md",
    "report/figures/*/*/*.html",
    "predict/*.*",
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
    config = provenance["config"]
    files = [_file(results, path) for path in _kept(results) if _current(path.relative_to(results), config)]
    software = [
        {"@id": f"#{name}", "@type": "SoftwareApplication", "name": name, "softwareVersion": str(release)}
        for name, release in _software(provenance).items()
    ]
    uses = use(results / "benchmarks", config)
    actions = [_action(name, used, commands) for name, used in uses.items()]
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
    return {"@context": CONTEXT, "@graph": [*graph, *_properties(uses)]}


def _kept(results: Path) -> list[Path]:
    files = {path for pattern in KEPT for path in results.glob(pattern) if path.is_file()}
    return sorted(path for path in files if not path.name.startswith("."))


def _current(path: Path, config: Mapping[str, Any]) -> bool:
    """Whether a file, or the benchmark of its job, is of this configuration's experiments, tasks, cards and sequences.

    An earlier configuration may have left others in the folder. A configuration without such a section tells nothing.
    """
    name = path.parts[1].partition(".")[0] if len(path.parts) > 1 else ""
    if len(path.parts) > 2 and "experiments" in config:
        of, who = path.parts[2].partition(".")[0], path.parts[3].partition(".")[0] if len(path.parts) > 3 else ""
        tried = config.get("evaluate", {}).get("external", {})
        if name in ("external", "external_audit"):
            return of in tried and (not who or who in tried[of])
        if path.parts[0] == "evaluate":
            return of in _tasks(config) or of in tried
    predict = config.get("predict", {})
    known = {
        "train": config.get("experiments", {name}),
        "predict": {*predict.get("sequences", {}), *predict.get("alignments", {})} if predict else {name},
        "report": {"index", "figures", "render", "provenance", "crate", *config.get("report", {}).get("cards", {name})},
    }
    return name in known.get(path.parts[0], {name})


def _tasks(config: Mapping[str, Any]) -> set[str]:
    """The tasks of all experiments."""
    given = [one.get("task", []) for one in config["experiments"].values()]
    return {name for task in given for name in ([task] if isinstance(task, str) else task)}


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


def use(benchmarks: Path, config: Mapping[str, Any]) -> dict[str, Use]:
    """What each kind of job took, `curate shard` or `train solubility`, in the order of their names.

    Jobs of experiments that the configuration does not have are left out, and so is a file that is empty, as one is
    whose job was killed while Snakemake wrote it.

    Raises
    ------
    FoldgraftError
        if a file is no benchmark of Snakemake.
    """
    rows: dict[str, list[tuple[float, float]]] = {}
    for path in sorted(benchmarks.rglob("*.tsv")):
        parts = path.relative_to(benchmarks).with_suffix("").parts
        if not path.stat().st_size or not _current(path.relative_to(benchmarks), config):
            continue
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


def _action(name: str, used: Use, commands: Mapping[str, str]) -> dict[str, Any]:
    command = commands.get(_rule(name, commands), "")
    action = {
        "@id": f"#{'-'.join(name.split())}",
        "@type": "CreateAction",
        "name": name,
        "instrument": {"@id": "#foldgraft"},
        "additionalProperty": [{"@id": one} for one in _names(name)],
    }
    return action | ({"description": " ".join(command.split())} if command else {})


def _rule(name: str, rules: Collection[str]) -> str:
    """The rule of jobs of this name; those that are named after what a user named have one rule for all."""
    stage, _, what = name.partition(" ")
    named = {
        "train": "train_experiment",
        "evaluate": "evaluate_baseline",
        "predict": "predict_contacts" if what.endswith(".contacts") else "predict_sequences",
        "report": "report_card",
    }
    own = name.replace(" ", "_")
    return own if own in rules else named.get(stage, "")


def _names(name: str) -> list[str]:
    return [f"#{'-'.join(name.split())}-{what}" for what in ("jobs", "seconds", "megabytes")]


def _properties(used: Mapping[str, Use]) -> Iterator[dict[str, Any]]:
    for name, total in used.items():
        units = ("jobs", "seconds of wall time", "peak resident megabytes")
        values = (total.jobs, round(total.seconds, 2), round(total.megabytes, 1))
        for one, unit, value in zip(_names(name), units, values, strict=True):
            yield {"@id": one, "@type": "PropertyValue", "name": unit, "value": value if value == value else None}
