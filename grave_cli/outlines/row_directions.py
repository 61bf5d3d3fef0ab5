"""Directions of single graves in, directions aligned with their rows out."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

Floats = NDArray[np.float64]

_ROUNDS = 3  # then neighbours agree within a tenth of a degree


def follow_rows(
    angles: Floats, weights: Floats, centres: Floats, reach: float, within: Floats
) -> Floats:
    """Turn graves into the direction of their row if they nearly follow it.

    The direction of a row is the weighted mean over a grave and its neighbours that differ by no
    more than its tolerance; a quarter turn makes no difference. A grave that lies askew on purpose
    keeps its direction.

    Args:
        angles: Directions, radians.
        weights: Weight of each direction in the mean; 0 excludes it.
        centres: Centres of the graves.
        reach: Radius within which graves are neighbours, in the unit of centres.
        within: Tolerance of each grave, radians.

    Shapes:
        angles, weights, within: (n,); centres: (n, 2)
    """
    here, there = KDTree(centres).query_pairs(reach, output_type="ndarray").T
    pairs = np.concatenate([[here, there], [there, here]], axis=1)
    rows = angles
    for _ in range(_ROUNDS):
        near = np.abs(_difference(rows[pairs[1]], rows[pairs[0]])) <= within[pairs[0]]
        first, second = pairs[:, near]
        # Four times an angle is the same for directions a quarter turn apart: 88 and 1 degrees give
        # 352 and 4, of mean 358 = -2. Both turn by 1.5, to 89.5 and -0.5: at right angles.
        quarter = weights * np.exp(4j * rows)
        around = _sums(first, quarter[second], len(rows)) + quarter
        rows = np.where(np.abs(around) > 0, np.angle(around) / 4, rows)
    turn = _difference(rows, angles)
    return np.asarray(angles + np.where(np.abs(turn) <= within, turn, 0))


def _difference(first: Floats, second: Floats) -> Floats:
    """Subtract directions modulo a quarter turn; the result lies in [-pi/4, pi/4)."""
    return np.asarray((first - second + np.pi / 4) % (np.pi / 2) - np.pi / 4)


def _sums(
    index: NDArray[np.intp], values: NDArray[np.complex128], count: int
) -> NDArray[np.complex128]:
    parts = [np.bincount(index, part, minlength=count) for part in (values.real, values.imag)]
    return np.asarray(parts[0] + 1j * parts[1])
