"""Which chains an alignment serves: some row of it must be the chain, but for a stated tolerance.

Rows and chains that share stretches of five residues are compared by pairwise alignment (Biopython's `PairwiseAligner`,
local, BLOSUM62, gaps 11 and 1), so a mutation, an unknown residue, a tag or a missing end costs no alignment.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from Bio.Align import PairwiseAligner, substitution_matrices

from foldgraft.evolution.a3m import CODES, GAP, encode
from foldgraft.evolution.columns import Alignment

SEED = 5  # residues of a stretch
POWERS = GAP ** np.arange(SEED, dtype=np.int64)
TRIED = 3  # rows with the most stretches in common that are aligned with a chain
HITS_AT_ONCE = 4_000_000
SHORTEST = 20  # aligned residues; shorter stretches occur in strangers, so they count only for a whole first row
FRAYED = 3  # residues at an end that a local alignment leaves out after a mutation close to it
MAX_CELLS = 400_000_000  # of the table of a pairwise alignment, a byte each


@dataclass(frozen=True)
class Fit:
    """How a chain lies on an alignment.

    Attributes
    ----------
    row : number of the row that stands for the chain
    columns : (L,) int, the column of each residue, -1 for a residue without one
    identical, known : aligned residues that are the same, and that are known on both sides
    shorter : residues of the shorter of row and chain
    """

    row: int
    columns: np.ndarray
    identical: int
    known: int
    shorter: int

    @property
    def aligned(self) -> int:
        return int((self.columns >= 0).sum())

    @property
    def identity(self) -> float:
        return self.identical / self.known if self.known else 0.0

    @property
    def coverage(self) -> float:
        """Fraction of the shorter of row and chain."""
        return self.aligned / self.shorter

    def why_not(self, identity: float, coverage: float) -> str:
        """Why the fit is not good enough, in words; empty if it is."""
        if self.identity < identity:
            return f"{self.identity:.0%} identical, less than {identity:.0%}"
        if self.coverage < coverage:
            return f"{self.coverage:.0%} of the shorter one aligned, less than {coverage:.0%}"
        if self.aligned < SHORTEST and (self.row or self.aligned < self.shorter):
            return f"{self.aligned} residues aligned, fewer than {SHORTEST}"
        return ""


class Chains:
    """Sequences that wait for alignments, by name, indexed by their stretches."""

    def __init__(self, sequences: Mapping[str, str]):
        self.names = list(sequences)
        self.sequences = list(sequences.values())
        codes = [_codes(text) for text in self.sequences]
        hashes = [np.unique(_hashes(code)) for code in codes]
        owner = np.repeat(np.arange(len(hashes)), [len(h) for h in hashes])
        flat = np.concatenate([np.zeros(0, np.int64), *hashes])
        self._owners = owner[np.argsort(flat, kind="stable")]
        self._counts = np.bincount(flat, minlength=GAP**SEED)
        self._starts = np.cumsum(self._counts) - self._counts
        self._lengths = np.array([len(text) for text in self.sequences], dtype=np.int64)

    def alike(self, alignment: Alignment, least: float) -> dict[int, list[int]]:
        """Chains that share enough stretches with a row, and the numbers of the rows that share the most.

        Parameters
        ----------
        least : float
            expected fraction of the shorter one's stretches that a fitting row shares; a quarter of it is asked for.
        """
        codes = encode(alignment.candidates)
        lengths = (codes != GAP).sum(axis=1)
        best: dict[int, list[tuple[int, int]]] = {}
        for rows, stretches in _stretches(codes, self._counts):
            starts, counts = self._starts[stretches], self._counts[stretches]
            within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            chains = self._owners[np.repeat(starts, counts) + within]
            pairs, shared = np.unique(np.repeat(rows, counts) * len(self.names) + chains, return_counts=True)
            row, chain = np.divmod(pairs, len(self.names))
            size = np.minimum(lengths[row], self._lengths[chain])
            enough = shared >= np.maximum(np.where(size < SHORTEST, 1, 2), 0.25 * least * size)
            for k in np.flatnonzero(enough):
                rivals = best.setdefault(int(chain[k]), [])
                rivals.append((-int(shared[k]), int(row[k])))
                rivals.sort()
                del rivals[TRIED:]
        return {chain: sorted(row for _, row in rivals) for chain, rivals in sorted(best.items())}


def fits(alignment: Alignment, chains: Chains, identity: float, coverage: float) -> dict[str, Fit]:
    """The best fit of each chain that resembles a row, good enough or not: the one with the most identical residues.

    Parameters
    ----------
    identity, coverage : float
        the tolerance that the user chose; much poorer fits need not be found.
    """
    best = {}
    rows = alignment.candidates
    for chain, numbers in chains.alike(alignment, identity**SEED * coverage).items():
        sequence = chains.sequences[chain]
        tried = [fit for number in numbers if (fit := fit_by_row(rows[number].text, number, sequence))]
        if tried:
            best[chains.names[chain]] = max(tried, key=lambda fit: (fit.identical, -fit.row))
    return best


def fit_by_row(text: str, number: int, sequence: str) -> Fit | None:
    """Lay a chain on an alignment by a row of it (A3M text); None if nothing of them aligns, or both are too long."""
    column_of_letter = np.cumsum([not letter.islower() for letter in text]) - 1
    letters = np.array([k for k, letter in enumerate(text) if letter != "-"])
    row = text.replace("-", "")
    columns = np.where([letter.islower() for letter in row], -1, column_of_letter[letters])
    row = row.upper()
    pairs = _paired(row, sequence)
    if pairs is None:
        return None
    left, right = pairs
    a, b = _codes(row)[left], _codes(sequence)[right]
    known = (a != GAP) & (b != GAP)
    placed = np.full(len(sequence), -1)
    placed[right] = columns[left]
    return Fit(number, placed, int((known & (a == b)).sum()), int(known.sum()), min(len(row), len(sequence)))


def _paired(row: str, sequence: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Indices of aligned residues of a row and a chain."""
    if row in sequence or sequence in row:
        size = min(len(row), len(sequence))
        return np.arange(size) + max(row.find(sequence), 0), np.arange(size) + max(sequence.find(row), 0)
    if len(row) * len(sequence) > MAX_CELLS:
        return None
    alphabet = _aligner().substitution_matrix.alphabet
    a, b = ("".join(letter if letter in alphabet else "X" for letter in text) for text in (row, sequence))
    alignment = next(iter(_aligner().align(a, b)), None)
    if alignment is None:
        return None
    blocks = np.stack(alignment.aligned, axis=-1)  # (blocks, begin and end, row and chain)
    blocks[0, 0] -= _fraying(blocks[0, 0])
    blocks[-1, 1] += _fraying(np.array([len(row), len(sequence)]) - blocks[-1, 1])
    left, right = (np.concatenate([np.arange(*block) for block in blocks[:, :, side]]) for side in (0, 1))
    return left, right


def _fraying(room: np.ndarray) -> int:
    """Residues by which an end is taken on: all that there are if they are few."""
    return int(room.min()) if room.min() <= FRAYED else 0


@cache
def _aligner() -> PairwiseAligner:
    aligner = PairwiseAligner(mode="local", open_gap_score=-11, extend_gap_score=-1)
    aligner.substitution_matrix = substitution_matrices.load("BLOSUM62")
    return aligner


def _codes(text: str) -> np.ndarray:
    return CODES[np.frombuffer(text.encode("ascii"), np.uint8)]


def _hashes(codes: np.ndarray) -> np.ndarray:
    """Numbers of the stretches of a sequence; those with an unknown residue are left out."""
    if len(codes) < SEED:
        return np.zeros(0, np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(codes, SEED)
    return windows[(windows < GAP).all(axis=1)] @ POWERS


def _stretches(codes: np.ndarray, counts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield row numbers and stretches of whole rows, as many at a time as have a bounded number of hits."""
    row, _ = np.nonzero(codes != GAP)
    letters = codes[codes != GAP]
    if len(letters) < SEED:
        return
    numbers = np.lib.stride_tricks.sliding_window_view(letters, SEED) @ POWERS
    whole = row[SEED - 1 :] == row[: -SEED + 1]
    rows, numbers = row[: -SEED + 1][whole], numbers[whole]
    met = counts[numbers] > 0
    rows, numbers = rows[met], numbers[met]
    hits = np.cumsum(counts[numbers])
    group = hits[np.searchsorted(rows, rows)] // HITS_AT_ONCE  # that of the row's first stretch
    edges = np.flatnonzero(np.diff(group, prepend=-1, append=-1))
    for begin, end in pairwise(edges):
        yield rows[begin:end], numbers[begin:end]
