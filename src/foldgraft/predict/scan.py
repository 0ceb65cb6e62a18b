"""Scores of the variants of one protein beside those of the protein itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk
from foldgraft.predict.new import predict
from foldgraft.predict.sequences import Candidate
from foldgraft.predict.variants import Variant
from foldgraft.progress import progress
from foldgraft.records.files import text_output
from foldgraft.records.text_tables import Rows
from foldgraft.residues import AMINO_ACIDS
from foldgraft.tasks.trained import Trained

COLUMNS = ["kind", "variant", "score", "low", "high", "difference", "spread", "agreeing", "length"]


@dataclass(frozen=True)
class Scan:
    """What the members of a head say of a protein and of its variants.

    Attributes
    ----------
    protein : Candidate
    own : float array, shape (M,)
        Of the protein, by each member.
    variants : list of Variant, V
    scores : float array, shape (V, M)
    warnings : list of str
        In what the protein is unlike the training proteins.
    """

    protein: Candidate
    own: np.ndarray
    variants: list[Variant]
    scores: np.ndarray
    warnings: list[str]

    @property
    def differences(self) -> np.ndarray:
        """Of each variant from the protein, by each member; shape (V, M)."""
        return self.scores - self.own

    @property
    def agreeing(self) -> np.ndarray:
        """Of each variant, the fraction of members on the side of the mean difference; shape (V,)."""
        side = np.sign(self.differences.mean(axis=1, keepdims=True))
        return (np.sign(self.differences) == side).mean(axis=1)

    @property
    def contribution(self) -> np.ndarray:
        """What each residue adds to the mean score, shape (L,): by how much the score falls, on average over the 19
        substitutions of the residue; NaN where there are none."""
        matrix = self.matrix(self.differences.mean(axis=1))
        known = np.isfinite(matrix).sum(axis=0)
        return np.where(known > 0, -np.nansum(matrix, axis=0) / np.maximum(known, 1), np.nan)

    def best(self, kind: str | None = None, count: int = 10) -> list[int]:
        """Numbers of the variants of greatest mean score, of one kind or all."""
        rows = [n for n, variant in enumerate(self.variants) if kind in (None, variant.kind)]
        return sorted(rows, key=lambda n: -float(self.scores[n].mean()))[:count]

    def matrix(self, values: np.ndarray) -> np.ndarray:
        """Values (V,) of the substitutions as a map; shape (20, L), NaN where the amino acid is the protein's own."""
        found = np.full((len(AMINO_ACIDS), len(self.protein.sequence)), np.nan)
        for variant, value in zip(self.variants, values, strict=True):
            if variant.kind == "substitution":
                found[AMINO_ACIDS.index(variant.to), variant.position - 1] = value
        return found


def scan(protein: Candidate, variants: Iterable[Variant], head: Trained, trunk: Trunk) -> Scan:
    """Score a protein and its variants by a head of proteins whose target is a number.

    Raises
    ------
    FoldgraftError
        if the protein cannot be predicted, or the head is of another kind.
    """
    task = head.info.tasks[0]
    if head.info.level != "protein" or task.kind not in ("binary", "value"):
        raise FoldgraftError(f"a scan needs a head that gives each protein a number; {head.info.name} does not")
    if protein.reason:
        raise FoldgraftError(f"{protein.id}: {protein.reason}")
    wanted = list(variants)
    records = [protein, *(Candidate(one.name, one.sequence, "") for one in wanted)]
    found = progress(predict(records, [head], trunk), "variants", len(records))
    predictions = [predictions[0] for _, predictions in found]
    values = np.array([one.tasks[0][:, 0, 0].numpy() for one in predictions], dtype=np.float64)
    return Scan(protein, values[0], wanted, values[1:], predictions[0].warnings)


def write_scan(path: Path, found: Scan) -> None:
    """Write all variants, the best first; to standard output for `-`."""
    with text_output(path) as handle:
        tabulate(handle, found)


def tabulate(handle: IO[str], found: Scan) -> None:
    """Write all variants to an open file."""
    table = Rows(handle, COLUMNS)
    for row in rows(found, found.best(count=len(found.variants))):
        table.write(row)


def rows(found: Scan, numbers: Sequence[int]) -> list[list[str]]:
    """Cells of `COLUMNS` of some variants."""
    agreeing = found.agreeing
    return [
        [
            found.variants[n].kind,
            found.variants[n].name,
            f"{found.scores[n].mean():.4f}",
            f"{found.scores[n].min():.4f}",
            f"{found.scores[n].max():.4f}",
            f"{found.differences[n].mean():+.4f}",
            f"{found.differences[n].std():.4f}",
            f"{agreeing[n]:.0%}",
            str(len(found.variants[n].sequence)),
        ]
        for n in numbers
    ]
