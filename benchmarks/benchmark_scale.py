"""The whole workflow on N distinct synthetic chains and as many labels: CPU time and peak memory of each command.

    python benchmarks/benchmark_scale.py --chains 300 1000 3000 10000 [--figures docs/scale.json]
    python benchmarks/benchmark_scale.py --draw docs/scale.svg [--figures docs/scale.json]

Chains, homologs and labelled proteins come in families of 20 each: mutants of a founder, 40 to 90 % identical to it, no
two alike. A chain lies on its family's backbone, moved a little; it has no side chains beyond CB. The trunk has one
layer of 32 and is pretrained for 10 steps, so `trunk`, `embed` and the forward passes of `predict` tell what Foldgraft
costs beside a trunk. Jobs run one after the other with one thread each. A hook that each job's Python loads writes down
the job's CPU time, its children's with it, and the largest resident memory of a process of it. What a size is compared
with is the size before it: where N grows by a factor, so should the time beyond start-up, and memory should not grow.

`--draw` draws the figures, and prints them as a table with what 700,000 chains of the PDB would take.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import yaml

from foldgraft.cli import STAGES
from foldgraft.residues import AMINO_ACIDS, ONE_TO_THREE
from foldgraft.synth.fold import compact

ROOT = Path(__file__).parent.parent
SIZE = 20
"""Chains, homologs and labelled proteins of a family, each."""
FOLDS = 15
"""Backbones; families beyond these share them, as families of the PDB do."""
IDENTITY = (0.4, 0.9)
ATOMS = ("N", "CA", "CB", "C", "O")
HOOK = """
import atexit, json, os, resource, sys
def usage():
    own, children = (resource.getrusage(one) for one in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    words = [word for word in sys.orig_argv if word in os.environ["SCALE_STAGES"].split()]
    record = {"stage": words[0], "cpu": sum(one.ru_utime + one.ru_stime for one in (own, children)),
            "memory": max(own.ru_maxrss, children.ru_maxrss) / 1024, "job": sys.orig_argv[6:8]}
    with open(os.environ["SCALE_USAGE"], "a") as handle:
        handle.write(json.dumps(record) + "\\n")
if "--made-from" in sys.orig_argv:
    atexit.register(usage)
"""
LAYOUT = """\
data_{name}
_entry.id {name}
_exptl.entry_id {name}
_exptl.method 'X-RAY DIFFRACTION'
_refine.ls_d_res_high 2.00
_entity.id 1
_entity.type polymer
_entity_poly.entity_id 1
_entity_poly.type 'polypeptide(L)'
loop_
_entity_poly_seq.entity_id
_entity_poly_seq.num
_entity_poly_seq.mon_id
{sequence}
loop_
_atom_site.group_PDB
_atom_site.id
_atom_site.type_symbol
_atom_site.label_atom_id
_atom_site.label_alt_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_entity_id
_atom_site.label_seq_id
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.occupancy
_atom_site.B_iso_or_equiv
_atom_site.auth_seq_id
_atom_site.auth_asym_id
_atom_site.pdbx_PDB_model_num
{atoms}
#
"""


def mutant(rng: np.random.Generator, founder: np.ndarray) -> str:
    """A sequence that shares with the founder a fraction of residues drawn from `IDENTITY`."""
    kept = rng.random(len(founder)) < rng.uniform(*IDENTITY)
    letters = np.where(kept, founder, rng.integers(0, len(AMINO_ACIDS), len(founder)))
    return "".join(AMINO_ACIDS[k] for k in letters)


def entry(name: str, sequence: str, atoms: np.ndarray) -> str:
    """A chain as mmCIF."""
    names = [ONE_TO_THREE[letter] for letter in sequence]
    lines = []
    for k, (residue, places) in enumerate(zip(names, atoms.tolist(), strict=True), start=1):
        for atom, (x, y, z) in zip(ATOMS, places, strict=True):
            if (residue, atom) != ("GLY", "CB"):
                lines.append(
                    f"ATOM {len(lines)} {atom[0]} {atom} . {residue} A 1 {k} {x:.3f} {y:.3f} {z:.3f} 1 20 {k} A 1"
                )
    listed = "\n".join(f"1 {k} {residue}" for k, residue in enumerate(names, start=1))
    return LAYOUT.format(name=name, sequence=listed, atoms="\n".join(lines))


def write_inputs(folder: Path, count: int, longest: int) -> None:
    """Structures, homologs and labels, `count` of each."""
    rng = np.random.default_rng(count)
    families = math.ceil(count / SIZE)
    folds = [compact(np.random.default_rng(k), longest - 50, longest).atoms for k in range(min(FOLDS, families))]
    (folder / "structures").mkdir()
    homologs, labels = [], ["id,sequence,soluble"]
    for number in range(count):
        family, member = divmod(number, SIZE)
        if member == 0:
            atoms = folds[family % len(folds)]
            founder = rng.integers(0, len(AMINO_ACIDS), len(atoms))
        moved = atoms + rng.normal(0, 0.03, atoms.shape)
        name = f"s{number:06d}"
        (folder / f"structures/{name}.cif").write_text(entry(name, mutant(rng, founder), moved))
        homologs.append(f">h{number}\n{mutant(rng, founder)}\n")
        labelled = mutant(rng, founder)
        charged = sum(labelled.count(letter) for letter in "DEKR") / len(labelled)
        labels.append(f"p{number},{labelled},{int(charged + rng.normal(0, 0.05) > 0.2)}")
    (folder / "homologs.fasta").write_text("".join(homologs))
    (folder / "labels.csv").write_text("\n".join(labels) + "\n")
    (folder / "new.fasta").write_text("".join(homologs[:1000]))


def configuration(count: int) -> dict:
    """Every stage, each with what is linear in the number of proteins by design."""
    return {
        "run": "scale",
        "structures": {"files": ["structures/*.cif"]},
        "sequences": {"files": ["homologs.fasta"]},
        "solubility": {"table": "labels.csv", "columns": {"label": "soluble"}},
        "msa": {"coevolution": {"method": {"name": "mean_field"}}},
        "trunk": {"pretrain": {"layers": 1, "width": 32, "heads": 2, "steps": 10}},
        "experiments": {
            "solubility": {"task": "solubility", "head": "linear", "layers": "all"},
            "states": {"task": "ss3", "head": "linear"},
            "contacts": {"task": "contact", "features": ["attention", "coevolution", "separation"]},
        },
        "cluster": {"on_leak": "report", "max_leak": 1.0},
        "predict": {"sequences": {"new": "new.fasta"}, "experiments": ["solubility"]},
    }


def run(count: int, longest: int) -> dict:
    """Figures of one size: CPU seconds and peak megabytes by stage, and by rule within it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hook").mkdir()
        (folder / "hook/sitecustomize.py").write_text(HOOK)
        write_inputs(folder, count, longest)
        (folder / "scale.yaml").write_text(yaml.safe_dump(configuration(count)))
        environment = {
            **os.environ,
            "PYTHONPATH": str(folder / "hook"),
            "SCALE_USAGE": str(folder / "usage.jsonl"),
            "SCALE_STAGES": " ".join(STAGES),
        }
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1"]
        command += ["--max-threads", "1", "--configfile", "scale.yaml", "--quiet", "all"]
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment, check=True)
        wall = time.perf_counter() - start
        return {"chains": count, "longest": longest, "wall": round(wall), "jobs": used(folder / "usage.jsonl")}


def used(path: Path) -> dict[str, dict[str, float]]:
    """CPU seconds, peak megabytes and number of jobs, by stage and command."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: {"cpu": 0.0, "memory": 0.0, "jobs": 0})
    for line in path.read_text().splitlines():
        record = json.loads(line)
        one = found[f"{record['stage']} {record['job'][0]}"]
        one["cpu"] = round(one["cpu"] + record["cpu"], 2)
        one["memory"] = max(one["memory"], round(record["memory"]))
        one["jobs"] += 1
    return dict(found)


def draw(kept: list[dict], path: Path) -> None:
    """Draw CPU time and memory against the number of chains, and print both as a table."""
    import matplotlib.pyplot as plt

    sizes = sorted(kept, key=lambda one: one["chains"])
    names = sorted(sizes[-1]["jobs"], key=lambda name: -sizes[-1]["jobs"][name]["cpu"])
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    for name in names[:10]:
        rows = [(one["chains"], one["jobs"][name]) for one in sizes if name in one["jobs"]]
        for axes, key in ((left, "cpu"), (right, "memory")):
            axes.plot([count for count, _ in rows], [used[key] for _, used in rows], "o-", label=name)
    left.set(
        xscale="log", yscale="log", xlabel="chains, and labelled proteins", ylabel="CPU seconds, all jobs of a kind"
    )
    right.set(xscale="log", xlabel="chains, and labelled proteins", ylabel="MB, the largest job", ylim=0)
    left.legend(fontsize=7)
    figure.savefig(path)
    before, last = sizes[-2:]
    counts = [one["chains"] for one in sizes]
    print("| command | " + " | ".join(f"{count}: s, MB" for count in counts) + " | ms a chain | 700,000: core hours |")
    print("|---" * (len(counts) + 3) + "|")
    for name in names:
        cells = [one["jobs"].get(name, {"cpu": 0.0, "memory": 0}) for one in sizes]
        more = (cells[-1]["cpu"] - cells[-2]["cpu"]) / (last["chains"] - before["chains"])
        shown = " | ".join(f"{cell['cpu']:.1f}, {cell['memory']:.0f}" for cell in cells)
        print(f"| `{name}` | {shown} | {1000 * max(more, 0):.2f} | {700_000 * max(more, 0) / 3600:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, nargs="*", default=[])
    parser.add_argument(
        "--longest", type=int, default=110, help="residues of the longest fold; the shortest has 50 less"
    )
    parser.add_argument("--figures", type=Path, default=ROOT / "docs/scale.json")
    parser.add_argument("--draw", type=Path)
    options = parser.parse_args()
    kept = json.loads(options.figures.read_text()) if options.figures.exists() else []
    for count in options.chains:
        found = run(count, options.longest)
        kept = [one for one in kept if (one["chains"], one["longest"]) != (count, options.longest)] + [found]
        options.figures.write_text(json.dumps(kept, indent=1) + "\n")
        for job, figures in found["jobs"].items():
            print(count, job, figures, flush=True)
    if options.draw:
        draw(kept, options.draw)


if __name__ == "__main__":
    main()
