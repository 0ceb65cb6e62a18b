"""Who trains, validates and tests which member."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.train.members import assign
from foldgraft.train.settings import SolubilityExperiment


def table(folds, per=4):
    fold = np.repeat(np.arange(folds), per)
    split = np.where(fold == 0, "test", np.where(fold == 1, "valid", "train"))
    return pd.DataFrame({"fold": fold, "split": split, "label": np.arange(len(fold)) % 2 * 1.0})


@given(st.integers(3, 8), st.integers(0, 100))
def test_folds_take_turns(folds, seed):
    groups = assign(table(folds), SolubilityExperiment(cross_validate=True, seed=seed, members=5))
    fold = table(folds)["fold"].to_numpy()
    assert [group.fold for group in groups] == list(range(folds))
    assert len({seed for group in groups for seed in group.seeds}) == folds
    for f, group in enumerate(groups):
        assert set(fold[group.test]) == {f} and set(fold[group.valid]) == {(f + 1) % folds}
        rows = np.concatenate([group.train, group.valid, group.test])
        assert sorted(rows) == list(range(len(fold)))


def test_the_first_fold_is_the_split_itself():
    one, (first, *_) = table(5), assign(table(5), SolubilityExperiment(cross_validate=True))
    (plain,) = assign(one, SolubilityExperiment(members=2, seed=3))
    for name in ("train", "valid", "test"):
        assert (getattr(first, name) == getattr(plain, name)).all()
    assert plain.seeds == (3, 4) and plain.fold is None


def test_published_folds_may_have_any_numbers():
    odd = table(3).assign(fold=lambda t: t["fold"] * 10 + 5)
    assert [g.fold for g in assign(odd, SolubilityExperiment(cross_validate=True))] == [5, 15, 25]


@pytest.mark.parametrize("settings", [{"optimizer": {"name": "lbfgs"}}, {"head": "transformer"}, {"dropout": 1.0}])
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match=r"lbfgs|head|dropout"):
        SolubilityExperiment.model_validate(settings)
