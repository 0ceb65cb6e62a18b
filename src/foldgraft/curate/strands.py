"""Which molecule each residue of a file belongs to, where its chain names do not tell.

Decisions
---------
- A chain name of its own is one molecule, whatever TER records stand within, as they also mark gaps.
- A blank name is as many molecules as segments and TER records tell apart.
- A name whose residue numbers start again (another residue with the same number and the same atoms), or whose segment
  changes, is several molecules. They are cut apart where the segment or the numbering breaks off.
- The first molecule keeps the name, the next are `A-2`, `A-3`. A blank name is that of the segment, if another chain
  does not bear it, else the first free letter.
"""

from collections.abc import Iterable, Mapping, Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple

import numpy as np

from foldgraft.curate.entry import Strand
from foldgraft.curate.model import signature
from foldgraft.curate.pdb_atoms import PdbModel
from foldgraft.curate.residue_names import amino_acids
from foldgraft.records.files import ID

LETTERS = ascii_uppercase + ascii_lowercase


class Site(NamedTuple):
    """What tells a residue from another of its chain."""

    author: str
    number: int
    segment: str
    ter: int
    atoms: frozenset[tuple[int, bytes]]  # kind and alternate location


def molecules(sites: Sequence[Site], blank: bool) -> list[int]:
    """The molecule, from 0, of each amino acid residue of one chain name, in the order of the file."""
    pieces: list[list[Site]] = []
    owner: list[int] = []
    for site in sites:
        last = pieces[-1][-1] if pieces else None
        if last is None or _breaks(last, site):
            pieces.append([])
        pieces[-1].append(site)
        owner.append(len(pieces) - 1)
    molecule: list[int] = []
    used: dict[str, Site] = {}
    for before, piece in zip([None, *pieces], pieces, strict=False):
        apart = before is not None and _apart(before[-1], piece[0], blank)
        if apart or any(site.author in used and used[site.author].atoms & site.atoms for site in piece):
            used = {}
        molecule.append((molecule[-1] if molecule else 0) + (1 if before is not None and not used else 0))
        for site in piece:
            used[site.author] = _merged(used.get(site.author), site)
    return [molecule[piece] for piece in owner]


def _breaks(last: Site, site: Site) -> bool:
    again = site.author == last.author and bool(site.atoms & last.atoms)
    return last.segment != site.segment or last.ter != site.ter or site.number < last.number or again


def _apart(last: Site, site: Site, blank: bool) -> bool:
    return last.segment != site.segment or (blank and last.ter != site.ter)


def _merged(one: Site | None, two: Site) -> Site:
    return two if one is None else two._replace(atoms=one.atoms | two.atoms)


def names(chain: str, segments: Sequence[str], taken: set[str]) -> list[str]:
    """A name for each molecule of a chain name, its segment given; names are added to those taken."""
    chosen = [chain] if chain else []
    copies: dict[str, int] = {}
    for segment in segments[len(chosen) :]:
        base = chain or (segment if ID.fullmatch(segment) else "")
        wanted = [base] if base not in taken else []
        wanted = wanted if base else [letter for letter in LETTERS if letter not in taken]
        name, base = wanted[0] if wanted else "", base or LETTERS[0]
        while not name or name in taken:
            copies[base] = copies.get(base, 1) + 1
            name = f"{base}-{copies[base]}"
        chosen.append(name)
        taken.add(name)
    return chosen


def pdb_strands(
    pdb: PdbModel, declared: Iterable[str], parents: Mapping[str, str]
) -> tuple[list[Strand], np.ndarray, np.ndarray]:
    """The molecules of a PDB file, those that SEQRES alone names at the end.

    Returns
    -------
    strands : list of Strand
    which : (R,) int64, the strand of each residue
    late : (R,) bool, whether it stands behind the TER of its strand
    """
    chain, residues = pdb.residues.chain, pdb.residues
    listed = list(dict.fromkeys(chain))
    taken = {name for name in (*listed, *declared) if name}
    plain = len(listed) == 1 and bool((residues.number[1:] > residues.number[:-1]).all())
    repeated = not plain and len(set(zip(chain, residues.author, strict=True))) < len(chain)
    if repeated or "" in listed or len(set(residues.segment)) > 1:
        strands, which = _cut(pdb, listed, parents, taken)
    else:
        strands = [Strand(name, name) for name in listed]
        order = {name: at for at, name in enumerate(listed)}
        which = np.zeros(len(chain), dtype=np.int64)
        if len(listed) > 1:
            which[:] = [order[name] for name in chain]
    for name in declared:
        if name not in listed:
            strands.append(Strand(name or names("", [""], taken)[0], name))
    return strands, which, _late(residues.ters, residues.hetero, which)


def _cut(
    pdb: PdbModel, listed: list[str], parents: Mapping[str, str], taken: set[str]
) -> tuple[list[Strand], np.ndarray]:
    residues, amino = pdb.residues, amino_acids(pdb.residues.name, parents)
    strands: list[Strand] = []
    which = np.empty(len(residues.chain), dtype=np.int64)
    for name in listed:
        rows = [k for k, chain in enumerate(residues.chain) if chain == name]
        polymer = [k for k in rows if amino[k] and not residues.hetero[k]] or [k for k in rows if amino[k]]
        molecule = molecules([_site(pdb, k) for k in polymer], not name)
        segments = [residues.segment[polymer[molecule.index(k)]] for k in sorted(set(molecule))]
        chosen = names(name, segments or [""], taken)
        before = np.maximum(np.searchsorted(polymer, rows, side="right") - 1, 0)  # others go with what stands before
        which[rows] = len(strands) + np.array(molecule or [0], dtype=np.int64)[before]
        strands += [Strand(one, name) for one in chosen]
    return strands, which


def _site(pdb: PdbModel, k: int) -> Site:
    residues, part = pdb.residues, slice(*pdb.residues.start[k : k + 2].tolist())
    atoms = signature(pdb.atoms, part)
    return Site(residues.author[k], int(residues.number[k]), residues.segment[k], int(residues.ters[k]), atoms)


def _late(ters: np.ndarray, hetero: np.ndarray, which: np.ndarray) -> np.ndarray:
    if not ters[-1]:
        return np.zeros(len(ters), dtype=bool)
    last = np.full(int(which.max()) + 1, ters[-1])
    for strand in range(len(last)):
        body = ters[(which == strand) & ~hetero]
        last[strand] = body.max() if len(body) else ters[-1]
    return ters > last[which]
