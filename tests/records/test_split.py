"""The roles of folds: a case by hand, and what holds of any split."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.records.split import roles, validation_folds

FOLDS = st.lists(st.integers(0, 6), min_size=1, max_size=60)


def plain(found):
    return [(r.test_fold, r.valid_fold, r.train.tolist(), r.valid.tolist(), r.test.tolist()) for r in found]


def test_by_hand():
    fold = [2, 0, 1, 3, 0]
    assert plain(roles(fold)) == [(0, 1, [0, 3], [2], [1, 4])]
    assert [(r.test_fold, r.valid_fold) for r in roles(fold, inner=True)] == [(0, 1), (0, 2), (0, 3)]
    assert plain(roles(fold, cross_validate=True)) == [
        (0, 1, [0, 3], [2], [1, 4]),
        (1, 2, [1, 3, 4], [0], [2]),
        (2, 3, [1, 2, 4], [3], [0]),
        (3, 0, [0, 2], [1, 4], [3]),
    ]
    nested = [(r.test_fold, r.valid_fold) for r in roles(fold, cross_validate=True, inner=True)]
    assert nested[:6] == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (1, 0)] and len(nested) == 12


def test_a_subset_that_lost_its_validation_fold_says_so_by_an_empty_role():
    (only,) = roles([0, 2, 3])
    assert (only.valid_fold, len(only.valid)) == (1, 0)


def test_after_the_last_fold_comes_the_first():
    assert validation_folds([7, 3, 5, 3]) == {3: 5, 5: 7, 7: 3}


@given(FOLDS, st.booleans(), st.booleans())
def test_every_row_has_one_role(fold, cross_validate, inner):
    for one in roles(fold, cross_validate, inner):
        rows = np.concatenate([one.train, one.valid, one.test])
        assert sorted(rows.tolist()) == list(range(len(fold)))
        assert one.test_fold != one.valid_fold
        assert {fold[row] for row in one.test} <= {one.test_fold}
        assert {fold[row] for row in one.valid} <= {one.valid_fold}


@given(FOLDS.filter(lambda fold: len(set(fold)) >= 2))
def test_cross_validation_tests_every_row_once_and_inner_folds_use_every_other_row_to_validate(fold):
    tested = np.concatenate([one.test for one in roles(fold, cross_validate=True)])
    assert sorted(tested.tolist()) == list(range(len(fold)))
    for test in set(fold):
        members = [one for one in roles(fold, cross_validate=True, inner=True) if one.test_fold == test]
        validated = np.concatenate([one.valid for one in members])
        assert sorted(validated.tolist()) == [row for row, name in enumerate(fold) if name != test]
        assert members[0].valid_fold == validation_folds(fold)[test]
