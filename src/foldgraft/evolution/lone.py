"""One alignment on its own, without a run: its query, and how its pairs of residues change together."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from foldgraft.errors import FoldgraftError
from foldgraft.evolution.a3m import encode, onto_chain
from foldgraft.evolution.coevolution import scores
from foldgraft.evolution.columns import over_columns
from foldgraft.evolution.filters import build
from foldgraft.evolution.fit import Chains, fit_by_row, fits
from foldgraft.evolution.formats import read_parts
from foldgraft.evolution.settings import AlignmentSettings
from foldgraft.evolution.weights import weights
from foldgraft.records.pairs import pack

IDENTITY, COVERAGE = 0.9, 0.5
"""Tolerance between a given sequence and the row that stands for it, as of `msa.alignments`."""


@dataclass(frozen=True)
class Coupled:
    """What an alignment says of its query.

    Attributes
    ----------
    sequence : letters of the query
    depth, neff : sequences that were kept, the query included, and their effective number
    residues : residues of the query that have a column
    scores : (L * (L - 1) / 2,) float32, packed as `records.pairs` packs them
    unread : what of the file was not read, and why; empty if all of it was
    """

    sequence: str
    depth: int
    neff: float
    residues: int
    scores: np.ndarray
    unread: str = ""


def couple_file(
    path: Path, sequence: str | None, settings: AlignmentSettings, device: torch.device | str = "cpu"
) -> Coupled:
    """Score the pairs of an alignment file in any of the known formats.

    Parameters
    ----------
    sequence : str, optional
        the protein; None for the first row. Another row may stand for it, and differ from it by the tolerance of
        `msa.alignments`.

    Raises
    ------
    FoldgraftError
        if the file is no alignment, no row of it is the sequence, it has nothing but the query, or is too long.
    """
    part, *others = read_parts(path)
    alignment = over_columns(part, path)
    rows = list(alignment.rows)
    if sequence is None:
        sequence = rows[0].text.replace("-", "").upper()
        fit = fit_by_row(rows[0].text, 0, sequence)
    else:
        fit = fits(alignment, Chains({"query": sequence}), IDENTITY, COVERAGE).get("query")
        reason = "no row resembles it" if fit is None else fit.why_not(IDENTITY, COVERAGE)
        if reason:
            raise FoldgraftError(f"{path}: the alignment does not serve the sequence: {reason}")
    kept, _ = build(sequence, onto_chain(rows, fit.columns), fit.columns >= 0, settings)
    unread = [f"{count} {'row' if count == 1 else 'rows'} ({why})" for why, count in part.dropped.items()]
    unread += [f"{len(others)} more alignment{'s' if len(others) > 1 else ''}"] if others else []
    if len(kept) < 2:
        total = len(rows) + part.dropped.total()
        told = f", {', '.join(unread)} left out" if unread else ""
        raise FoldgraftError(
            f"{path}: of {total} rows none is kept beside the query{told}, so nothing changes together; give an "
            "alignment of many sequences of one length"
        )
    most = settings.coevolution.max_length
    if fit.aligned > most:
        raise FoldgraftError(f"{path}: {fit.aligned} aligned positions, more than coevolution.max_length = {most}")
    codes = encode(kept)
    weight = weights(codes, settings.coevolution.identity)
    packed = pack(scores(codes, weight, settings.coevolution.method, device)).astype(np.float32)
    return Coupled(sequence, len(kept), float(weight.sum()), fit.aligned, packed, ", ".join(unread))
