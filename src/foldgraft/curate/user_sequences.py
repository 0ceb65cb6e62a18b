"""Sequences that the user supplies for chains whose files declare none.

Decisions
---------
- A sequence is found by the chain's id, else by the entry's, and is used only where the file has no SEQRES of the
  chain.
- The observed residues are placed on it as `foldgraft.curate.alignment` says: by their numbers if they agree so, else
  by an alignment. A residue that the sequence lacks, such as one of a tag, is left out of the chain, and a row of the
  rejects says which, rule `left_out`.
- If more than a tenth of the observed residues disagree with the sequence (another letter, or no place; X disagrees
  with nothing), the chain is a reject that names the identity. Where fewer do, the model's letter stands, as it does
  with SEQRES.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from foldgraft.curate.alignment import agreement, align
from foldgraft.curate.declared import NAMES
from foldgraft.curate.entry import Entry, Polymer
from foldgraft.curate.residue_names import letter
from foldgraft.errors import FoldgraftError
from foldgraft.records.fasta import read_fasta
from foldgraft.records.files import matches

MAX_DISAGREEMENT = 0.1


def supplied_paths(patterns: list[str], data: Path) -> list[Path]:
    """The files that the patterns of `curate.sequences` match, sorted; `FoldgraftError` where one matches none."""
    return [data / path for path in matches(patterns, data, "curate.sequences")]


def read_supplied(paths: Iterable[Path], entries: Iterable[str] | None = None) -> dict[str, str]:
    """The sequences by id; with `entries`, only those of these entries and their chains.

    Raises
    ------
    FoldgraftError
        for a file that is not FASTA, an id that stands twice, or a sequence with gaps.
    """
    wanted = None if entries is None else set(entries)
    found: dict[str, str] = {}
    for path in paths:
        for record in read_fasta(path):
            if wanted is not None and not {record.id, record.id.rpartition("_")[0]} & wanted:
                continue
            if record.id in found:
                raise FoldgraftError(f"curate.sequences: {path} has a second sequence called {record.id}; keep one")
            found[record.id] = record.sequence.upper().rstrip("*")
            if not found[record.id].isalpha():
                raise FoldgraftError(f"curate.sequences: {path} ({record.id}): letters alone, without gaps and stops")
    return found


def check_supplied(patterns: list[str], data: Path) -> None:
    """Check before any job runs that the files of `curate.sequences` exist and can be read, each id once."""
    read_supplied(supplied_paths(patterns, data))


class Supplied(NamedTuple):
    """An entry with the supplied sequences, and what they left out of it."""

    entry: Entry
    disagreeing: list[tuple[Polymer, float]]  # chains dropped, and how much of each agrees
    left_out: list[tuple[Polymer, np.ndarray]]  # residues of the file (K,) of a chain that have no place


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
    found = Supplied(entry, [], [])
    for polymer in entry.polymers:
        sequence = sequences.get(f"{name}_{polymer.strand.label_asym_id}", sequences.get(name))
        if polymer.declared or sequence is None:
            polymers.append(polymer)
            continue
        places, same = np.full(len(polymer.monomers), -1), 1.0
        if len(sequence) <= longest:
            places, same = _placed(polymer, entry, sequence)
        if same < 1 - MAX_DISAGREEMENT:
            found.disagreeing.append((polymer, same))
            continue
        there = places[polymer.places]
        if (there < 0).any() and len(sequence) <= longest:
            found.left_out.append((polymer, polymer.members[there < 0]))
        polymers.append(
            replace(
                polymer,
                monomers=[NAMES.get(one, "UNK") for one in sequence],
                numbers=np.arange(1, len(sequence) + 1),
                members=polymer.members[there >= 0],
                places=there[there >= 0],
            )
        )
    return found._replace(entry=replace(entry, polymers=polymers))


def _placed(polymer: Polymer, entry: Entry, sequence: str) -> tuple[np.ndarray, float]:
    """(L,) the place in the sequence of each monomer of the chain, or -1; and the fraction that agrees."""
    seen = np.array([at for at, monomer in enumerate(polymer.monomers) if monomer])
    observed = "".join(letter(polymer.monomers[at], entry.parents) for at in seen.tolist())
    places = np.full(len(seen), -1)
    if len(seen) * (1 - MAX_DISAGREEMENT) <= len(sequence):  # else too many would have no place
        found = align(observed, np.diff(seen), sequence)
        places = places if found is None else found
    along = np.full(len(polymer.monomers), -1)
    along[seen] = places
    return along, agreement(observed, places, sequence)
