"""The corpus of a pretraining: sequences as tokens, without those near the proteins that heads are tested on."""

import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from foldgraft import mmseqs
from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import alphabet
from foldgraft.records import index, labels, split
from foldgraft.records.fasta import read_fasta, write_fasta
from foldgraft.records.files import sequence_sha256
from foldgraft.records.tables import read_frame, read_frames

GAPS = str.maketrans("", "", "*.-")
EVALUE = 1e-3


@dataclass(frozen=True)
class Corpus:
    """Sequences as tokens, one after the other: sequence n is tokens[offsets[n]:offsets[n + 1]]."""

    tokens: np.ndarray  # (R,) uint8
    offsets: np.ndarray  # (N + 1,) int64

    @classmethod
    def of(cls, sequences: Sequence[str]) -> "Corpus":
        """The corpus of sequences whose letters the alphabet knows."""
        lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
        tokens = [alphabet.encode(sequence) for sequence in sequences]
        return cls(np.concatenate([np.empty(0, np.uint8), *tokens]), np.concatenate([[0], lengths.cumsum()]))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, number: int) -> np.ndarray:
        return self.tokens[self.offsets[number] : self.offsets[number + 1]]

    def sha256(self) -> str:
        """Hex digest of the corpus."""
        digest = hashlib.sha256(self.tokens.data)
        digest.update(self.offsets.data)
        return digest.hexdigest()

    def frequencies(self) -> np.ndarray:
        """How often each token stands in the corpus, each counted once more than it does; shape (33,), sum 1."""
        counts = np.bincount(self.tokens, minlength=len(alphabet.TOKENS)) + 1.0
        return counts / counts.sum()


def read_unique(fasta: Path) -> dict[str, str]:
    """Unique sequences by their sha256, in the order of it: upper case, no gaps, X for letters no trunk knows."""
    sequences: dict[str, str] = {}
    for record in read_fasta(fasta):
        sequence = record.sequence.upper().translate(GAPS)
        for letter in alphabet.illegal(sequence):
            sequence = sequence.replace(letter, "X")
        if sequence:
            sequences[sequence_sha256(sequence)] = sequence
    return dict(sorted(sequences.items()))


def test_sequences(
    split_table: Path, chains: Iterable[Path], label_tables: Iterable[Path], cross_validated: Iterable[str] = ()
) -> set[str]:
    """The sequences that heads are tested on.

    Parameters
    ----------
    split_table : Path
        `cluster/split.parquet`.
    chains, label_tables : iterable of Path
        the indices of chains and the shards of labels that hold the sequences.
    cross_validated : iterable of str
        sets (structures, or the name of a labelled table) of which each fold is once the test fold; of the others the
        test split is.

    Raises
    ------
    FoldgraftError
        if the tables lack one of them.
    """
    rows = read_frame(split_table, split.SPLIT, ["set", "sequence_sha256", "split"])
    tested = (rows["split"] == "test") | rows["set"].isin(set(cross_validated))
    wanted = set(rows.loc[tested, "sequence_sha256"])
    columns = ["sequence", "sequence_sha256"]
    tables = [read_frames(chains, index.SCHEMA, columns), read_frames(label_tables, labels.SCHEMA, columns)]
    known = pd.concat(tables).drop_duplicates("sequence_sha256")
    held = known[known["sequence_sha256"].isin(wanted)]
    if len(held) < len(wanted):
        raise FoldgraftError(
            f"{split_table}: {len(wanted) - len(held)} test proteins are in none of the tables given by --index and "
            "--labels; give all tables of the run"
        )
    return set(held["sequence"])


def near(
    sequences: dict[str, str], test: set[str], identity: float, coverage: float, beside: Path, threads: int = 1
) -> set[str]:
    """Names of the sequences that are near a test protein.

    Parameters
    ----------
    sequences : dict of str to str
        by name.
    test : set of str
        the proteins to keep away from.
    identity : float
        fraction of aligned residues that are identical, at least.
    coverage : float
        aligned fraction of the shorter of the two, at least.
    beside : Path
        an output, in whose folder the search has its temporary files.

    Returns
    -------
    set of names, those of equal sequences always among them. The search is mmseqs' and heuristic.
    """
    same = {name for name, sequence in sequences.items() if sequence in test}
    if not test or len(same) == len(sequences):
        return same
    with mmseqs.scratch(beside) as folder:
        queries, targets, hits = (folder / name for name in ("queries.fasta", "targets.fasta", "hits.tsv"))
        write_fasta(queries, ((name, sequence) for name, sequence in sequences.items() if name not in same))
        write_fasta(targets, ((f"test{number}", sequence) for number, sequence in enumerate(sorted(test))))
        columns = "query,fident,qcov,tcov"
        limits = ("--min-seq-id", identity, "-e", EVALUE, "--format-output", columns, "--threads", threads)
        mmseqs.run("easy-search", queries, targets, hits, folder / "work", *limits)
        table = pd.read_csv(hits, sep="\t", header=None, names=columns.split(","))
    # the aligned part is a larger fraction of the shorter sequence than of the longer one
    hit = (table["fident"] >= identity) & (table[["qcov", "tcov"]].max(axis=1) >= coverage)
    return same | set(table.loc[hit, "query"])


def divide(sequences: dict[str, str], valid: int, held_back: dict[str, str] | None = None) -> tuple[Corpus, Corpus]:
    """Training and validation corpus.

    Parameters
    ----------
    sequences : dict of str to str
        by their sha256.
    valid : int
        most sequences to validate on: the first by sha256, thus at random.
    held_back : dict of str to str, optional
        what to validate on; none of it is trained on. By default at most a tenth of the sequences is taken off them.

    Raises
    ------
    FoldgraftError
        if fewer than two sequences are left.
    """
    ordered = [sequences[name] for name in sorted(sequences) if name not in (held_back or {})]
    if len(ordered) < 2:
        raise FoldgraftError(
            f"trunk.pretrain: {len(ordered)} sequences are left to learn from; give more, or another trunk"
        )
    if held_back is None:
        count = max(1, min(valid, len(ordered) // 10))
        ordered, measured = ordered[count:], ordered[:count]
    else:
        measured = [held_back[name] for name in sorted(held_back)[:valid]]
    print(f"pretrain: {len(ordered)} sequences to learn from, {len(measured)} held back", file=sys.stderr)
    return Corpus.of(ordered), Corpus.of(measured)
