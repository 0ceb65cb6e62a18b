"""Coevolution scores for the alignments of a shard."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from foldgraft.evolution.a3m import GAP, encode, parse_a3m
from foldgraft.evolution.coevolution import scores
from foldgraft.evolution.settings import CoevolutionSettings
from foldgraft.evolution.weights import weights
from foldgraft.progress import progress
from foldgraft.records.pairs import pack


def couple(
    rows: Iterable[Mapping[str, Any]], settings: CoevolutionSettings, device: torch.device | str = "cpu"
) -> Iterator[dict[str, Any]]:
    """Score the alignments of `records.alignments.ALIGNMENTS`; yields the rows of `COEVOLUTION`, in the same order."""
    for row in progress(rows, "coevolution"):
        kept = {name: row[name] for name in ("id", "sequence_sha256", "length", "neff")}
        yield {**kept, "scores": _packed(row, settings, device)}


def _packed(row: Mapping[str, Any], settings: CoevolutionSettings, device: torch.device | str) -> np.ndarray:
    silent = np.zeros(row["length"] * (row["length"] - 1) // 2, dtype=np.float32)
    if row["depth"] < 2:
        return silent
    codes = encode(parse_a3m(row["a3m"]))
    positions = int((codes[1:] != GAP).any(axis=0).sum())
    if positions > settings.max_length:
        print(
            f"{row['id']}: not scored, {positions} aligned positions are more than "
            f"msa.coevolution.max_length = {settings.max_length}",
            file=sys.stderr,
        )
        return silent
    return pack(scores(codes, weights(codes, settings.identity), settings.method, device)).astype(np.float32)
