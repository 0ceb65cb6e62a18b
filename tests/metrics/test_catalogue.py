"""The names of metrics."""

import pytest

from foldgraft.metrics.catalogue import describe, headline
from foldgraft.metrics.contacts import METRICS as CONTACT_METRICS


@pytest.mark.parametrize(
    ("name", "title", "lower"),
    [
        ("roc_auc", "ROC-AUC", False),
        ("brier", "Brier score", True),
        ("P@L/5 long", "P@L/5, long (24 and more apart)", False),
        ("mae phi", "MAE of phi", True),
        ("mae psi H", "MAE of psi in H", True),
        ("mae", "MAE", True),
    ],
)
def test_a_metric_has_a_title_and_a_better_side(name, title, lower):
    assert (describe(name).title, describe(name).lower_is_better) == (title, lower)


def test_every_contact_metric_says_how_far_apart_its_pairs_are():
    assert all("apart" in describe(name).title for name in CONTACT_METRICS)


@pytest.mark.parametrize(
    ("level", "target", "expected"),
    [
        ("protein", {"kind": "binary"}, "roc_auc"),
        ("protein", {"kind": "value", "unit": "celsius"}, "r2"),
        ("residue", {"kind": "classes", "names": ["H", "E", "C"]}, "Q3"),
        ("protein", {"kind": "classes", "names": ["nucleus", "membrane"]}, "accuracy"),
        ("residue", {"kind": "angles", "names": ["phi", "psi"]}, "mae psi"),
        ("pair", {"kind": "binary"}, "P@L long"),
        ("pair", {"kind": "classes", "names": ["a", "b"]}, "cross_entropy"),
    ],
)
def test_headlines(level, target, expected):
    assert headline(level, target) == expected


def test_fractions_are_judged_by_the_variance_explained():
    assert headline("protein", {"kind": "binary"}, fractional=True) == "r2"
