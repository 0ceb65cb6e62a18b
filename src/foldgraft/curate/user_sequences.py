"""Sequences that the user supplies for chains whose files declare none.

Decisions
---------
- A sequence is found by the chain's id, else by the entry's, and is used only where the file has no SEQRES of the
  chain.
- The observed residues are placed on it in order by the best-scoring alignment. Between residues that are joined in
  the model, skipping residues of the sequence is costly; at a break it costs nothing, and the skip that the author's
  numbers call for is preferred. A residue that the sequence lacks, such as one of a tag, is left out of the chain.
- If more than a tenth of the observed residues disagree with the sequence (another letter, or no place; X disagrees
  with nothing), the chain is a reject that names the identity. Where fewer do, the model's letter stands, as it does
  with SEQRES.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from foldgraft.curate.entry import Entry, Polymer
from foldgraft.curate.residue_names import LETTERS, letter
from foldgraft.errors import FoldgraftError
from foldgraft.records.fasta import read_fasta
from foldgraft.records.files import matches

MAX_DISAGREEMENT = 0.1
MATCH, MISMATCH, LEFT_OUT, TORN, NUMBERED = 2, -2, -3, -6, 1
"""Scores: the same letter; another; a residue without a place; joined residues placed apart; a break as wide as the
numbers say."""
NAMES = {one: three for three, one in LETTERS.items()}


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


def with_supplied(
    name: str, entry: Entry, sequences: Mapping[str, str], longest: int
) -> tuple[Entry, dict[str, float]]:
    """An entry with supplied sequences in place of those that were read off the coordinates, where there are some.

    Parameters
    ----------
    name : str
        id of the entry
    sequences : mapping
        by id of chain or entry
    longest : int
        residues; a longer sequence is not aligned, as its chain will be dropped

    Returns
    -------
    entry : Entry
        its atoms numbered along the supplied sequences, without the chains that disagree with theirs
    disagreeing : dict
        identity of each of those by label_asym_id
    """
    members = entry.atoms.by_asym() if sequences else {}
    number = entry.atoms.number.copy() if sequences else entry.atoms.number
    polymers, disagreeing = [], {}
    for polymer in entry.polymers:
        sequence = sequences.get(f"{name}_{polymer.label_asym_id}", sequences.get(name))
        if polymer.declared or sequence is None:
            polymers.append(polymer)
            continue
        places, same = np.full(len(polymer.monomers) + 1, -1), 1.0
        if len(sequence) <= longest:
            places, same = _placed(polymer, entry.parents, sequence)
        if same < 1 - MAX_DISAGREEMENT:
            disagreeing[polymer.label_asym_id] = same
            continue
        mine = members[polymer.label_asym_id.encode("latin-1", "replace")]
        number[mine] = places[np.maximum(number[mine], 0)]
        numbers = np.arange(1, len(sequence) + 1)
        monomers = [NAMES.get(one, "UNK") for one in sequence]
        polymers.append(replace(polymer, monomers=monomers, numbers=numbers))
    return replace(entry, atoms=replace(entry.atoms, number=number), polymers=polymers), disagreeing


def _placed(polymer: Polymer, parents: dict[str, str], sequence: str) -> tuple[np.ndarray, float]:
    """(L + 1,) number along the sequence, from 1, of the residue with each number 0 to L, or -1; and the identity."""
    seen = np.array([at for at, monomer in enumerate(polymer.monomers) if monomer])
    observed = "".join(letter(polymer.monomers[at], parents) for at in seen.tolist())
    places = np.full(len(seen), -1)
    if len(seen) * (1 - MAX_DISAGREEMENT) <= len(sequence):  # else too many would have no place
        places = align(observed, np.diff(seen), sequence)
    numbers = np.full(len(polymer.monomers) + 1, -1)
    numbers[seen + 1] = np.where(places >= 0, places + 1, -1)
    return numbers, identity(observed, places, sequence)


def identity(observed: str, places: np.ndarray, sequence: str) -> float:
    """Fraction of the observed residues (n letters) that have their own letter at their places (n,) in the sequence."""
    pairs = [(one, sequence[at] if at >= 0 else "-") for one, at in zip(observed, places.tolist(), strict=True)]
    known = [one == two for one, two in pairs if one != "X" and two != "X"]
    return sum(known) / len(known) if known else 0.0


def align(observed: str, steps: np.ndarray, sequence: str) -> np.ndarray:
    """Place observed residues on a sequence, in order, with the highest score.

    Parameters
    ----------
    observed : str of n letters
    steps : (n - 1,) int
        from each residue to the next: 1 if they are joined, else how much further the numbers say that it lies
    sequence : str of m letters

    Returns
    -------
    (n,) int64, positions in the sequence from 0, ascending; -1 for residues left out.

    One row of dynamic programming per residue; `score[k]` is the best with the last placed residue at k - 1, `score[0]`
    with none placed yet. O(n m) time and memory.
    """
    letters, mine = (np.frombuffer(text.encode(), dtype=np.uint8) for text in (sequence, observed))
    unknown = ord("X")
    score = np.full(len(letters) + 1, -np.inf)
    score[0] = 0.0
    before = np.empty((len(mine), len(score)), dtype=np.int32)
    itself = np.arange(len(score), dtype=np.int32)
    for row, (one, step) in enumerate(zip(mine.tolist(), [1, *steps.tolist()], strict=True)):
        here = np.where(letters == one, MATCH, MISMATCH) * ((letters != unknown) & (one != unknown))
        reach, came = _highest_before(score)
        if step == 1:
            reach = np.where(came > 0, reach + TORN, reach)
        shift = min(step - 1, len(letters))
        near = np.full(len(letters), -np.inf)
        near[shift:] = score[: len(letters) - shift]
        near[shift + 1 :] += NUMBERED if step > 1 else 0
        placed = np.maximum(near, reach) + here
        came = np.where(near >= reach, itself[:-1] - shift, came)
        score = score + LEFT_OUT
        better = placed > score[1:]
        score[1:][better] = placed[better]
        before[row] = itself
        before[row, 1:][better] = came[better]
    return _traced(before, int(score.argmax()))


def _highest_before(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each position the highest score of those before it, and where it stands; of equals the nearest."""
    highest = np.maximum.accumulate(score)[:-1]
    at = np.maximum.accumulate(np.where(score[:-1] >= highest, np.arange(len(highest)), 0))
    return highest, at


def _traced(before: np.ndarray, at: int) -> np.ndarray:
    places = np.full(len(before), -1, dtype=np.int64)
    for row in range(len(before) - 1, -1, -1):
        came = int(before[row, at])
        places[row] = at - 1 if came != at else -1
        at = came
    return places
