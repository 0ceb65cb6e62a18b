"""Which residues of a strand are of its polymer, and at which position of it.

Decisions
---------
- All amino acids that are ATOM belong to their chain. A HETATM belongs to it if it is joined to it; if it is a modified
  residue before the chain's TER; or if its number lies between those of the chain and is free. Any other is a ligand.
- A HETATM behind its TER, or out of order, goes behind the residue to which it is bound, else to its number.
"""

from collections.abc import Collection

import numpy as np

from foldgraft.curate import no_seqres
from foldgraft.curate.entry import MISSING
from foldgraft.curate.model import Model
from foldgraft.residues import THREE_TO_ONE


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


def group_runs(model: Model, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
