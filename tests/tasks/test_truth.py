"""Truth from the targets of a chain, and what a distogram says of contacts and distances."""

import numpy as np
import pytest

from foldgraft.records.pairs import triangle
from foldgraft.records.targets import MASKED, TORSIONS, Targets
from foldgraft.targets.pairs import distogram_bins
from foldgraft.tasks.truth import TRUTH, bin_centres, share_in_contact


def chain(length=5) -> Targets:
    pairs = len(triangle(length)[0])
    angles = np.linspace(-3, 3, length * len(TORSIONS)).reshape(length, len(TORSIONS))
    mask = np.ones((length, len(TORSIONS)), dtype=bool)
    mask[0, 0] = mask[-1, 1] = False
    return Targets(
        id="c",
        sequence="ACDEF"[:length],
        sequence_sha256="0" * 64,
        distogram=np.r_[[MASKED], np.arange(pairs - 1)].astype(np.uint8),
        contacts=np.arange(pairs) % 2 == 0,
        pair_mask=np.arange(pairs) != 3,
        torsions=np.stack([np.sin(angles), np.cos(angles)], -1).astype(np.float32),
        torsion_mask=mask,
        ss3="HEC-H",
    )


def test_the_truth_of_each_task_and_its_masks():
    targets = chain()
    assert TRUTH["ss3"](targets)[:, 0].tolist()[:3] == [0, 1, 2]
    assert np.flatnonzero(np.isnan(TRUTH["ss3"](targets)[:, 0])).tolist() == [3]
    torsions = TRUTH["torsions"](targets)
    assert torsions.shape == (5, 4)
    assert np.isnan(torsions[0]).tolist() == [True, True, False, False]
    assert np.isnan(torsions[-1]).tolist() == [False, False, True, True]
    assert torsions[2, 2:] == pytest.approx(targets.torsions[2, 1])
    assert np.flatnonzero(np.isnan(TRUTH["contact"](targets)[:, 0])).tolist() == [3]
    assert TRUTH["contact"](targets)[:3, 0].tolist() == [1, 0, 1]
    assert np.flatnonzero(np.isnan(TRUTH["distogram"](targets)[:, 0])).tolist() == [0, 3]


def test_bins_stand_for_the_distances_that_the_targets_stage_puts_into_them():
    distances = np.linspace(1, 30, 4000)
    bins = distogram_bins(distances)
    inner = (bins > 0) & (bins < 63)
    assert np.abs(bin_centres()[bins[inner]] - distances[inner]).max() <= 0.157
    share = share_in_contact()
    assert (share[bins[distances < 7.9]] == 1).all() and (share[bins[distances > 8.3]] == 0).all()
    cut = bins[np.searchsorted(distances, 8.0)]
    among = distances[bins == cut]
    assert share[cut] == pytest.approx((among < 8).mean(), abs=0.03) and 0 < share[cut] < 1
