"""Places and drawn graves in, how well each place continues the rows around it out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grave_cli.register.frames import Floats, measure_frames
from grave_cli.register.neighbours import FACING, Pairs, measure_pairs, near_pairs

_REACH_M = 1.2  # free distance between neighbours of a row
_DEEPEST_M = -0.3  # outlines that overlap deeper do not lie side by side
_TURN_DEG = 6.0  # spreads of what is alike: direction, heads or feet on one line, size
_IN_LINE_M = 0.25
_SIZE_LOG = 0.35


@dataclass(frozen=True)
class Regularity:
    """How each place fits its neighbours, one entry each, in [0, 1].

    Args:
        row: Likeness to the neighbours of its row: direction, line and size; 0 without neighbours.
        line: Likeness to them in direction and line alone.
        both: The smaller likeness of the two sides; 0 at the end of a row.
    """

    row: Floats
    line: Floats
    both: Floats

    def take(self, keep: slice | NDArray[np.intp]) -> "Regularity":
        """Select places by a slice or by indices."""
        return Regularity(self.row[keep], self.line[keep], self.both[keep])


def measure_regularity(
    polygons: NDArray[np.object_], weights: Floats, metres_per_unit: float
) -> Regularity:
    """Compare each place with the graves beside it.

    Args:
        polygons: Graves and candidates, in a projected CRS or in pixels.
        weights: How far each counts as a neighbour of others, in [0, 1]: 0 for candidates.
        metres_per_unit: Metres on the ground per unit of the polygons.
    """
    count = len(polygons)
    if not count:
        return Regularity(*np.zeros((3, 0)))
    frames = measure_frames(polygons, metres_per_unit)
    first, second = near_pairs(frames, np.arange(count), _REACH_M)
    useful = (weights[first] > 0) | (weights[second] > 0)
    pairs = measure_pairs(frames, first[useful], second[useful], frames.angles, 4)
    size = np.log(np.maximum(frames.halves.prod(axis=1), 1e-9))
    best = np.zeros((3, count))
    for axis in (0, 1):
        beside = pairs.take(
            (pairs.facing[:, 1 - axis] >= FACING)
            & (pairs.gaps[:, axis] < _REACH_M)
            & (pairs.gaps[:, axis] > _DEEPEST_M)
        )
        line = _alike(beside, axis)
        like = line * np.exp(-(((size[beside.first] - size[beside.second]) / _SIZE_LOG) ** 2) / 2)
        sides = [_by_side(beside, axis, values, weights) for values in (like, line)]
        row, on_line = ((0.6 * side.max(axis=0) + 0.4 * side.min(axis=0)) for side in sides)
        better = row > best[0]
        best[:, better] = np.stack([row, on_line, sides[0].min(axis=0)])[:, better]
    return Regularity(*best)


def _alike(pairs: Pairs, axis: int) -> Floats:
    """Compare direction and line of pairs that lie side by side along an axis."""
    turned = pairs.difference / np.radians(_TURN_DEG)
    # Heads or feet on one line; the nearer of both counts.
    off = pairs.offset[:, 1 - axis] / _IN_LINE_M
    return np.asarray(np.exp(-(turned**2 + off**2) / 2))


def _by_side(pairs: Pairs, axis: int, values: Floats, weights: Floats) -> Floats:
    """Return the best neighbour of each place on either side of it along its axis.

    Shapes:
        values: (pairs,); weights: (places,); returns: (2, places)
    """
    best = np.zeros((2, len(weights)))
    ahead = pairs.steps[:, axis] > 0
    for one, other, side in (
        (pairs.first, pairs.second, ahead),
        (pairs.second, pairs.first, ~ahead),
    ):
        np.maximum.at(best, (side.astype(np.intp), one), values * weights[other])
    return best
