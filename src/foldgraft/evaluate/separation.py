"""Baselines of contacts: coevolution alone, and sequence separation alone."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.measure import path_of
from foldgraft.progress import progress
from foldgraft.records.alignments import COEVOLUTION
from foldgraft.records.pairs import triangle
from foldgraft.records.predictions import PAIR
from foldgraft.records.split import validation_folds
from foldgraft.records.tables import read_arrays, read_frame, row_writer
from foldgraft.records.targets import SCHEMA as TARGETS

KEYS = ["id", "sequence_sha256", "split", "fold", "length"]
PRIOR = 1.0
"""Pseudo-pairs at the overall contact rate, added at each separation."""


def wanted(predictions: Iterable[Path]) -> pd.DataFrame:
    """Proteins that the experiments predicted, once per split: what the baselines must cover; sorted."""
    frames = [read_frame(path_of(path, "contact"), PAIR, KEYS) for path in predictions]
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=KEYS)
    return table.drop_duplicates(["id", "split"]).sort_values(["split", "id"], ignore_index=True)


class SeparationCounts:
    """Contacts and resolved pairs at each sequence separation, by fold, of the structures of a split.

    A chain that several shards hold counts once, as the first has it.

    Parameters
    ----------
    targets : paths of `targets/<shard>.parquet`
    split : frame
        the rows of `cluster/split.parquet` of the set `structures`
    """

    def __init__(self, targets: Iterable[Path], split: pd.DataFrame):
        fold_of = dict(zip(split["id"], split["fold"], strict=True))
        self.folds = int(split["fold"].max()) + 1 if len(split) else 1
        self._counts = np.zeros((self.folds, 2, 1))  # (folds, contacts and pairs, separation)
        for path in progress(list(targets), "shards of targets"):
            for row in read_arrays(path, TARGETS, ["id", "sequence", "contacts", "pair_mask"]):
                fold = fold_of.pop(row["id"], None)
                if fold is not None:
                    self._add(fold, len(row["sequence"]), row["contacts"], row["pair_mask"])

    def _add(self, fold: int, length: int, contacts: bytes, mask: bytes) -> None:
        i, j = triangle(length)
        resolved = np.unpackbits(np.frombuffer(mask, dtype=np.uint8), count=len(i))
        close = np.unpackbits(np.frombuffer(contacts, dtype=np.uint8), count=len(i)) & resolved
        counted = [np.bincount(j - i, weights=bits, minlength=length) for bits in (close, resolved)]
        grown = max(length, self._counts.shape[2])
        self._counts = np.pad(self._counts, ((0, 0), (0, 0), (0, grown - self._counts.shape[2])))
        self._counts[fold, :, : len(counted[0])] += np.array(counted)

    def probability(self, length: int, left_out: tuple[int, int]) -> np.ndarray:
        """P(contact | separation) for each separation 0 to length - 1, from the folds not left out.

        Raises
        ------
        FoldgraftError
            if those folds hold no resolved pair.
        """
        kept = [fold for fold in range(self.folds) if fold not in left_out]
        contacts, pairs = self._counts[kept].sum(axis=0)
        if not pairs.sum():
            raise FoldgraftError("separation baseline: no training structure has a resolved pair; add structures")
        rate = contacts.sum() / pairs.sum()
        seen = (contacts + PRIOR * rate) / (pairs + PRIOR)
        return np.concatenate([seen, np.full(max(0, length - len(seen)), rate)])[:length]


def write_separation(path: Path, proteins: pd.DataFrame, counts: SeparationCounts) -> None:
    """Write what separation alone predicts, learnt from the folds that the protein's members learnt from."""
    validates = validation_folds(range(counts.folds))
    tests = {valid: test for test, valid in validates.items()}
    with row_writer(path, PAIR) as writer:
        for row in progress(proteins.to_dict("records"), "proteins of the separation baseline"):
            tested = row["fold"] if row["split"] == "test" else tests[row["fold"]]
            chance = counts.probability(row["length"], (tested, validates[tested]))
            i, j = triangle(row["length"])
            writer.write(row | {"score": chance[j - i].astype(np.float32)})


def write_coevolution(path: Path, proteins: pd.DataFrame, coevolution: Iterable[Path]) -> None:
    """Write coevolution scores as if they were predictions; zero throughout for a protein without an alignment.

    They rank the pairs and are no probabilities.
    """
    asked = {name: rows.to_dict("records") for name, rows in proteins.groupby("id")}
    with row_writer(path, PAIR) as writer:
        for shard in progress(list(coevolution), "shards of coevolution"):
            for found in read_arrays(shard, COEVOLUTION, ["id", "length", "scores"]):
                for row in asked.pop(found["id"], ()):
                    if row["length"] != found["length"]:
                        raise FoldgraftError(f"{shard}: {found['id']!r} is of another length than its prediction")
                    writer.write(row | {"score": found["scores"]})
        for row in (row for name in sorted(asked) for row in asked[name]):
            pairs = row["length"] * (row["length"] - 1) // 2
            writer.write(row | {"score": np.zeros(pairs, dtype=np.float32)})
