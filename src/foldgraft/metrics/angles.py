"""Errors of angles, around the circle."""

import numpy as np

Array = np.ndarray


def angle_errors(truth: Array, predicted: Array, pi_periodic: bool | Array = False) -> Array:
    """Absolute difference of angles in degrees, by the shorter way round.

    Parameters
    ----------
    truth, predicted : array, shape (..., 2 * A)
        Sine and cosine of A angles in turn; a prediction need not lie on the unit circle. NaN where unknown.
    pi_periodic : bool or bool array, shape (A,)
        Angles that mean the same half a turn on, as chi2 of phenylalanine does.

    Returns
    -------
    float64 array, shape (..., A)
        0 to 180, or to 90 where pi-periodic; NaN where truth or prediction is NaN.
    """
    turn = np.abs(as_degrees(truth) - as_degrees(predicted))
    turn = np.minimum(turn, 360.0 - turn)
    return np.where(pi_periodic, np.minimum(turn, 180.0 - turn), turn)


def as_degrees(values: Array) -> Array:
    """Angles in (-180, 180] of sines and cosines in turn; shape (..., 2 * A) to (..., A)."""
    values = np.asarray(values, dtype=np.float64)
    return np.degrees(np.arctan2(values[..., 0::2], values[..., 1::2]))
