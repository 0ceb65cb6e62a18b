"""A finished pretraining as a trunk to hand on: float16 tensors, their description and a model card."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch

from foldgraft.errors import FoldgraftError
from foldgraft.models.trunk import Trunk, alphabet
from foldgraft.models.trunk.esm2 import Network
from foldgraft.records.files import atomic
from foldgraft.trunk.card import Evidence, card
from foldgraft.trunk.checkpoint import write_trunk
from foldgraft.trunk.corpus import Corpus
from foldgraft.trunk.examination import Examination
from foldgraft.trunk.pretrain import describe, digest
from foldgraft.trunk.settings import PretrainSettings
from foldgraft.trunk.state import read_state

UNUSED = {"steps", "minutes", "decay"}
"""Settings that legs do not use."""
COMPARED = 100
"""Validation sequences on which float16 weights are compared with float32 ones."""


def package(
    state: Path, train: Corpus, valid: Corpus, settings: PretrainSettings, name: str, evidence: Evidence, folder: Path
) -> dict[str, Any]:
    """Write `model.safetensors`, `trunk.json` and `README.md` from the state that a cool-down left.

    Returns
    -------
    What `trunk.json` says of the pretraining: figures, history and legs, and what float16 costs.

    Raises
    ------
    FoldgraftError
        if the state is of another text or other settings, was not cooled down, or has weights too large for float16.
    """
    learner = read_state(state, settings, torch.device("cpu"), digest(train, valid, settings))
    if learner is None:
        raise FoldgraftError(f"{state}: is of other settings or another text; give those that its legs were given")
    if not learner.legs or learner.legs[-1]["kind"] != "cool-down":
        raise FoldgraftError(f"{state}: is the state of a plateau; cool it down first (trunk leg --final)")
    exam = Examination(valid, settings)
    half = copy.deepcopy(learner.network).half().eval()
    if not all(tensor.isfinite().all() for tensor in half.state_dict().values()):
        raise FoldgraftError(f"{state}: has weights beyond {torch.finfo(torch.float16).max:.0f}, too large for float16")
    about = {
        "settings": settings.model_dump(mode="json", exclude=UNUSED),
        "corpus": evidence.corpus,
        **describe(learner, train, exam),
        "legs": learner.legs,
        "float16": float16_cost(learner.network.eval(), half, exam, valid),
    }
    weights, description = folder / "model.safetensors", folder / "trunk.json"
    write_trunk(weights, description, half, name, {"source": {"kind": "pretrain"}, "pretraining": about})
    with atomic(folder / "README.md") as temporary:
        temporary.write_text(card(name, half, weights.stat().st_size, about, evidence), encoding="utf-8")
    return about


@torch.no_grad()
def float16_cost(network: Network, half: Network, exam: Examination, valid: Corpus) -> dict[str, float]:
    """What rounding the weights to float16 does, computed with in float32 as `Trunk` does: to the perplexity, and to
    representations, as a fraction of their root mean square (the largest and the root mean square error)."""
    rounded = copy.deepcopy(half).float()
    squares = difference = largest = 0.0
    texts = [valid[number] for number in range(min(COMPARED, len(valid)))]
    cpu = torch.device("cpu")
    plain, coarse = Trunk(copy.deepcopy(network), "", "", cpu), Trunk(rounded, "", "", cpu)
    letters = ["".join(alphabet.TOKENS[token] for token in tokens) for tokens in texts]
    for a, b in zip(plain.embed(letters), coarse.embed(letters), strict=True):
        squares += float((a.astype(np.float64) ** 2).mean())
        difference += float(((a - b).astype(np.float64) ** 2).mean())
        largest = max(largest, float(np.abs(a - b).max()))
    scale = np.sqrt(squares / len(texts))
    return {
        "valid_perplexity": exam.perplexity(rounded),
        "relative_rms_error": float(np.sqrt(difference / len(texts)) / scale),
        "relative_largest_error": float(largest / scale),
    }
