"""Errors of angles against arithmetic on the degrees themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foldgraft.metrics.angles import angle_errors, as_degrees

degrees = st.floats(-180, 180)


def circle(*angles: float) -> np.ndarray:
    radians = np.radians(angles)
    return np.stack([np.sin(radians), np.cos(radians)], axis=1).ravel()


def test_by_hand():
    truth, predicted = circle(179, -60, 10), circle(-179, 60, 10)
    assert angle_errors(truth, predicted) == pytest.approx([2, 120, 0])
    assert angle_errors(truth, predicted, np.array([False, True, False])) == pytest.approx([2, 60, 0])


@given(degrees, degrees, st.floats(0.1, 10))
def test_the_shorter_way_round_whatever_the_length_of_the_vector(a, b, length):
    error = angle_errors(circle(a), length * circle(b)).item()
    assert error == pytest.approx(abs((a - b + 180) % 360 - 180), abs=1e-6)
    halved = angle_errors(circle(a), circle(b), pi_periodic=True).item()
    assert halved == pytest.approx(abs((a - b + 90) % 180 - 90), abs=1e-6)
    assert angle_errors(circle(b), circle(a)).item() == pytest.approx(error, abs=1e-6)


def test_what_is_not_known_has_no_error():
    found = angle_errors(np.array([[np.nan, np.nan, 0.0, 1.0]]), np.array([[0.0, 1.0, 0.0, 1.0]]))
    assert np.isnan(found[0, 0])
    assert found[0, 1] == 0


def test_degrees_of_sines_and_cosines():
    assert as_degrees(circle(-90, 0, 45)) == pytest.approx([-90, 0, 45])
