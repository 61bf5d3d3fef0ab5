"""Directions of single graves in, directions of rows out."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

Floats = NDArray[np.float64]

_ROUNDS = 3  # after which neighbours agree within a tenth of a degree


def follow_rows(
    angles: Floats, weights: Floats, centres: Floats, reach: float, within: Floats
) -> Floats:
    """Turn graves that nearly follow their neighbours' direction into it.

    A row's direction is the mean of the graves around, each at right angles or not, that differ
    from it by no more than the grave's tolerance; one that lies askew on purpose keeps its own.

    Args:
        angles: Directions, radians.
        weights: How well each is known; 0 for those that have no say.
        centres: Where the graves are.
        reach: How far around neighbours are asked, in the unit of centres.
        within: Tolerance of each, radians.

    Shapes:
        angles, weights, within: (n,); centres: (n, 2)
    """
    here, there = KDTree(centres).query_pairs(reach, output_type="ndarray").T
    pairs = np.concatenate([[here, there], [there, here]], axis=1)
    rows = angles
    for _ in range(_ROUNDS):
        near = np.abs(_difference(rows[pairs[1]], rows[pairs[0]])) <= within[pairs[0]]
        first, second = pairs[:, near]
        quarter = weights * np.exp(4j * rows)  # the same for angles a quarter turn apart
        around = _sums(first, quarter[second], len(rows)) + quarter
        rows = np.where(np.abs(around) > 0, np.angle(around) / 4, rows)
    turn = _difference(rows, angles)
    return np.asarray(angles + np.where(np.abs(turn) <= within, turn, 0))


def _difference(first: Floats, second: Floats) -> Floats:
    """Subtract directions of which a quarter turn makes no difference."""
    return np.asarray((first - second + np.pi / 4) % (np.pi / 2) - np.pi / 4)


def _sums(
    index: NDArray[np.intp], values: NDArray[np.complex128], count: int
) -> NDArray[np.complex128]:
    parts = [np.bincount(index, part, minlength=count) for part in (values.real, values.imag)]
    return np.asarray(parts[0] + 1j * parts[1])
