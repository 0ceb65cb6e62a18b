"""Sequences that the user supplies for chains whose files declare none.

Decisions
---------
- A sequence is found by the chain's id, else by the entry's, and is used only where the file has no SEQRES of the
  chain.
- The observed residues are placed on it as `foldgraft.curate.alignment` says: by their numbers if they agree so, else
  by an alignment. A residue that the sequence lacks, such as one of a tag, is left out of the chain, and a row of the
  rejects says which, rule `left_out`.
- If more than a tenth of the observed residues disagree with the sequence (another letter, or no position; X disagrees
  with nothing), the chain is a reject that names the identity. Where fewer do, the model's letter stands, as it does
  with SEQRES.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from foldgraft.curate.alignment import agreement, align
from foldgraft.curate.declared import NAMES
from foldgraft.curate.entry import Entry, Polymer
from foldgraft.curate.residue_names import letter

MAX_DISAGREEMENT = 0.1


class Supplied(NamedTuple):
    """An entry with the supplied sequences, and what they left out of it."""

    entry: Entry
    disagreeing: list[tuple[Polymer, float]]  # chains dropped, and how much of each agrees
    left_out: list[tuple[Polymer, np.ndarray]]  # residues of the file (K,) of a chain that have no position


def with_supplied(name: str, entry: Entry, sequences: Mapping[str, str], longest: int) -> Supplied:
    """Put supplied sequences in place of those that were read off the coordinates, where there are some.

    Parameters
    ----------
    name : str
        id of the entry
    sequences : mapping
        by id of chain or entry
    longest : int
        residues; a longer sequence is not aligned, as its chain will be dropped
    """
    polymers: list[Polymer] = []
    supplied = Supplied(entry, [], [])
    for polymer in entry.polymers:
        sequence = sequences.get(f"{name}_{polymer.strand.label_asym_id}", sequences.get(name))
        if polymer.declared or sequence is None:
            polymers.append(polymer)
            continue
        positions, same = np.full(len(polymer.monomers), -1), 1.0
        if len(sequence) <= longest:
            positions, same = _placed(polymer, entry, sequence)
        if same < 1 - MAX_DISAGREEMENT:
            supplied.disagreeing.append((polymer, same))
            continue
        position_of = positions[polymer.positions]
        if (position_of < 0).any() and len(sequence) <= longest:
            supplied.left_out.append((polymer, polymer.members[position_of < 0]))
        polymers.append(
            replace(
                polymer,
                monomers=[NAMES.get(one, "UNK") for one in sequence],
                numbers=np.arange(1, len(sequence) + 1),
                members=polymer.members[position_of >= 0],
                positions=position_of[position_of >= 0],
            )
        )
    return supplied._replace(entry=replace(entry, polymers=polymers))


def _placed(polymer: Polymer, entry: Entry, sequence: str) -> tuple[np.ndarray, float]:
    """(L,) the position in the sequence of each monomer of the chain, or -1; and the fraction that agrees."""
    seen = np.array([at for at, monomer in enumerate(polymer.monomers) if monomer])
    observed = "".join(letter(polymer.monomers[at], entry.parents) for at in seen.tolist())
    positions = np.full(len(seen), -1)
    if len(seen) * (1 - MAX_DISAGREEMENT) <= len(sequence):  # else too many would have no position
        aligned = align(observed, np.diff(seen), sequence)
        positions = positions if aligned is None else aligned
    along = np.full(len(polymer.monomers), -1)
    along[seen] = positions
    return along, agreement(observed, positions, sequence)
