"""Contact maps of whole chains from a trained head."""

import numpy as np

from foldgraft.models.feature_pairs import Coevolution, Layout, pair_index
from foldgraft.models.head_contact import score_pairs
from foldgraft.models.head_file import Trained
from foldgraft.models.trunk import Trunk


def contact_map(
    trained: Trained,
    layout: Layout,
    trunk: Trunk,
    sequence: str,
    coevolution: Coevolution | None,
    residue: np.ndarray | None,
) -> np.ndarray:
    """Contact probabilities of all pairs of a chain, the mean over the head's members.

    Parameters
    ----------
    layout
        of the features that the head was trained on.
    residue
        residue embeddings, shape (L, D), for heads that want them.

    Returns
    -------
    shape (P,), float32, packed as `foldgraft.records.pairs` packs it; zero for pairs nearer along the chain than
    `foldgraft.models.feature_pairs.SEPARATION`. One layer's attention maps are held at a time.
    """
    length = len(sequence)
    scores = np.zeros(length * (length - 1) // 2, dtype=np.float32)
    index = pair_index(length)
    if len(index.places):
        blocks = layout.blocks(trunk, sequence, index.places, coevolution)
        logits = score_pairs(trained.members, blocks, index.i, index.j, residue, trunk.device)
        scores[index.places] = trained.probabilities(logits).mean(dim=0).cpu().numpy()
    return scores
