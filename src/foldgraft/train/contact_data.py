"""Chains of known structure as residue pairs: which chains, which pairs, and their features."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from foldgraft.errors import FoldgraftError
from foldgraft.models.feature_pairs import Coevolution, Layout, pair_index
from foldgraft.models.trunk import Trunk
from foldgraft.records import targets
from foldgraft.records.alignments import COEVOLUTION
from foldgraft.records.embeddings import Embeddings
from foldgraft.records.pairs import triangle
from foldgraft.records.split import SPLIT
from foldgraft.records.tables import read_arrays, read_frame
from foldgraft.records.targets import Contacts, read_contacts
from foldgraft.train.loop import Batch
from foldgraft.train.settings import ContactExperiment

COLUMNS = 64
"""Columns of stored features that are read at a time."""

RANKED = 12
"""Validation ranks pairs at least this far apart: medium and long range together."""


def choose_chains(shards: Sequence[Path], split: Path, experiment: ContactExperiment) -> pd.DataFrame:
    """The chains an experiment works with, and what each is for.

    Returns
    -------
    columns id, sequence_sha256, split, fold, and as what the chain serves: `fit` (training, or early stopping) and
    `predicted`; in the order of the shards. Of chains with one sequence one serves, so that no protein counts twice.

    Raises
    ------
    FoldgraftError
        if the train, valid or test set has no chain.
    """
    table = pd.concat([_lengths(path) for path in shards], ignore_index=True).drop_duplicates("id")
    long = int((table["length"] > experiment.max_length).sum())
    if long:
        print(f"contacts: {long} chains left out, longer than {experiment.max_length} residues", file=sys.stderr)
    table = table[table["length"] <= experiment.max_length].drop(columns="length")
    places = read_frame(split, SPLIT, ["id", "set", "split", "fold"])
    places = places[places["set"] == "structures"].drop(columns="set")
    table = table.merge(places, on="id", validate="one_to_one")
    rng = np.random.default_rng(experiment.seed)
    order = rng.permutation(len(table.index))
    table["fit"] = table["predicted"] = False
    for name, most in (("train", experiment.max_chains), ("valid", experiment.valid_chains), ("test", 0)):
        mine = table.iloc[order][lambda rows, name=name: rows["split"] == name].drop_duplicates("sequence_sha256")
        if mine.empty:
            raise FoldgraftError(f"{split}: no chain with targets in the {name} set; give more structures")
        table.loc[mine.index[:most], "fit"] = True
        if name != "train":
            table.loc[mine.index[: experiment.max_predicted], "predicted"] = True
    return table


def _lengths(shard: Path) -> pd.DataFrame:
    table = read_frame(shard, targets.SCHEMA, ["id", "sequence", "sequence_sha256"])
    return table.assign(length=table["sequence"].str.len()).drop(columns="sequence")


def read_chains(
    shards: Sequence[Path], coevolution: Sequence[Path], wanted: set[str]
) -> Iterator[tuple[Contacts, Coevolution | None]]:
    """Yield the wanted chains with their coevolution, in the order of the shards, a shard's scores at a time.

    Parameters
    ----------
    coevolution
        shards of the same names as those of the targets; none at all if the features do without.

    Raises
    ------
    FoldgraftError
        if some are given but one is missing.
    """
    partners = {path.stem: path for path in coevolution}
    left = set(wanted)
    for shard in shards:
        here = set(read_frame(shard, targets.SCHEMA, ["id"])["id"]) & left
        if not here:
            continue
        left -= here  # a chain that stands in a second shard counts as of the first
        scores: dict[str, Coevolution] = {}
        if partners:
            if shard.stem not in partners:
                raise FoldgraftError(f"{shard}: there are no coevolution scores for this shard; rerun the msa stage")
            scores = _read_coevolution(partners[shard.stem], here)
        for chain in read_contacts(shard):
            if chain.id in here:
                yield chain, scores.get(chain.id)


def _read_coevolution(path: Path, wanted: set[str]) -> dict[str, Coevolution]:
    return {
        row["id"]: Coevolution(np.array(row["scores"], dtype=np.float32), row["neff"])
        for row in read_arrays(path, COEVOLUTION)
        if row["id"] in wanted
    }


class Stored(NamedTuple):
    """Features of all pairs of a chain, shape (width, S), float16, in a file that they share with those of others."""

    file: IO[bytes]
    start: int
    width: int
    pairs: int

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first column, values of shape (columns, S)), `COLUMNS` at a time."""
        row = self.pairs * np.dtype(np.float16).itemsize
        for column in range(0, self.width, COLUMNS):
            count = min(COLUMNS, self.width - column)
            self.file.seek(self.start + column * row)
            values = np.fromfile(self.file, dtype=np.float16, count=count * self.pairs)  # may be more than 2 GiB
            yield column, values.reshape(count, self.pairs)


@dataclass(frozen=True)
class ChainPairs:
    """Pairs of one chain, with what the heads read of them."""

    features: np.ndarray | Stored  # (S, width) float32 of sampled pairs; stored, of all
    i: np.ndarray  # (S,)
    j: np.ndarray  # (S,)
    labels: np.ndarray  # (S,) bool
    offset: float  # log of how much more often contacts were drawn than other pairs
    residue: np.ndarray  # (L, D) float16, D = 0 without embeddings
    contacts: int  # among all usable pairs of the chain
    usable: int  # pairs far enough apart, both residues resolved

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """The features as `foldgraft.models.head_contact.score_pairs` takes them."""
        return self.features.blocks() if isinstance(self.features, Stored) else iter([(0, self.features.T)])


def sample_pairs(chain: Contacts, budget: int, rng: np.random.Generator) -> tuple[np.ndarray, float, int, int]:
    """Draw pairs of a chain: contacts up to half of the budget, others for the rest.

    Returns
    -------
    places in the packed order, sorted; offset; number of contacts and of usable pairs of the chain. The offset is the
    log ratio of the two sampling rates: a head trained on its logit plus the offset predicts, without it, the
    probability among all pairs (case-control correction; Prentice and Pyke 1979, Biometrika 66:403).
    """
    places = pair_index(len(chain.sequence)).places
    places = places[chain.pair_mask[places]]
    truth = chain.contacts[places]
    contacts, others = places[truth], places[~truth]
    taken = rng.permutation(contacts)[: budget // 2]
    rest = rng.permutation(others)[: budget - len(taken)]
    offset = 0.0
    if len(taken) and len(rest):
        offset = float(np.log(len(taken) / len(contacts)) - np.log(len(rest) / len(others)))
    elif len(rest):
        offset = float(-np.log(len(rest) / len(others)))
    return np.sort(np.concatenate([taken, rest])), offset, len(contacts), len(places)


def gather(
    chains: Iterator[tuple[Contacts, Coevolution | None]],
    layout: Layout,
    trunk: Trunk,
    embeddings: Embeddings | None,
    budget: int,
    seed: int,
) -> list[ChainPairs]:
    """Features of `budget` sampled pairs of every chain, in memory."""

    def sampled(chain: Contacts, coevolution: Coevolution | None) -> ChainPairs | None:
        rng = np.random.default_rng([seed, int(chain.sequence_sha256[:8], 16)])
        places, offset, contacts, usable = sample_pairs(chain, budget, rng)
        if not len(places):
            return None
        features = layout.gather(trunk, chain.sequence, places, coevolution)
        i, j = (numbers[places] for numbers in triangle(len(chain.sequence)))
        labels, residue = chain.contacts[places], residues(embeddings, chain)
        return ChainPairs(features, i, j, labels, offset, residue, contacts, usable)

    return _each(chains, embeddings, sampled)


def gather_all(
    chains: Iterator[tuple[Contacts, Coevolution | None]],
    layout: Layout,
    trunk: Trunk,
    embeddings: Embeddings | None,
    spool: IO[bytes],
) -> list[ChainPairs]:
    """All usable pairs of every chain, their features in half precision on disk.

    In memory are 17 bytes of a pair, not the two bytes of each of its hundreds of features; and while a chain is
    gathered, one layer of it.
    """

    def stored(chain: Contacts, coevolution: Coevolution | None) -> ChainPairs | None:
        places = pair_index(len(chain.sequence)).places
        places = places[chain.pair_mask[places]]
        if not len(places):
            return None
        start = spool.seek(0, os.SEEK_END)
        for _, values in layout.blocks(trunk, chain.sequence, places, coevolution):
            spool.write(np.ascontiguousarray(values, dtype=np.float16).data)
        spool.flush()
        i, j = (numbers[places] for numbers in triangle(len(chain.sequence)))
        labels, residue = chain.contacts[places], residues(embeddings, chain)
        features = Stored(spool, start, layout.width, len(places))
        return ChainPairs(features, i, j, labels, 0.0, residue, int(labels.sum()), len(places))

    return _each(chains, embeddings, stored)


def _each(
    chains: Iterator[tuple[Contacts, Coevolution | None]],
    embeddings: Embeddings | None,
    pairs_of: Callable[[Contacts, Coevolution | None], ChainPairs | None],
) -> list[ChainPairs]:
    """The pairs of every chain; those too short to have any, or without embedding where one is wanted, are counted."""
    found, left_out = [], 0
    for chain, coevolution in chains:
        missing = embeddings is not None and chain.sequence_sha256 not in embeddings
        pairs = None if missing else pairs_of(chain, coevolution)
        if pairs is None:
            left_out += 1
        else:
            found.append(pairs)
    if left_out:
        print(f"contacts: {left_out} chains left out, too short or without embedding", file=sys.stderr)
    return found


def residues(embeddings: Embeddings | None, chain: Contacts) -> np.ndarray:
    """Residue embeddings of a chain, shape (L, D); D = 0 without embeddings."""
    if embeddings is None:
        return np.zeros((len(chain.sequence), 0), dtype=np.float16)
    return embeddings.residues(chain.sequence_sha256)[:, -1].astype(np.float16)


class Pairs(Dataset[Batch]):
    """Sampled pairs of several chains; indexed by a tensor of pair numbers, it gives their batch."""

    def __init__(self, chains: Sequence[ChainPairs]):
        start = np.cumsum([0, *(len(chain.residue) for chain in chains)])
        self.residue = torch.from_numpy(np.concatenate([chain.residue for chain in chains]))
        self.features = torch.from_numpy(np.concatenate([chain.features for chain in chains]))
        self.i = torch.from_numpy(np.concatenate([c.i + first for c, first in zip(chains, start, strict=False)]))
        self.j = torch.from_numpy(np.concatenate([c.j + first for c, first in zip(chains, start, strict=False)]))
        self.labels = torch.from_numpy(np.concatenate([chain.labels for chain in chains])).float()
        self.offset = torch.from_numpy(np.repeat([c.offset for c in chains], [len(c.labels) for c in chains])).float()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Tensor) -> Batch:
        left, right = self.residue[self.i[rows]].float(), self.residue[self.j[rows]].float()
        return Batch((self.features[rows].float(), left, right), self.labels[rows], self.offset[rows])


def precision_at_length(scores: np.ndarray, chain: ChainPairs) -> float:
    """Fraction of contacts among the L pairs of best score that are at least `RANKED` apart; NaN if there are none.

    L is the length of the chain, not the number of its contacts, so 1 may be out of reach.
    """
    far = np.flatnonzero(chain.j - chain.i >= RANKED)
    if not len(far):
        return float("nan")
    best = far[np.argsort(-scores[far], kind="stable")[: len(chain.residue)]]
    return float(chain.labels[best].mean())
