"""The text of a pretraining: the run's sequences, as tokens, without those near the test split."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from foldgraft import mmseqs
from foldgraft.errors import FoldgraftError
from foldgraft.models import alphabet
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

    def frequencies(self) -> np.ndarray:
        """How often each token stands in the text, each counted once more than it does; shape (33,), sum 1."""
        counts = np.bincount(self.tokens, minlength=len(alphabet.TOKENS)) + 1.0
        return counts / counts.sum()


def read_unique(fasta: Path) -> dict[str, str]:
    """Unique sequences by their sha256, in the order of it: upper case, no gaps, X for letters no trunk knows."""
    found: dict[str, str] = {}
    for record in read_fasta(fasta):
        sequence = record.sequence.upper().translate(GAPS)
        for letter in alphabet.illegal(sequence):
            sequence = sequence.replace(letter, "X")
        if sequence:
            found[sequence_sha256(sequence)] = sequence
    return dict(sorted(found.items()))


def test_sequences(split_table: Path, chains: Iterable[Path], label_tables: Iterable[Path]) -> set[str]:
    """The sequences of the test split, from the index of the chains and the shards of the labels."""
    rows = read_frame(split_table, split.SPLIT, ["sequence_sha256", "split"])
    wanted = set(rows.loc[rows["split"] == "test", "sequence_sha256"])
    columns = ["sequence", "sequence_sha256"]
    tables = [read_frames(chains, index.SCHEMA, columns), read_frames(label_tables, labels.SCHEMA, columns)]
    known = pd.concat(tables).drop_duplicates("sequence_sha256")
    found = known[known["sequence_sha256"].isin(wanted)]
    if len(found) < len(wanted):
        raise FoldgraftError(
            f"{split_table}: {len(wanted) - len(found)} test proteins are in none of the tables given by --index and "
            "--labels; give all tables of the run"
        )
    return set(found["sequence"])


def near(sequences: dict[str, str], test: set[str], identity: float, coverage: float, threads: int = 1) -> set[str]:
    """Names of the sequences that are near a test protein.

    Parameters
    ----------
    sequences
        by name.
    test
        the proteins to keep away from.
    identity
        fraction of aligned residues that are identical, at least.
    coverage
        aligned fraction of the shorter of the two, at least.

    Returns
    -------
    set of names, those of equal sequences always among them. The search is mmseqs' and heuristic.
    """
    same = {name for name, sequence in sequences.items() if sequence in test}
    if not test or len(same) == len(sequences):
        return same
    with TemporaryDirectory() as folder:
        queries, targets, hits = (Path(folder) / name for name in ("queries.fasta", "targets.fasta", "hits.tsv"))
        write_fasta(queries, ((name, sequence) for name, sequence in sequences.items() if name not in same))
        write_fasta(targets, ((f"test{number}", sequence) for number, sequence in enumerate(sorted(test))))
        columns = "query,fident,qcov,tcov"
        limits = ("--min-seq-id", identity, "-e", EVALUE, "--format-output", columns, "--threads", threads)
        mmseqs.run("easy-search", queries, targets, hits, Path(folder) / "work", *limits)
        table = pd.read_csv(hits, sep="\t", header=None, names=columns.split(","))
    # the aligned part is a larger fraction of the shorter sequence than of the longer one
    hit = (table["fident"] >= identity) & (table[["qcov", "tcov"]].max(axis=1) >= coverage)
    return same | set(table.loc[hit, "query"])


def divide(sequences: dict[str, str], valid: int) -> tuple[Corpus, Corpus]:
    """Training and validation text; validation is the first by sha256, thus at random, and at most a tenth.

    Raises
    ------
    FoldgraftError
        if fewer than two sequences are left.
    """
    ordered = [sequences[name] for name in sorted(sequences)]
    if len(ordered) < 2:
        raise FoldgraftError(
            f"trunk.pretrain: {len(ordered)} sequences are left to learn from; give more, or another trunk"
        )
    count = max(1, min(valid, len(ordered) // 10))
    print(f"pretrain: {len(ordered) - count} sequences to learn from, {count} held back", file=sys.stderr)
    return Corpus.of(ordered[count:]), Corpus.of(ordered[:count])


def crops(corpus: Corpus, length: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Every sequence once, in random order; of longer ones a random stretch of `length` residues."""
    for number in generator.permutation(len(corpus)):
        tokens = corpus[number]
        start = generator.integers(0, len(tokens) - length + 1) if len(tokens) > length else 0
        yield tokens[start : start + length]
