"""Protein chains: which residues of the file are which monomers of which sequence.

Decisions
---------
- Amino acids are known by their names, or by N, CA and C.
- All amino acids that are ATOM belong to their chain. A HETATM belongs to it if it is joined to it; if it is a modified
  residue before the chain's TER; or if its number lies between those of the chain and is free. Any other is a ligand.
- With SEQRES and label numbers: they are the places if at least nine tenths of the residues agree with SEQRES there.
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
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from foldgraft.curate import no_seqres
from foldgraft.curate.alignment import agreement, align
from foldgraft.curate.entry import MISSING, Atoms, Declared, Drop, Polymer, Residues, Strand
from foldgraft.curate.residue_names import amino_acids, is_amino_acid, is_mirrored, letter
from foldgraft.residues import THREE_TO_ONE

LABELS_AGREE = 0.9
MIN_AGREEMENT = 0.5
STUBS = "AG"
"""Letters as which residues are built whose side chain is not seen."""

Outcome = tuple[list[Polymer], list[tuple[Strand, Drop]]]


class Model:
    """The residues of a file with what the rules above ask of them."""

    def __init__(self, atoms: Atoms, residues: Residues, parents: Mapping[str, str]):
        self.atoms, self.residues, self.parents = atoms, residues, parents
        self.backbone = backbone(atoms, len(residues))
        self.named = amino_acids(residues.name, parents)
        self.amino = self.named | np.isfinite(self.backbone[:, :, 0]).all(axis=0)

    def names(self, members: np.ndarray) -> list[str]:
        low, high = int(members[0]), int(members[-1]) + 1
        if high - low == len(members) and (members[1:] > members[:-1]).all():
            return self.residues.name[low:high]
        return [self.residues.name[k] for k in members.tolist()]

    def letters(self, members: np.ndarray) -> str:
        return "".join(letter(self.residues.name[k], self.parents) for k in members.tolist())

    def signature(self, residue: int) -> frozenset[tuple[int, bytes]]:
        """The kinds and alternate locations of a residue's heavy atoms that may have a place."""
        part = slice(*self.residues.start[residue : residue + 2].tolist())
        return signature(self.atoms, part)

    def by_strand(self) -> dict[int, np.ndarray]:
        """The residues of each strand, in the order of the file."""
        strand = self.residues.strand
        if not len(strand):
            return {}
        edges = np.flatnonzero(strand[1:] != strand[:-1]) + 1
        if not len(edges):
            return {int(strand[0]): np.arange(len(strand))}
        runs: dict[int, list[np.ndarray]] = {}
        for start, stop in zip([0, *edges.tolist()], [*edges.tolist(), len(strand)], strict=True):
            runs.setdefault(int(strand[start]), []).append(np.arange(start, stop))
        return {key: parts[0] if len(parts) == 1 else np.concatenate(parts) for key, parts in runs.items()}


def signature(atoms: Atoms, part: slice) -> frozenset[tuple[int, bytes]]:
    """The kinds and alternate locations of the atoms of a residue, of those that may have a place."""
    both = zip(atoms.kind[part].tolist(), atoms.altloc[part].tolist(), strict=True)
    return frozenset((kind, altloc) for kind, altloc in both if kind >= 0)


def backbone(atoms: Atoms, count: int) -> np.ndarray:
    """(3, R, 3) N, CA and C of each residue, the first of each name, angstrom; NaN where there is none."""
    points = np.full((3, count, 3), np.nan)
    at = np.flatnonzero((atoms.kind >= 0) & (atoms.kind <= 2))[::-1]  # N, CA and C are the first kinds
    points[atoms.kind[at], atoms.residue[at]] = atoms.position[at]
    return points


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
        found = _declared(model, strand, residues, known) if known else _undeclared(model, strand, residues)
        if isinstance(found, Drop):
            others.append((strand, found))
        elif found:
            polymers.append(found)
    return polymers, others


def _undeclared(model: Model, strand: Strand, residues: np.ndarray) -> Polymer | Drop | None:
    members = members_of(model, residues[model.amino[residues]])
    if not len(members):
        return None
    names = model.names(members)
    if drop := _other_hand(names):
        return drop
    slots, first = positions(model, members)
    jumps = no_seqres.steps(model.residues, model.backbone, members[first])
    monomers, places = no_seqres.with_gaps([names[k] or "UNK" for k in first.tolist()], jumps)
    return Polymer(strand, monomers, np.arange(1, len(monomers) + 1), members, places[slots], declared=False)


def _declared(model: Model, strand: Strand, residues: np.ndarray, known: Declared) -> Polymer | Drop:
    if not is_protein(known):
        return Drop("no_protein", known.kind or _kind(known.monomers), "the chain is no L-polypeptide")
    sequence = "".join(letter(name, model.parents) for name in known.monomers)
    labelled = _labelled(model, residues, known, sequence)
    if labelled and labelled.agreement >= LABELS_AGREE and (labelled.places >= 0).all():
        return _polymer(strand, known, labelled.members, labelled.places)
    placement = _aligned(model, residues, known, sequence)
    if isinstance(placement, Drop):
        return placement
    if labelled and labelled.agreement >= placement.agreement and (labelled.places >= 0).all():
        placement = labelled
    if not len(placement.members):
        return _polymer(strand, known, placement.members, placement.places)
    observed = model.letters(placement.members)
    same = agreement(observed, placement.places, sequence, alike=STUBS)
    if same < MIN_AGREEMENT:
        reason = f"less than {MIN_AGREEMENT:g} of the model's residues agree with the chain's SEQRES, aligned or not"
        return Drop("seqres", f"{same:.3f}", reason)
    if (placement.places >= 0).all():
        return _polymer(strand, known, placement.members, placement.places)
    return _extended(model, strand, known, placement)


class Placement(NamedTuple):
    """Residues of a chain, their places in its sequence (-1 for none), and the fraction that agree with it."""

    members: np.ndarray  # (K,)
    places: np.ndarray  # (K,)
    agreement: float


def _labelled(model: Model, residues: np.ndarray, known: Declared, sequence: str) -> Placement | None:
    """The places that the label numbers say, None where an amino acid of the chain has none."""
    numbers = model.residues.number[residues]
    members, loose = residues[numbers != MISSING], residues[numbers == MISSING]
    if not len(members) or (model.amino[loose] & ~model.residues.hetero[loose]).any():
        return None
    wanted = model.residues.number[members]
    places = np.minimum(np.searchsorted(known.numbers, wanted), len(sequence) - 1)
    places = np.where(known.numbers[places] == wanted, places, -1)
    same = _same_names(model, members, places, known) or agreement(model.letters(members), places, sequence)
    return Placement(members, places, float(same))


def _aligned(model: Model, residues: np.ndarray, known: Declared, sequence: str) -> Placement | Drop:
    """The places of the best alignment; no members where the file has none."""
    stated = set(known.monomers)
    named = np.array([model.residues.name[k] in stated for k in residues.tolist()], dtype=bool)
    members = members_of(model, residues[model.amino[residues] | named], stated)
    if not len(members):
        return Placement(members, members, 0.0)
    slots, first = positions(model, members)
    observed = model.letters(members[first])
    steps = no_seqres.steps(model.residues, model.backbone, members[first])
    places = align(observed, steps, sequence, no_seqres.by_number(model.residues, members[first]))
    if places is None:
        return Drop("seqres", str(len(sequence)), "the chain is too long to be aligned with its SEQRES")
    return Placement(members, places[slots], agreement(observed, places, sequence))


def _same_names(model: Model, members: np.ndarray, places: np.ndarray, known: Declared) -> bool:
    """Whether each residue stands at a number of SEQRES and bears its name."""
    if (places < 0).any():
        return False
    names, monomers = model.residues.name, known.monomers
    return all(names[k] == monomers[at] for k, at in zip(members.tolist(), places.tolist(), strict=True))


def _polymer(strand: Strand, known: Declared, members: np.ndarray, places: np.ndarray) -> Polymer:
    return Polymer(
        strand=strand,
        monomers=known.monomers,
        numbers=known.numbers,
        members=members,
        places=places,
        uniprot=known.uniprot,
        organism=known.organism,
        segments=known.segments,
        author=known.author,
    )


def _extended(model: Model, strand: Strand, known: Declared, placement: Placement) -> Polymer:
    """The chain with the residues that SEQRES lacks put in where they stand, numbered anew."""
    slots, first = positions(model, placement.members)
    places = placement.places[first]
    names = [model.residues.name[k] for k in placement.members[first].tolist()]
    numbers = list(known.author) or [""] * len(known.monomers)
    following = _next_places(places, len(known.monomers))
    rows: list[tuple[str, str]] = []
    at, done = np.empty(len(names), dtype=np.int64), 0
    given = list(zip(known.monomers, numbers, strict=True))
    for k, place in enumerate(places.tolist()):
        until = place if place >= 0 else done or following[k]
        rows += given[done:until]
        done = max(done, until)
        at[k] = len(rows)
        rows.append(given[place] if place >= 0 else (names[k], ""))
        done += place >= 0
    rows += given[done:]
    return replace(
        _polymer(strand, known, placement.members, at[slots]),
        monomers=[name for name, _ in rows],
        numbers=np.arange(1, len(rows) + 1),
        author=[number for _, number in rows],
        extended=True,
    )


def _next_places(places: np.ndarray, end: int) -> list[int]:
    following, last = [], end
    for place in places.tolist()[::-1]:
        last = place if place >= 0 else last
        following.append(last)
    return following[::-1]


def members_of(model: Model, candidates: np.ndarray, stated: Collection[str] = ()) -> np.ndarray:
    """Those of the candidates (K,), residues of one strand, that are of its polymer, in the order of the chain.

    Names that SEQRES has (`stated`) are of the polymer as modified residues are.
    """
    hetero = model.residues.hetero[candidates]
    if not hetero.any():
        return candidates
    core, guests = candidates[~hetero], candidates[hetero]
    if not len(core):
        return candidates[[_linked(model, k, candidates) for k in candidates.tolist()]]
    chosen = set(core.tolist())
    pending = [k for k in guests.tolist() if not _belongs(model, k, core, stated)]
    chosen |= set(guests.tolist()) - set(pending)
    grown = True
    while grown and pending:
        members = np.array(sorted(chosen))
        linked = {k for k in pending if _linked(model, k, members)}
        chosen |= linked
        pending = [k for k in pending if k not in linked]
        grown = bool(linked)
    return _in_order(model, core, [k for k in guests.tolist() if k in chosen])


def _linked(model: Model, residue: int, members: np.ndarray) -> bool:
    here = np.full(len(members), residue)
    others = members != residue
    links = no_seqres.joined(model.backbone, here, members) | no_seqres.joined(model.backbone, members, here)
    return bool((links & others).any())


def _belongs(model: Model, residue: int, core: np.ndarray, stated: Collection[str]) -> bool:
    """Whether a HETATM is of the chain by its name or number, however far it lies."""
    residues = model.residues
    name = residues.name[residue]
    modified = name not in THREE_TO_ONE and (bool(model.named[residue]) or name in stated)
    if modified and not residues.late[residue]:
        return True
    numbers, number = residues.author_number[core], residues.author_number[residue]
    return modified and number != MISSING and bool(numbers.min() < number < numbers.max()) and number not in numbers


def _in_order(model: Model, core: np.ndarray, guests: list[int]) -> np.ndarray:
    """The residues of a chain in its order: that of the file, but guests that are out of order go where they fit."""
    order = core.tolist()
    numbers = model.residues.author_number
    for guest in guests:
        spot = int(np.searchsorted(order, guest)) if order == sorted(order) else len(order)
        before, after = order[spot - 1] if spot else None, order[spot] if spot < len(order) else None
        fits = before is None or numbers[before] <= numbers[guest]
        fits &= after is None or numbers[guest] <= numbers[after]
        if not fits or model.residues.late[guest]:
            spot = _spot(model, order, guest)
        order.insert(spot, guest)
    return np.array(order, dtype=np.int64)


def _spot(model: Model, order: list[int], guest: int) -> int:
    """Where a residue goes: behind the one whose C it is bound to, else before the first with a higher number."""
    members, here = np.array(order), np.full(len(order), guest)
    bound = no_seqres.near(model.backbone[no_seqres.C, members], model.backbone[no_seqres.N, here], no_seqres.BOND)
    if bound.any():
        return int(np.flatnonzero(bound)[0]) + 1
    higher = np.flatnonzero(model.residues.author_number[members] > model.residues.author_number[guest])
    return int(higher[0]) if len(higher) else len(order)


def positions(model: Model, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which position of the chain each of its residue runs (K,) is at, and the first run of each position.

    Runs with one number are one position, unless they hold the same atoms.
    """
    residues = model.residues
    numbers = residues.author_number[members]
    if (numbers[1:] > numbers[:-1]).all():
        both = np.arange(len(members))
        return both, both
    keys: list = [residues.author[k] or k for k in members.tolist()]
    if (numbers := residues.number[members]).max(initial=MISSING) != MISSING:
        keys = [
            key if number == MISSING else (key if isinstance(key, str) else "", number)
            for key, number in zip(keys, numbers.tolist(), strict=True)
        ]
    if len(set(keys)) == len(keys):
        both = np.arange(len(members))
        return both, both
    slots, first, taken = [], [], {}
    for at, (member, key) in enumerate(zip(members.tolist(), keys, strict=True)):
        atoms = model.signature(member)
        if key not in taken or taken[key][1] & atoms:
            taken[key] = len(first), set()
            first.append(at)
        taken[key][1].update(atoms)
        slots.append(taken[key][0])
    return np.array(slots), np.array(first)


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
