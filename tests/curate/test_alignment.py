"""The model placed on SEQRES: by numbers, else by Biopython's aligner, whose scores are held here."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldgraft.curate.alignment import align, matches

WHOLE = "MKVLAAGIVGLNQTEDRFYPSWHCKHMDIEVHTCGASLPRNQFHYWKDLEVACDEFGHIKLMNPQRSTVWY"
AMINO = "ACDEFGHIKLMNPQRSTVWY"


def spaced(kept):
    return np.diff(kept)


@settings(max_examples=60)
@given(st.data())
def test_residues_with_good_numbers_stand_at_them(data):
    kept = sorted(data.draw(st.sets(st.integers(0, len(WHOLE) - 1), min_size=20)))
    observed = "".join(WHOLE[k] for k in kept)
    assert align(observed, spaced(kept), WHOLE).tolist() == kept


@settings(max_examples=40)
@given(st.data())
def test_mutations_are_mismatches_and_not_gaps(data):
    """A stretch of other residues stays where its numbers are, however long it is."""
    start = data.draw(st.integers(1, 30))
    length = data.draw(st.integers(1, 30))
    other = data.draw(st.text(AMINO, min_size=length, max_size=length))
    model = WHOLE[:start] + other + WHOLE[start + length :]
    steps = np.ones(len(model) - 1, dtype=int)
    assert align(model, steps, WHOLE).tolist() == list(range(len(WHOLE)))


@settings(max_examples=40)
@given(st.data())
def test_a_loop_counted_over_is_found_by_the_letters(data):
    """Numbers that run on across a gap: the ends are far from it, so that letters alone tell where they stand."""
    start = data.draw(st.integers(15, 35))
    length = data.draw(st.integers(2, 15))
    kept = [*range(start), *range(start + length, len(WHOLE))]
    observed = "".join(WHOLE[k] for k in kept)
    steps = np.ones(len(kept) - 1, dtype=int)
    steps[start - 1] = 2  # the break is seen, its width is not
    places = align(observed, steps, WHOLE)
    assert matches(observed, places, WHOLE) == len(kept)
    # where the letters beside the gap repeat, the break tells which of them it is
    assert (
        places.tolist() == kept
        or WHOLE[start] == WHOLE[start + length]
        or WHOLE[start - 1] == WHOLE[start + length - 1]
    )


@pytest.mark.parametrize(
    ("observed", "steps", "sequence", "places"),
    [
        ("GSMKVLAAG", [1] * 8, "MKVLAAG", [-1, -1, 0, 1, 2, 3, 4, 5, 6]),  # a tag that the sequence lacks
        ("MKVLAAGGS", [1] * 8, "MKVLAAG", [0, 1, 2, 3, 4, 5, 6, -1, -1]),
        ("XXXXX", [1, 1, 1, 1], "MKVLA", [0, 1, 2, 3, 4]),
        ("MKHLAAG", [1] * 6, "MKXLAAG", [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_places_worked_by_hand(observed, steps, sequence, places):
    assert align(observed, np.array(steps), sequence).tolist() == places


def test_two_sequences_too_long_are_not_aligned():
    long = WHOLE * 250
    assert align(long[:15_000][::-1], np.ones(14_999, dtype=int) * 2, long[:15_000]) is None
