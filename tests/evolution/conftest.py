"""Made-up alignments."""

import numpy as np
import pytest


@pytest.fixture
def random_codes():
    """Makes (M, L) codes: a conserved ancestor, mutated more or less, gaps among them."""

    def make(rows: int, columns: int, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        ancestor = rng.integers(0, 20, columns)
        rate = rng.uniform(0, 1, (rows, 1))
        codes = np.where(rng.random((rows, columns)) < rate, rng.integers(0, 21, (rows, columns)), ancestor)
        return codes.astype(np.uint8)

    return make
