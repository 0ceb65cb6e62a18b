"""Running Snakemake as a user would, and reading what it says."""

import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

ROOT = Path(__file__).parent.parent.parent

SMALL = {
    "run": "small",
    "synth": {"families": 8, "structures_per_family": 2, "homologs_per_family": 60, "labels": 240, "constructs": 4},
    "fetch": {"shard_size": 10, "label_shard_size": 150},
    "trunk": {"pretrain": {"layers": 2, "width": 40, "heads": 4, "steps": 30}},
    "experiments": {
        "solubility": {"task": "solubility", "head": "mlp", "validation": "next", "training": {"epochs": 5}},
        "states": {
            "task": ["ss3", "torsions"],
            "head": {"name": "mlp"},
            "validation": "next",
            "training": {"epochs": 5},
        },
        "contacts": {"task": "contact", "head": "logistic", "features": ["attention", "coevolution", "separation"]},
    },
    "evaluate": {"resamples": 100},
    "report": {
        "cards": {
            "solubility": {
                "summary": "Says whether it dissolves.",
                "data": "Made up.",
                "licence": "MIT.",
                "command": "snakemake",
                "limits": ["Knows nothing of real proteins."],
            }
        }
    },
    "predict": {"sequences": {"constructs": "results/small/synth/constructs.fasta"}},
}

TOY = {"helices": {"task": "helix", "head": {"name": "linear", "penalty": 0.1}, "validation": "next"}}
"""An experiment of a task that the package does not have, see `with_toy_task`."""

TOY_CODE = {
    "tasks/task.py": """
BUILT_IN["helix"] = Task(name="helix", level="residue", kind="binary", truth="targets")
""",
    "tasks/truth.py": """

def helix(targets: Targets) -> np.ndarray:
    \"\"\"1 for residues of helices, else 0; shape (L, 1), NaN where the state is not known.\"\"\"
    state = ss3(targets)
    return np.where(np.isnan(state), np.nan, state == BUILT_IN["ss3"].names.index("H")).astype(np.float32)


TRUTH["helix"] = helix
""",
}
"""What CONTRIBUTING.md says that a task from structures needs: a line, and a function."""


TRIAL = "id,sequence,label\n" + "\n".join(
    f"t{number},{''.join(random.Random(number).choices('ACDEFGHIKLMNPQRSTVWY', k=40 + number))},{number % 2}"
    for number in range(24)
)
"""The table trial.csv of `copy_checkout`."""

ABROAD = {
    "labels": {"trial": {"table": "trial.csv"}},
    "evaluate": SMALL["evaluate"] | {"external": {"trial": ["solubility"]}},
}
"""A head that is tried on that table."""


def snakemake(
    folder: Path, *arguments: str, snakefile: str | Path | None = None, **options: str
) -> subprocess.CompletedProcess:
    """Run Snakemake in a folder, as a user would; `options` become environment variables."""
    command = [sys.executable, "-m", "snakemake", *(["--snakefile", str(snakefile)] if snakefile else []), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env={**os.environ, **options})


def copy_checkout(folder: Path) -> Path:
    """A copy of what a clone holds and a run needs."""
    for name in ("src", "workflow", "config", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "Snakefile", folder)
    (folder / "trial.csv").write_text(TRIAL)
    return folder


def with_toy_task(folder: Path) -> Path:
    """A checkout to which a task is added, in the files that CONTRIBUTING.md names and nowhere else."""
    asked = (ROOT / "CONTRIBUTING.md").read_text().partition("A task from structures is ")[2].partition("\n- **")[0]
    for name, code in TOY_CODE.items():
        assert f"`{name}`" in asked, f"CONTRIBUTING.md does not name {name}"
        path = folder / "src/foldgraft" / name
        path.write_text(path.read_text() + code)
    return folder


def stood_in(folder: Path) -> Path:
    """A checkout whose commands are those of `stand_in`, so that a run of all stages costs seconds."""
    copy_checkout(folder)
    shutil.copy(Path(__file__).with_name("stand_in.py"), folder / "src/foldgraft/__main__.py")
    for rules in (folder / "workflow/rules").glob("*.smk"):
        told = "FG_INPUTS='{input}' FG_OUTPUTS='{output}' python -m foldgraft"
        rules.write_text(rules.read_text().replace("python -m foldgraft", told))
    return folder


def planned(output: str) -> dict[str, int]:
    """Job counts by rule, out of a dry run's table; empty if nothing is to be done."""
    table = output.partition("Job stats:")[2].partition("\n\n")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.M)}


def content(path: Path) -> object:
    """What a file holds: the rows of a table, whose metadata differ between runs, or the bytes of another file."""
    return pq.read_table(path).to_pylist() if path.suffix == ".parquet" else path.read_bytes()
