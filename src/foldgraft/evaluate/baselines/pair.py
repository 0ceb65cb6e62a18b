"""Baselines of residue pairs: sequence separation alone, and coevolution alone."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.baselines.inputs import Inputs, Plan
from foldgraft.metrics.classes import SMALLEST
from foldgraft.metrics.contacts import LEAST_SEPARATION
from foldgraft.progress import progress
from foldgraft.records.alignments import COEVOLUTION
from foldgraft.records.pairs import triangle
from foldgraft.records.predictions import schema_of
from foldgraft.records.tables import read_arrays, row_writer
from foldgraft.records.targets import MASKED, Targets, read_targets
from foldgraft.tasks.truth import bin_centres, share_in_contact

PRIOR = 1.0
"""Pseudo-pairs with the overall frequencies of the classes, added at each separation."""


class SeparationCounts:
    """Pairs of each class at each sequence separation, by fold, of the structures of a split.

    A chain that several shards hold counts once, as the first has it.

    Parameters
    ----------
    targets : paths of `targets/<shard>.parquet`
    split : frame
        The rows of `cluster/split.parquet` of the set `structures`.
    classes : int
        2 for contact or not, 64 for bins of distance.
    """

    def __init__(self, targets: Iterable[Path], split: pd.DataFrame, classes: int):
        fold_of = dict(zip(split["id"], split["fold"], strict=True))
        self.classes = classes
        self._counts: dict[int, np.ndarray] = {}  # (separation, classes)
        for path in progress(list(targets), "shards of targets"):
            for chain in read_targets(path):
                fold = fold_of.pop(chain.id, None)
                if fold is not None:
                    self._add(fold, chain)

    def _add(self, fold: int, chain: Targets) -> None:
        length = len(chain.sequence)
        i, j = triangle(length)
        known = np.flatnonzero(chain.pair_mask)
        number = of_pairs(chain, self.classes)
        cells = (j - i)[known] * self.classes + number[known]
        counted = np.bincount(cells, minlength=length * self.classes).reshape(length, self.classes)
        before = self._counts.get(fold, np.zeros((0, self.classes)))
        longer, shorter = (before, counted) if len(before) >= length else (counted.astype(np.float64), before)
        longer[: len(shorter)] += shorter
        self._counts[fold] = longer

    def probabilities(self, length: int, left_out: Iterable[int]) -> np.ndarray:
        """P(class | separation) for each separation 0 to length - 1, from the folds not left out; (length, classes).

        Raises
        ------
        FoldgraftError
            if those folds hold no resolved pair.
        """
        hidden = set(left_out)
        kept = [counts for fold, counts in self._counts.items() if fold not in hidden]
        total = np.zeros((max([length, *map(len, kept)]), self.classes))
        for counts in kept:
            total[: len(counts)] += counts
        if not total.sum():
            raise FoldgraftError("separation baseline: no training structure has a resolved pair; add structures")
        overall = total.sum(axis=0) / total.sum()
        seen = (total + PRIOR * overall) / (total.sum(axis=1, keepdims=True) + PRIOR)
        return seen[:length]


def of_pairs(chain: Targets, classes: int) -> np.ndarray:
    """The class of each pair: contact or not, or the bin of its distance; shape (P,), any where it is masked."""
    return chain.contacts.astype(np.int64) if classes == 2 else np.where(chain.distogram == MASKED, 0, chain.distogram)


def write_separation(inputs: Inputs) -> None:
    """Write what separation alone says."""
    distances = inputs.kind == "classes"
    counts = SeparationCounts(inputs.targets, inputs.split, len(inputs.names) if distances else 2)
    truth = dict(_distograms(inputs)) if distances else {}
    with row_writer(inputs.output, schema_of(inputs.about)) as writer:
        for plan in progress(inputs.plans(), f"folds of {inputs.about.experiment}"):
            for split, rows in inputs.rows(plan):
                for row in rows.to_dict("records"):
                    writer.write(row | _of_chain(row, _learnt(counts, row, plan, split), truth.get(row["id"])))


def _learnt(counts: SeparationCounts, row: dict, plan: Plan, split: str) -> np.ndarray:
    return counts.probabilities(row["length"], (plan.test,) if split == "test" else (plan.test, plan.valid))


def _of_chain(row: dict, chance: np.ndarray, bins: np.ndarray | None) -> dict[str, object]:
    """Columns of a chain of known length; `chance` is P(class | separation)."""
    i, j = triangle(row["length"])
    apart = j - i
    far = apart >= LEAST_SEPARATION
    if chance.shape[1] == 2:
        return {"score": np.where(far, chance[apart, 1], 0).astype(np.float32)}
    score, distance = (chance @ share_in_contact())[apart], (chance @ bin_centres())[apart]
    entropy = None
    if bins is not None and (known := np.flatnonzero(far & (bins != MASKED))).size:
        entropy = float(-np.log(np.maximum(chance[apart[known], bins[known]], SMALLEST)).mean())
    return {
        "score": np.where(far, score, 0).astype(np.float32),
        "distance": np.where(far, distance, np.nan).astype(np.float32),
        "cross_entropy": entropy,
    }


def _distograms(inputs: Inputs) -> Iterator[tuple[str, np.ndarray]]:
    wanted = set(inputs.wanted["id"])
    for path in inputs.targets:
        for chain in read_targets(path):
            if chain.id in wanted:
                wanted.remove(chain.id)
                yield chain.id, chain.distogram


def write_coevolution(inputs: Inputs) -> None:
    """Write coevolution scores as if they were predictions; zero throughout for a protein without an alignment.

    They rank the pairs, and are no probabilities; of distances they say nothing.
    """
    asked = {name: rows.to_dict("records") for name, rows in inputs.wanted.groupby("sequence_sha256")}
    distances = inputs.kind == "classes"

    def filled(row: dict, scores: np.ndarray) -> dict:
        unknown = {"distance": np.full(len(scores), np.nan, np.float32), "cross_entropy": None} if distances else {}
        return row | {"score": scores} | unknown

    with row_writer(inputs.output, schema_of(inputs.about)) as writer:
        for shard in progress(list(inputs.coevolution), "shards of coevolution"):
            for coevolution in read_arrays(shard, COEVOLUTION, ["sequence_sha256", "length", "scores"]):
                for row in asked.pop(coevolution["sequence_sha256"], ()):
                    if row["length"] != coevolution["length"]:
                        raise FoldgraftError(f"{shard}: {row['id']!r} is of another length than its prediction")
                    writer.write(filled(row, coevolution["scores"]))
        for row in (row for name in sorted(asked) for row in asked[name]):
            writer.write(filled(row, np.zeros(row["length"] * (row["length"] - 1) // 2, dtype=np.float32)))
