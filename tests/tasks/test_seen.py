"""What training proteins are like, and what is unlike them."""

import numpy as np
import pytest
from Bio.SeqUtils.ProtParam import ProteinAnalysis

from foldgraft.residues import AMINO_ACIDS
from foldgraft.tasks.seen import composition, describe, warnings

RNG = np.random.default_rng(0)
TRAINING = ["M" + "".join(RNG.choice(list(AMINO_ACIDS), RNG.integers(40, 120))) for _ in range(2000)]


def test_composition_is_that_of_biopython():
    expected = ProteinAnalysis(TRAINING[0]).amino_acids_percent
    assert composition(TRAINING[0]) == pytest.approx([expected[letter] / 100 for letter in AMINO_ACIDS])


def test_one_in_a_thousand_training_proteins_is_odd():
    seen = describe(TRAINING, RNG.random(2000).tolist())
    assert (seen.shortest, seen.longest) == (min(map(len, TRAINING)), max(map(len, TRAINING)))
    odd = sum("composition" in " ".join(warnings(sequence, seen, None)) for sequence in TRAINING)
    assert odd == 2 and seen.methionine == 1 and seen.far == pytest.approx(0.999, abs=2e-3)


def test_what_is_odd_is_said():
    seen = describe(TRAINING, [1.0, 2.0])
    assert warnings(TRAINING[5], seen, 1.5) == []
    assert "far from" in warnings(TRAINING[5], seen, 2.5)[0]
    assert [word.split()[0] for word in warnings("GSG" * 60, seen, None)] == ["longer", "does", "an"]
    assert warnings(TRAINING[5] + "XB", describe(TRAINING[5:6]), None)[-1].startswith("2 residues are unknown")
