"""Protein chains: which residues of the file are which monomers of which sequence.

Decisions
---------
- Amino acids are known by their names, or by N, CA and C. Which are of a chain, `foldgraft.curate.members` says.
- With SEQRES and label numbers: they are the positions if at least nine tenths of the residues agree with SEQRES there.
  Otherwise, and where there are none, the residues are aligned to SEQRES (`foldgraft.curate.alignment`), and the
  better of the two is taken.
- Residues that SEQRES lacks are put in between or at the ends, and the chain is numbered anew.
- A chain of which less than half of the residues agree with SEQRES then is dropped, rule `seqres`. Alanine and glycine,
  as which side chains are left out, and unknown residues disagree with nothing.
- Without SEQRES, the sequence is read off the coordinates (`foldgraft.curate.no_seqres`).
- A polymer whose declared kind is another than polypeptide(L), or of whose amino acids more than half are of the other
  hand where no kind is declared, is no chain.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from foldgraft.curate import no_seqres
from foldgraft.curate.alignment import agreement, align
from foldgraft.curate.entry import MISSING, Declared, Drop, Polymer, Strand
from foldgraft.curate.members import group_runs, members_of
from foldgraft.curate.model import Model
from foldgraft.curate.residue_names import is_amino_acid, is_mirrored, letter

LABELS_AGREE = 0.9
MIN_AGREEMENT = 0.5
STUBS = "AG"
"""Letters as which residues are built whose side chain is not seen."""

Outcome = tuple[list[Polymer], list[tuple[Strand, Drop]]]


def find_polymers(model: Model, strands: Sequence[Strand], declared: Mapping[int, Declared]) -> Outcome:
    """The protein chains of a file, and the strands that are polymers but no protein chain, with the reason.

    Parameters
    ----------
    model : Model
    strands : sequence of Strand
        which may have no residue
    declared : mapping
        by index of the strand, of those that the file declares
    """
    polymers: list[Polymer] = []
    others: list[tuple[Strand, Drop]] = []
    by_strand = model.by_strand()
    nothing = np.empty(0, dtype=np.int64)
    for index, strand in enumerate(strands):
        residues, known = by_strand.get(index, nothing), declared.get(index)
        outcome = _declared(model, strand, residues, known) if known else _undeclared(model, strand, residues)
        if isinstance(outcome, Drop):
            others.append((strand, outcome))
        elif outcome:
            polymers.append(outcome)
    return polymers, others


def _undeclared(model: Model, strand: Strand, residues: np.ndarray) -> Polymer | Drop | None:
    members = members_of(model, residues[model.amino[residues]])
    if not len(members):
        return None
    names = model.names(members)
    if drop := _other_hand(names):
        return drop
    slots, first = group_runs(model, members)
    jumps = no_seqres.steps(model.residues, model.backbone, members[first])
    monomers, positions = no_seqres.with_gaps([names[k] or "UNK" for k in first.tolist()], jumps)
    return Polymer(strand, monomers, np.arange(1, len(monomers) + 1), members, positions[slots], declared=False)


def _declared(model: Model, strand: Strand, residues: np.ndarray, known: Declared) -> Polymer | Drop:
    if not is_protein(known):
        return Drop("no_protein", known.kind or _kind(known.monomers), "the chain is no L-polypeptide")
    sequence = "".join(letter(name, model.parents) for name in known.monomers)
    labelled = _labelled(model, residues, known, sequence)
    if labelled and labelled.agreement >= LABELS_AGREE and (labelled.positions >= 0).all():
        return _polymer(strand, known, labelled.members, labelled.positions)
    placement = _aligned(model, residues, known, sequence)
    if isinstance(placement, Drop):
        return placement
    if labelled and labelled.agreement >= placement.agreement and (labelled.positions >= 0).all():
        placement = labelled
    if not len(placement.members):
        return _polymer(strand, known, placement.members, placement.positions)
    observed = model.letters(placement.members)
    same = agreement(observed, placement.positions, sequence, alike=STUBS)
    if same < MIN_AGREEMENT:
        reason = f"less than {MIN_AGREEMENT:g} of the model's residues agree with the chain's SEQRES, aligned or not"
        return Drop("seqres", f"{same:.3f}", reason)
    if (placement.positions >= 0).all():
        return _polymer(strand, known, placement.members, placement.positions)
    return _extended(model, strand, known, placement)


class Placement(NamedTuple):
    """Residues of a chain, their positions in its sequence (-1 for none), and the fraction that agree with it."""

    members: np.ndarray  # (K,)
    positions: np.ndarray  # (K,)
    agreement: float


def _labelled(model: Model, residues: np.ndarray, known: Declared, sequence: str) -> Placement | None:
    """The positions that the label numbers say, None where an amino acid of the chain has none."""
    numbers = model.residues.number[residues]
    members, loose = residues[numbers != MISSING], residues[numbers == MISSING]
    if not len(members) or (model.amino[loose] & ~model.residues.hetero[loose]).any():
        return None
    wanted = model.residues.number[members]
    positions = np.minimum(np.searchsorted(known.numbers, wanted), len(sequence) - 1)
    positions = np.where(known.numbers[positions] == wanted, positions, -1)
    same = _same_names(model, members, positions, known) or agreement(model.letters(members), positions, sequence)
    return Placement(members, positions, float(same))


def _aligned(model: Model, residues: np.ndarray, known: Declared, sequence: str) -> Placement | Drop:
    """The positions of the best alignment; no members where the file has none."""
    stated = set(known.monomers)
    named = np.array([model.residues.name[k] in stated for k in residues.tolist()], dtype=bool)
    members = members_of(model, residues[model.amino[residues] | named], stated)
    if not len(members):
        return Placement(members, members, 0.0)
    slots, first = group_runs(model, members)
    observed = model.letters(members[first])
    steps = no_seqres.steps(model.residues, model.backbone, members[first])
    positions = align(observed, steps, sequence, no_seqres.by_number(model.residues, members[first]))
    if positions is None:
        return Drop("seqres", str(len(sequence)), "the chain is too long to be aligned with its SEQRES")
    return Placement(members, positions[slots], agreement(observed, positions, sequence))


def _same_names(model: Model, members: np.ndarray, positions: np.ndarray, known: Declared) -> bool:
    """Whether each residue stands at a number of SEQRES and bears its name."""
    if (positions < 0).any():
        return False
    names, monomers = model.residues.name, known.monomers
    return all(names[k] == monomers[at] for k, at in zip(members.tolist(), positions.tolist(), strict=True))


def _polymer(strand: Strand, known: Declared, members: np.ndarray, positions: np.ndarray) -> Polymer:
    return Polymer(
        strand=strand,
        monomers=known.monomers,
        numbers=known.numbers,
        members=members,
        positions=positions,
        uniprot=known.uniprot,
        organism=known.organism,
        segments=known.segments,
        author=known.author,
    )


def _extended(model: Model, strand: Strand, known: Declared, placement: Placement) -> Polymer:
    """The chain with the residues that SEQRES lacks put in where they stand, numbered anew."""
    slots, first = group_runs(model, placement.members)
    positions = placement.positions[first]
    names = [model.residues.name[k] for k in placement.members[first].tolist()]
    numbers = list(known.author) or [""] * len(known.monomers)
    following = _next_positions(positions, len(known.monomers))
    rows: list[tuple[str, str]] = []
    at, done = np.empty(len(names), dtype=np.int64), 0
    given = list(zip(known.monomers, numbers, strict=True))
    for k, position in enumerate(positions.tolist()):
        until = position if position >= 0 else done or following[k]
        rows += given[done:until]
        done = max(done, until)
        at[k] = len(rows)
        rows.append(given[position] if position >= 0 else (names[k], ""))
        done += position >= 0
    rows += given[done:]
    return replace(
        _polymer(strand, known, placement.members, at[slots]),
        monomers=[name for name, _ in rows],
        numbers=np.arange(1, len(rows) + 1),
        author=[number for _, number in rows],
        extended=True,
    )


def _next_positions(positions: np.ndarray, end: int) -> list[int]:
    following, last = [], end
    for position in positions.tolist()[::-1]:
        last = position if position >= 0 else last
        following.append(last)
    return following[::-1]


def is_protein(known: Declared) -> bool:
    """Whether what is declared is a chain of L-amino acids; by its monomers where the kind is not stated."""
    if known.kind:
        return known.kind.lower() == "polypeptide(l)"
    amino = [name for name in known.monomers if is_amino_acid(name)]
    return len(amino) * 2 > len(known.monomers) and not _other_hand(amino)


def _other_hand(names: Sequence[str]) -> Drop | None:
    counts = Counter(names)
    mirrored = sum(count for name, count in counts.items() if is_mirrored(name))
    if mirrored * 2 > len(names) - counts["GLY"]:
        return Drop("no_protein", "polypeptide(D)", "the chain is no L-polypeptide")
    return None


def _kind(monomers: Sequence[str]) -> str:
    if _other_hand([name for name in monomers if is_amino_acid(name)]):
        return "polypeptide(D)"
    return f"polymer of {', '.join(sorted(set(monomers))[:5])}"
