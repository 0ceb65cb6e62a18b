"""Near copies of sequences that the search is blind for: peptides, low complexity, and those full of X.

MMseqs2 needs k-mers that are neither masked nor rare, so it does not even find such a sequence in itself, which is how
they are known. They are compared residue by residue, without gaps, along every diagonal that shares four residues with
them. What shares most of its residues by more than chance is a near copy.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
from scipy.stats import binom

from foldgraft import mmseqs
from foldgraft.residues import AMINO_ACIDS

IDENTITY = 0.7
"""Least fraction of known residues that are identical in a near copy. Below, sequences of one composition would all be
near copies of each other."""

CHANCE = 0.06
"""Probability that two residues are the same by chance: the sum of the squared frequencies of amino acids."""

K = 4
UNKNOWN = len(AMINO_ACIDS)
BLOCK = 2_000_000
"""residues that are compared at a time"""

CODE = np.full(256, UNKNOWN, dtype=np.uint8)
CODE[np.frombuffer(AMINO_ACIDS.encode(), dtype=np.uint8)] = np.arange(UNKNOWN)


def unsearchable(sequences: Mapping[str, str], searched: Iterable[str], hits: pd.DataFrame) -> list[str]:
    """Those of the searched sequences that were not found in themselves, though they were among the targets; sorted."""
    seen = set(hits["query"][hits["query"] == hits.target]) | set(mmseqs.crowded(hits))
    return sorted(name for name in set(searched) if name not in seen or len(sequences[name]) < mmseqs.SHORTEST)


def auditable(sequence: str, residues: int, evalue: float) -> bool:
    """Whether a copy of the sequence among so many residues would be told from chance."""
    return residues * CHANCE ** int((_encoded(sequence) < UNKNOWN).sum()) <= evalue


def near_copies(blind: Iterable[str], sequences: Mapping[str, str], coverage: float, evalue: float) -> pd.DataFrame:
    """Compare each blind sequence with all sequences.

    Parameters
    ----------
    blind : iterable of str
        names of sequences.
    sequences : mapping of name to sequence
    coverage : float
        least fraction of the shorter that the two share.
    evalue : float
        largest expected number of pairs that share as many residues by chance.

    Returns
    -------
    frame
        columns as `mmseqs.read_hits` gives them, each pair in both directions; `bits` is the negative binary logarithm
        of the probability by chance. Sorted by query and target.
    """
    blind, residues = sorted(set(blind)), sum(map(len, sequences.values()))
    parts = [mmseqs.no_hits()]
    if blind:
        seeds = _Seeds([_encoded(sequences[name]) for name in blind])
        for names, block in _blocks(sequences):
            near = _compared(seeds, block, coverage)
            near["evalue"] = residues * 2.0**-near.bits
            near = near[near.evalue <= evalue]
            near["query"], near["target"] = np.array(blind)[near["query"]], np.array(names)[near.target]
            parts.append(near[near["query"] != near.target])
    hits = pd.concat(parts, ignore_index=True)
    swapped = {"query": "target", "target": "query", "coverage_query": "coverage_target"}
    hits = pd.concat([hits, hits.rename(columns=swapped | {"coverage_target": "coverage_query"})], ignore_index=True)
    hits = hits.sort_values(["query", "target", "bits"], ascending=[True, True, False])
    return hits.drop_duplicates(["query", "target"], ignore_index=True)[list(mmseqs.HIT_TYPES)].astype(mmseqs.HIT_TYPES)


def _encoded(sequence: str) -> np.ndarray:
    return CODE[np.frombuffer(sequence.encode("ascii"), dtype=np.uint8)]


def _kmers(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The k-mers of known residues: where they begin, and their numbers."""
    if len(codes) < K:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(codes, K)
    start = np.flatnonzero((windows < UNKNOWN).all(axis=1))
    return start, windows[start].astype(np.int64) @ UNKNOWN ** np.arange(K)


class _Seeds:
    """The k-mers of the blind sequences, each once per sequence."""

    def __init__(self, sequences: list[np.ndarray]):
        self.sequences = sequences
        rows = []
        for number, codes in enumerate(sequences):
            start, kmer = _kmers(codes)
            kmer, first = np.unique(kmer, return_index=True)
            rows.append(np.stack([kmer, np.full(len(kmer), number), start[first]]))
        table = np.concatenate(rows, axis=1)
        self._kmer, self._number, self._start = table[:, np.argsort(table[0], kind="stable")]

    def diagonals(self, codes: np.ndarray, owner: np.ndarray) -> pd.DataFrame:
        """Where a blind sequence shares a k-mer with the block: its number, the owner, and where it would begin."""
        position, kmer = _kmers(codes)
        left, right = (np.searchsorted(self._kmer, kmer, side) for side in ("left", "right"))
        count = right - left
        position = np.repeat(position, count)
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        entry = np.repeat(left, count) + within
        columns = {"query": self._number[entry], "target": owner[position], "begin": position - self._start[entry]}
        return pd.DataFrame(columns).drop_duplicates().sort_values(["query", "target", "begin"], ignore_index=True)


def _blocks(sequences: Mapping[str, str]) -> Iterator[tuple[list[str], list[np.ndarray]]]:
    """Names and residues of the sequences, about `BLOCK` residues at a time."""
    names: list[str] = []
    block: list[np.ndarray] = []
    residues = 0
    for name in sorted(sequences):
        names.append(name)
        block.append(_encoded(sequences[name]))
        residues += len(block[-1])
        if residues >= BLOCK:
            yield names, block
            names, block, residues = [], [], 0
    if names:
        yield names, block


def _compared(seeds: _Seeds, block: list[np.ndarray], coverage: float) -> pd.DataFrame:
    """Every shared diagonal that is covered and identical enough, with its probability by chance in bits."""
    length = np.array([len(codes) for codes in block])
    end = np.cumsum(length + 1) - 1  # an unknown residue parts one sequence from the next
    text = np.full(end[-1] + 1, UNKNOWN, dtype=np.uint8)
    owner = np.repeat(np.arange(len(block)), length + 1)
    for codes, last in zip(block, end, strict=True):
        text[last - len(codes) : last] = codes
    hits = []
    for number, rows in seeds.diagonals(text, owner).groupby("query", sort=True):
        codes = seeds.sequences[number]
        step = max(1, BLOCK // len(codes))
        for at in range(0, len(rows), step):
            part = rows.iloc[at : at + step]
            last = end[part.target]
            hits.append(_counted(part, codes, text, last - length[part.target], last, coverage))
    columns = ["query", "target", "identity", "coverage_query", "coverage_target", "bits"]
    return pd.concat(hits, ignore_index=True) if hits else pd.DataFrame(columns=columns, dtype=float)


def _counted(
    rows: pd.DataFrame, codes: np.ndarray, text: np.ndarray, first: np.ndarray, last: np.ndarray, coverage: float
) -> pd.DataFrame:
    """Count what a blind sequence and the owners of the rows share when it begins where the rows say."""
    position = rows.begin.to_numpy()[:, None] + np.arange(len(codes))
    inside = (position >= first[:, None]) & (position < last[:, None])
    other = text[np.where(inside, position, 0)]
    known = inside & (other < UNKNOWN) & (codes < UNKNOWN)
    same, compared, shared = (known & (other == codes)).sum(axis=1), known.sum(axis=1), inside.sum(axis=1)
    values = {
        "query": rows["query"].to_numpy(),
        "target": rows.target.to_numpy(),
        "identity": same / compared,  # a shared k-mer is compared
        "coverage_query": shared / len(codes),
        "coverage_target": shared / (last - first),
        "bits": -binom.logsf(same - 1, compared, CHANCE) / np.log(2),
    }
    close = (same >= IDENTITY * compared) & (shared >= coverage * np.minimum(len(codes), last - first))
    return pd.DataFrame(values)[close]
