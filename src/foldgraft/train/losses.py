"""Losses, each tied to the activation that its last layer wants."""

import torch
import torch.nn.functional as F
from torch import Tensor

Name = str


def loss(name: Name, logits: Tensor, labels: Tensor) -> Tensor:
    """Mean loss of logits, shape (B,), for labels in [0, 1].

    `bce` is the cross-entropy of the logit, computed from it for precision; `mse` the squared error of its sigmoid
    (the Brier score where labels are 0 or 1). Both are least where the sigmoid is the expected label, so that either
    way the sigmoid is a probability.
    """
    if name == "mse":
        return F.mse_loss(torch.sigmoid(logits), labels)
    return F.binary_cross_entropy_with_logits(logits, labels)


def floor(name: Name, labels: Tensor) -> float:
    """The least loss that any head can reach on these labels: above zero for the cross-entropy of fractions."""
    if name == "mse":
        return 0.0
    return float(F.binary_cross_entropy(labels, labels))


def logit(probability: float) -> float:
    """Log odds, of a probability kept away from 0 and 1."""
    p = torch.tensor(probability, dtype=torch.float64).clamp(1e-4, 1 - 1e-4)
    return float(torch.logit(p))
