"""What a run's numbers depend on: configuration, lockfile, versions."""

import hashlib
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from foldgraft import __version__, mmseqs
from foldgraft.records.lock import SCHEMA
from foldgraft.records.tables import read_frame

PACKAGES = ("torch", "numpy", "scipy", "pandas", "pyarrow", "gemmi", "scikit-learn", "safetensors", "snakemake")


def provenance(lock: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The facts to repeat a run by.

    `inputs.sha256` is that of the lock's sources, ids, digests and fates, so that it does not change with the time of a
    download. A package that is not installed in this environment is left out.
    """
    rows = read_frame(lock, SCHEMA, ["source", "id", "sha256", "status"]).sort_values(["source", "id"])
    contents = rows.to_csv(index=False).encode()
    return {
        "foldgraft": __version__,
        "commit": commit(Path(__file__).parent.parent),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "mmseqs": mmseqs.version(),
        "packages": {name: release for name in PACKAGES if (release := _version(name))},
        "inputs": {"count": len(rows), "sha256": hashlib.sha256(contents).hexdigest()},
        "config": config,
    }


def commit(package: Path) -> str:
    """The commit of the checkout that holds a package, with -dirty if it was edited since; empty if none does."""
    try:
        tracked = _git(package, "ls-files", "--error-unmatch", "__init__.py")
        return _git(package, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") if tracked else ""
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
