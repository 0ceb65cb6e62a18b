"""Predictions of residue pairs, each chain reduced to its precisions as it is read."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from foldgraft.errors import FoldgraftError
from foldgraft.evaluate.kinds import of_means
from foldgraft.evaluate.predictor import SPLITS, Predictor, checked
from foldgraft.evaluate.summary import Summary
from foldgraft.metrics.contacts import METRICS, contact_ceiling, contact_precision
from foldgraft.metrics.sums import mean_rows
from foldgraft.progress import progress
from foldgraft.records.predictions import About, schema_of
from foldgraft.records.tables import read_arrays, read_frame
from foldgraft.records.targets import SCHEMA as TARGETS

ENTROPY = "cross_entropy"


class PairTruth:
    """Contacts and masks of the proteins asked for, kept as bits: a chain of 300 residues takes 11 kB.

    Of a chain that several shards hold the first counts, as it does in training.

    Parameters
    ----------
    targets : paths of `targets/<shard>.parquet`
    ids : set of str
    """

    def __init__(self, targets: Iterable[Path], ids: set[str]):
        self._bits: dict[str, tuple[int, str, bytes, bytes]] = {}
        columns = ["id", "sequence", "sequence_sha256", "contacts", "pair_mask"]
        for path in progress(list(targets), "shards of targets"):
            for row in read_arrays(path, TARGETS, columns):
                if row["id"] in ids:
                    kept = (len(row["sequence"]), row["sequence_sha256"], row["contacts"], row["pair_mask"])
                    self._bits.setdefault(row["id"], kept)

    def get(self, name: str, sha256: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Contacts and mask, bool, each of shape (L * (L - 1) / 2,); None where there is no target for the protein.

        Raises
        ------
        FoldgraftError
            if the target is of another sequence.
        """
        if name not in self._bits:
            return None
        length, known, contacts, mask = self._bits[name]
        if known != sha256:
            raise FoldgraftError(f"{name}: its prediction and its target are of different sequences; rerun train")
        count = length * (length - 1) // 2
        return _bits(contacts, count), _bits(mask, count)

    def ceiling(self, proteins: pd.DataFrame) -> Summary:
        """The greatest precisions that any predictor can reach on proteins with id and sequence_sha256."""
        values = []
        for one, sha256 in zip(proteins["id"], proteins["sequence_sha256"], strict=True):
            bits = self.get(one, sha256)
            length = self._bits[one][0]
            values.append(list(contact_ceiling(*bits, length).values()))
        rows = mean_rows(np.array(values, dtype=np.float64).reshape(-1, len(METRICS)))
        return of_means(proteins["id"].to_numpy(), METRICS, rows)


def read_pair_predictor(path: Path, about: About, truth: PairTruth) -> Predictor:
    """Read a file of predicted pairs and make its summaries.

    Raises
    ------
    FoldgraftError
        if a protein has two predictions in a split, or scores of another number than it has pairs.
    """
    schema = schema_of(about)
    distances = about.target["kind"] == "classes"
    titles = [ENTROPY, *METRICS] if distances else METRICS
    checked(path, read_frame(path, schema, ["id", "split"]))
    columns = ["id", "sequence_sha256", "split", "fold", "length", "score", *([ENTROPY] if distances else [])]
    rows, missing, undefined = [], 0, 0
    for row in progress(read_arrays(path, schema, columns), f"{about.experiment}, proteins"):
        known = truth.get(row["id"], row["sequence_sha256"])
        if known is None:
            missing += 1
            continue
        if row["score"].shape != known[0].shape:
            raise FoldgraftError(f"{path}: {row['id']!r} has {len(row['score'])} scores, not one per residue pair")
        undefined += not np.isfinite(row["score"]).all()
        values = contact_precision(row["score"], *known, row["length"])
        if distances:
            values[ENTROPY] = row[ENTROPY] if row[ENTROPY] is not None else np.nan
        rows.append((row["id"], row["sequence_sha256"], row["split"], row["fold"], *(values[name] for name in titles)))
    table = pd.DataFrame(rows, columns=["id", "sequence_sha256", "split", "fold", *titles])
    predictor = Predictor(about.experiment)
    for split in SPLITS:
        part = table[table["split"] == split].sort_values("id", kind="stable", ignore_index=True)
        predictor.proteins[split] = part[["id", "sequence_sha256", "fold"]]
        summands = mean_rows(part[titles].to_numpy(dtype=np.float64))
        predictor.summary[split] = of_means(part["id"].to_numpy(), titles, summands)
    if undefined:
        predictor.notes.append(f"{undefined} proteins have scores that are no numbers, which rank last")
    if missing:
        predictor.notes.append(f"{missing} predicted proteins have no structure target and are left out")
    return predictor


def _bits(packed: bytes, count: int) -> np.ndarray:
    return np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=count).astype(bool)
