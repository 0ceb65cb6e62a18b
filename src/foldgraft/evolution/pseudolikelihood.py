"""Coevolution by pseudolikelihood maximisation (Ekeberg et al. 2013, doi 10.1103/PhysRevE.87.012707; 2014,
10.1016/j.jcp.2014.07.024, for the asymmetric form that is solved here).

Each position is a weighted, ridge-penalised softmax regression of its letter on the letters of all other positions; a
gap is no letter: it neither predicts nor is predicted. A pair's couplings are the mean of the two regressions'.

The regressions of a protein share their inputs X, and near independence the curvature of position i is the Kronecker
product of X^T X and of S_i, the covariance of its letters (Böhning 1992, doi 10.1007/BF00048682, bounds it likewise).
With both diagonalised once, preconditioned conjugate gradients (Polak-Ribière, an exact line search for each position)
need about six rounds, each of a few large matrix products. Positions are solved a block at a time, so that memory is
bounded by the couplings themselves, (20 L)^2 numbers.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from foldgraft.evolution.a3m import GAP
from foldgraft.records.pairs import triangle

BLOCK = 1024
"""Positions times letters solved at a time."""
NEVER = -1e4  # field of a letter that a position never shows
LINE_STEPS = 3  # Newton's in the line search
LONGEST_STEP = 4.0
STILL = 1e-12  # of squared gradients, below which there is nothing to divide by
FLAT = 1e-6  # share of the largest eigenvalue below which one counts for nothing


class Regressions:
    """The regressions of all positions of an alignment.

    Parameters
    ----------
    codes : (M, L) uint8, see `a3m.encode`
    weights : (M,)
    ridge : float
        penalty on squared couplings; each regression carries half of what a symmetric model would.
    device : torch.device or str
    precision : torch.dtype
        where and how the numbers are kept.
    """

    def __init__(
        self,
        codes: np.ndarray,
        weights: np.ndarray,
        ridge: float,
        device: torch.device | str = "cpu",
        precision: torch.dtype = torch.float32,
    ):
        self.codes = torch.from_numpy(codes.astype(np.int64)).to(device)
        self.weights = torch.from_numpy(weights).to(device, precision)
        self.ridge = ridge
        self.length = codes.shape[1]
        onehot = torch.nn.functional.one_hot(self.codes, GAP + 1)[:, :, :GAP].flatten(1)
        self.columns = onehot.any(dim=0).nonzero()[:, 0]  # of the 20 L letters, those that are seen
        self.inputs = onehot[:, self.columns].to(precision)  # (M, D)
        del onehot
        mean = self.weights @ self.inputs / self.weights.sum()
        self.inputs -= mean
        self._diagonalise()

    def _diagonalise(self) -> None:
        """Eigenvalues and eigenvectors of X^T W X, of whichever of its two Gram matrices is smaller."""
        root = self.weights.sqrt()[:, None] * self.inputs
        if len(root) < root.shape[1]:
            values, vectors = torch.linalg.eigh(root @ root.T)
            kept = values > FLAT * values[-1]
            self.values = values[kept]
            self.vectors = root.T @ vectors[:, kept] / self.values.sqrt()
        else:
            values, vectors = torch.linalg.eigh(root.T @ root)
            kept = values > FLAT * values[-1]
            self.values, self.vectors = values[kept], vectors[:, kept]

    def couplings(self, rounds: int, tolerance: float) -> Tensor:
        """The couplings of each position's letters (columns) with the letters of the others (rows); (20 L, 20 L).

        Parameters
        ----------
        rounds : int
            largest number of rounds.
        tolerance : float
            fraction of the first round's squared gradient, in the metric of the curvature, at which a position is done.
        """
        found = torch.zeros(GAP * self.length, GAP * self.length, dtype=self.inputs.dtype, device=self.inputs.device)
        step = max(1, BLOCK // GAP)
        for start in range(0, self.length, step):
            stop = min(start + step, self.length)
            found[self.columns, GAP * start : GAP * stop] = _Block(self, start, stop).solve(rounds, tolerance)
        return found


class _Block:
    """The regressions of some positions, solved together, each with its own steps."""

    def __init__(self, of: Regressions, start: int, stop: int):
        self.of, self.size = of, stop - start
        codes = of.codes[:, start:stop]
        self.known = (codes < GAP) * of.weights[:, None]  # (M, B)
        onehot = torch.nn.functional.one_hot(codes, GAP + 1)[:, :, :GAP].to(of.inputs.dtype)
        counts = (onehot * self.known[:, :, None]).sum(dim=0)  # (B, 20)
        self.share = counts / counts.sum(dim=1, keepdim=True).clamp_min(STILL)
        self.seen = (counts > 0).flatten()
        self.spread = (counts.sum(dim=1, keepdim=True) * self.share * (1 - self.share)).flatten()
        self.target = onehot
        position = of.columns // GAP
        self.own = position[:, None] == torch.arange(start, stop, device=position.device).repeat_interleave(GAP)
        covariance = torch.diag_embed(self.share) - self.share[:, :, None] * self.share[:, None, :]
        values, self.turn = torch.linalg.eigh(covariance)
        self.curvature = of.values[:, None, None] * values.clamp_min(0) + of.ridge  # (r, B, 20)

    def solve(self, rounds: int, tolerance: float) -> Tensor:
        """Couplings of the block's letters with those seen; (D, 20 B)."""
        of, size = self.of, self.size
        fields = torch.where(self.seen, self.share.flatten().clamp_min(1e-30).log(), NEVER)
        couplings = torch.zeros(len(of.columns), size * GAP, dtype=of.inputs.dtype, device=of.inputs.device)
        logits = fields.expand(len(of.inputs), -1).clone()
        last = None
        for _ in range(rounds):
            residual = ((self._shaped(logits).softmax(dim=2) - self.target) * self.known[:, :, None]).flatten(1)
            slope, field_slope = of.inputs.T @ residual + of.ridge * couplings, residual.sum(dim=0)
            slope[self.own] = 0
            downhill = self._preconditioned(slope)
            field_downhill = torch.where(self.seen, field_slope / (self.spread + 1), 0)
            power = self._dot(slope, downhill) + self._dot(field_slope[None], field_downhill[None])
            direction, field_direction = -downhill, -field_downhill
            if last is None:
                enough = (tolerance * power).clamp_min(STILL)
            else:
                overlap = self._dot(last[0], downhill) + self._dot(last[1][None], field_downhill[None])
                keep = ((power - overlap) / last[4].clamp_min(STILL)).clamp_min(0).repeat_interleave(GAP)
                direction += keep * last[2]
                field_direction += keep * last[3]
            active = power > enough
            if not active.any():
                break
            last = slope, field_slope, direction, field_direction, power
            change = of.inputs @ direction + field_direction
            length = self._line_search(logits, change, couplings, direction)
            length = torch.where(active, length, 0).repeat_interleave(GAP)
            couplings += length * direction
            logits += length * change
        return couplings

    def _preconditioned(self, slope: Tensor) -> Tensor:
        """The slope divided by the curvature at independence, the ridge included."""
        of = self.of
        turned = torch.einsum("rbl,blk->rbk", self._shaped(of.vectors.T @ slope), self.turn)
        turned *= 1 / self.curvature - 1 / of.ridge
        turned = torch.einsum("rbk,blk->rbl", turned, self.turn).flatten(1)
        found = slope / of.ridge + of.vectors @ turned
        found[self.own] = 0
        return found

    def _line_search(self, logits: Tensor, change: Tensor, couplings: Tensor, direction: Tensor) -> Tensor:
        """How far each position goes along its direction; (B,)."""
        logits, change = self._shaped(logits), self._shaped(change)
        ridge, known = self.of.ridge, self.known
        along, square = self._dot(couplings, direction), self._dot(direction, direction)
        wanted = ((self.target * change).sum(dim=2) * known).sum(dim=0)
        length = torch.zeros_like(wanted)
        for _ in range(LINE_STEPS):
            chance = (logits + length[:, None] * change).softmax(dim=2)
            mean = (chance * change).sum(dim=2)
            slope = (mean * known).sum(dim=0) - wanted + ridge * (along + length * square)
            bend = (((chance * change.square()).sum(dim=2) - mean.square()) * known).sum(dim=0) + ridge * square
            length = (length - slope / bend.clamp_min(STILL)).clamp(0, LONGEST_STEP)
        return length

    def _shaped(self, values: Tensor) -> Tensor:
        return values.view(len(values), self.size, GAP)

    def _dot(self, one: Tensor, other: Tensor) -> Tensor:
        """Inner product of each position's part; (B,)."""
        return (one * other).sum(dim=0).view(self.size, GAP).sum(dim=1)


def strengths(
    codes: np.ndarray,
    weights: np.ndarray,
    regularization: float,
    device: torch.device | str = "cpu",
    rounds: int = 6,
    tolerance: float = 1e-3,
) -> np.ndarray:
    """Frobenius norm of each pair's couplings in the zero-sum gauge.

    Parameters
    ----------
    codes : (M, L) uint8, see `a3m.encode`
    weights : (M,)
    regularization : float
        penalty on squared couplings per other letter and other position: `regularization * 19 * (L - 1)`, as plmc and
        EVcouplings scale it (Hopf et al. 2017, doi 10.1038/nbt.3769).

    Returns
    -------
    (L, L) float64, symmetric, zero on the diagonal.
    """
    length = codes.shape[1]
    regressions = Regressions(codes, weights, regularization * (GAP - 1) * (length - 1), device)
    return norms(regressions.couplings(rounds, tolerance))


def norms(couplings: Tensor) -> np.ndarray:
    """Norms of the pairs' couplings, the two regressions' averaged, in the zero-sum gauge; (L, L) float64."""
    length = len(couplings) // GAP
    whole = couplings.view(length, GAP, length, GAP)
    squares = torch.zeros(length, length, dtype=torch.float64, device=couplings.device)
    for position, block in _symmetric(whole):
        block = block - block.mean(dim=0, keepdim=True)
        block -= block.mean(dim=2, keepdim=True)
        squares[position] = block.square().sum(dim=(0, 2), dtype=torch.float64)
    found = squares.sqrt().cpu().numpy()
    result = np.zeros_like(found)
    i, j = triangle(length)
    result[i, j] = result[j, i] = found[i, j]
    return result


def _symmetric(whole: Tensor) -> Iterator[tuple[int, Tensor]]:
    """For each position its couplings with all, the mean of both regressions; (20, L, 20)."""
    for position in range(len(whole)):
        yield position, (whole[position] + whole[:, :, position].permute(2, 0, 1)) / 2
