"""The structural audit: test chains whose fold a training chain has, whatever their sequences say.

Relatives too distant for a sequence search may still share a fold. Foldseek (van Kempen et al. 2024, Nature
Biotechnology 42:243) finds them, where its binary is at hand: $FOLDSEEK_BIN, else the one on PATH. Where there is none,
the result says so.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import gemmi
import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.progress import progress
from foldgraft.records.chains import Chain, read_chains
from foldgraft.residues import ATOMS

SAME_FOLD = 0.5
"""TM-score, normalised by the test chain's length, from which two chains share a fold (Xu and Zhang 2010)."""

WRITTEN = ("N", "CA", "C", "O", "CB")
FORMAT = "query,target,qtmscore,lddt,evalue"
WORST = 10
NAME = re.compile(r"[a-z](\d+)")
ABSENT = (
    "The split was not audited by structure: no foldseek was found. Put it on PATH, or set FOLDSEEK_BIN, and rerun the "
    "stage cluster."
)


def binary() -> str | None:
    """Path of foldseek, if there is one.

    Raises
    ------
    FoldgraftError
        if FOLDSEEK_BIN names no program.
    """
    named = os.environ.get("FOLDSEEK_BIN")
    if named and not shutil.which(named):
        raise FoldgraftError(f"FOLDSEEK_BIN: {named!r} is not an executable file")
    return shutil.which(named or "foldseek")


def structural_audit(
    shards: Iterable[Path], roles: Mapping[str, str], folder: Path, threads: int = 1
) -> dict[str, Any]:
    """Which test chains have the fold of a training or validation chain.

    Parameters
    ----------
    shards : iterable of Path
        curated chains.
    roles : mapping
        train, valid or test, of each chain that takes part, by its id.
    folder : Path
        scratch folder.
    threads : int

    Returns
    -------
    dict
        `tool` (null where foldseek is absent), `test`, `same_fold`, `threshold`, `worst` (up to ten pairs), `text`.
    """
    program = binary()
    if program is None:
        return {"tool": None, "test": 0, "same_fold": 0, "threshold": SAME_FOLD, "worst": [], "text": ABSENT}
    names = _write(shards, roles, folder)
    nearest = nearest_folds(_search(program, folder, threads), names)
    tested = sum(role == "test" for role in roles.values())
    same = nearest[nearest.tmscore >= SAME_FOLD]
    text = (
        f"By structure, {len(same)} of {tested} test chains have the fold of a training or validation chain "
        f"(TM-score of {SAME_FOLD} or more by foldseek)."
    )
    worst = nearest.head(WORST).to_dict("records")
    version = _call([program, "version"]).strip()
    return {
        "tool": f"foldseek {version}",
        "test": tested,
        "same_fold": len(same),
        "threshold": SAME_FOLD,
        "worst": worst,
        "text": text,
    }


def nearest_folds(hits: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """The structurally nearest chain of each test chain: `id, nearest, tmscore, lddt, evalue`, the nearest first.

    `hits` are foldseek's, which knows chains by the numbers of their files; `names` are the ids by number.
    """
    numbered = {column: hits[column].map(lambda name: int(NAME.match(name)[1])) for column in ("query", "target")}
    nearest = pd.DataFrame(
        {
            "id": [names[number] for number in numbered["query"]],
            "nearest": [names[number] for number in numbered["target"]],
            "tmscore": hits.qtmscore.astype(float),
            "lddt": hits.lddt.astype(float),
            "evalue": hits.evalue.astype(float),
        }
    )
    ranked = nearest.sort_values(["tmscore", "id", "nearest"], ascending=[False, True, True], ignore_index=True)
    return ranked.drop_duplicates("id", ignore_index=True)


def _write(shards: Iterable[Path], roles: Mapping[str, str], folder: Path) -> list[str]:
    """Write each chain as a PDB file named by its number, `q` for test and `t` for the others; the ids by number."""
    names: list[str] = []
    for part in ("q", "t"):
        (folder / part).mkdir()
    chains = (chain for shard in shards for chain in read_chains(shard) if chain.id in roles)
    for chain in progress(chains, "chains", total=len(roles)):
        part = "q" if roles[chain.id] == "test" else "t"
        backbone(chain).write_pdb(str(folder / part / f"{part}{len(names)}.pdb"))
        names.append(chain.id)
    return names


def backbone(chain: Chain) -> gemmi.Structure:
    """The resolved residues of a chain with their backbone and CB, numbered along its sequence."""
    model, built = gemmi.Model(1), gemmi.Chain("A")
    for number, (letter, atoms) in enumerate(zip(chain.sequence, chain.coordinates, strict=True), start=1):
        residue = gemmi.Residue()
        residue.name = gemmi.expand_one_letter(letter, gemmi.ResidueKind.AA) or "UNK"
        residue.seqid = gemmi.SeqId(str(number % 10_000))
        for name in WRITTEN:
            position = atoms[ATOMS.index(name)]
            if np.isfinite(position).all():
                atom = gemmi.Atom()
                atom.name, atom.element, atom.occ = name, gemmi.Element(name[0]), 1.0
                atom.pos = gemmi.Position(*map(float, position))
                residue.add_atom(atom)
        if len(residue):
            built.add_residue(residue)
    model.add_chain(built)
    structure = gemmi.Structure()
    structure.add_model(model)
    structure.setup_entities()
    return structure


def _search(program: str, folder: Path, threads: int) -> pd.DataFrame:
    columns, out = FORMAT.split(","), folder / "hits.tsv"
    if not any((folder / "q").iterdir()) or not any((folder / "t").iterdir()):
        return pd.DataFrame(columns=columns)
    paths = map(str, (folder / "q", folder / "t", out, folder / "tmp"))
    options = ("--format-output", FORMAT, "-e", "10", "--threads", str(threads))
    _call([program, "easy-search", *paths, *options])
    return pd.read_csv(out, sep="\t", names=columns)


def _call(command: list[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    print(f"{' '.join(command[:2])}: ended with {done.returncode}", file=sys.stderr)
    if done.returncode:
        end = "\n".join(done.stdout.strip().splitlines()[-15:])
        raise FoldgraftError(f"`{' '.join(command)}` ended with {done.returncode}:\n{end}")
    return done.stdout
