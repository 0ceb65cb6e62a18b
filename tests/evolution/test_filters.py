"""Which rows are kept."""

import numpy as np
import pytest

from foldgraft.evolution import filters
from foldgraft.evolution.filters import build, diverse
from foldgraft.evolution.formats import Row
from foldgraft.evolution.settings import FilterSettings
from foldgraft.residues import AMINO_ACIDS


def kept(sequence, texts, covered=None, **settings):
    covered = np.ones(len(sequence), bool) if covered is None else np.array(covered)
    rows = [Row(f"r{k}", text) for k, text in enumerate(texts)]
    found, counts = build(sequence, rows, covered, FilterSettings(**settings))
    assert found[0] == Row("query", sequence)
    assert len(found) == 1 + counts["found"] - sum(counts[reason] for reason in filters.REASONS)
    return [row.text for row in found[1:]], counts


def test_copies_and_short_rows_are_dropped():
    texts = ["-CDE-", "-CWE-", "-CxWE-", "---E-", "-C-E-", "-XXE-"]
    found, counts = kept("ACDEF", texts, [False, True, True, True, False], min_coverage=0.5)
    assert found == ["-CWE-", "-C-E-"]
    assert counts == {"found": 6, "repeated": 3, "short": 1}  # X and a gap are one


def test_distant_rows_are_dropped():
    found, counts = kept("ACDEFGHIKL", ["ACDEFWWWWW", "ACDEWWWWWW", "ACDEWW----"], min_identity=0.5, min_coverage=0.1)
    assert found == ["ACDEFWWWWW", "ACDEWW----"] and counts["distant"] == 1


def test_an_even_selection_of_too_many_is_kept():
    texts = [a + b for a in AMINO_ACIDS for b in AMINO_ACIDS][1:]
    found, counts = kept("AA", texts, max_sequences=11)
    assert len(found) == 10 and found[0] == "AC" and found[-1] == "YY" and counts["surplus"] == 389
    assert kept("AA", texts, max_sequences=1)[0] == []


def test_of_relatives_the_first_is_kept():
    found, counts = kept("ACDEFGHIKL", ["ACDEFGHIKW", "WWDEFGHIKL", "WWWWWGHIKL", "WWWWWWHIKL"], max_identity=0.9)
    assert found == ["WWDEFGHIKL", "WWWWWGHIKL"] and counts["alike"] == 2


def alike(row, other, identity):
    letters = max((row < 20).sum(), (other < 20).sum())
    return ((row == other) & (row < 20)).sum() >= identity * letters - 1e-9


@pytest.mark.parametrize("identity", [0.3, 0.6, 0.9])
def test_diversity_agrees_with_comparing_one_by_one(random_codes, identity, monkeypatch):
    monkeypatch.setattr(filters, "BLOCK", 7)
    codes = random_codes(60, 25, seed=3)
    expected: list[int] = []
    for k, row in enumerate(codes):
        if not any(alike(row, codes[j], identity) for j in expected):
            expected.append(k)
    assert np.flatnonzero(diverse(codes, identity)).tolist() == expected
