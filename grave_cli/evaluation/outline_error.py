"""Pairs of outlines in, how far they lie apart out; in a frame whose unit is the metre."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.outlines.polygons import Polygons

Metres = NDArray[np.float64]

_STEP_M = 0.05  # between points along an outline; on a straight side the distance varies linearly
_AT_ONCE = 2000  # pairs; keeps the points in memory to some hundred thousand
_STRAIGHT_M = 0.01  # a vertex nearer to the line between its neighbours is no corner
_SQUARE = 0.1  # largest cosine of a rectangle's corner: 90 degrees give or take 6


@dataclass(frozen=True)
class Distances:
    """How far points of outlines lie from the outline they should be.

    Args:
        metres: Of each point.
        weights: Length of outline that the point stands for, in metres.

    Shapes:
        each: (points,)
    """

    metres: Metres
    weights: Metres

    def mean(self) -> float:
        """Return the mean along the outlines; NaN without any."""
        total = self.weights.sum()
        return float((self.metres * self.weights).sum() / total) if total else np.nan

    def quantile(self, share: float) -> float:
        """Return the distance within which a share of the outlines lies; NaN without any."""
        if not len(self.metres):
            return np.nan
        order = np.argsort(self.metres)
        reached = np.cumsum(self.weights[order])
        index = np.searchsorted(reached, share * reached[-1])
        return float(self.metres[order][min(index, len(order) - 1)])


def boundary_distances(first: Polygons, second: Polygons) -> Distances:
    """Measure how far the outlines of pairs lie apart, along both outlines, holes included.

    The mean of these is the average symmetric surface distance, their 95th percentile what is
    called HD95. Points lie in the middle of pieces of 5 cm at most and weigh as much as those.

    Source: Heimann et al. 2009, Comparison and Evaluation of Methods for Liver Segmentation.
    Departure: all graves are pooled, so that the percentile is one of all outlines.

    Args:
        first: Valid polygons, in metres.
        second: Their partners.
    """
    metres, weights = [np.zeros(0)], [np.zeros(0)]
    for start in range(0, len(first), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        for polygons, others in ((first[part], second[part]), (second[part], first[part])):
            points, lengths, owner = _points_along(polygons)
            outlines = shapely.boundary(others)
            metres.append(shapely.distance(shapely.points(points), outlines[owner]))
            weights.append(lengths)
    return Distances(np.concatenate(metres), np.concatenate(weights))


def corner_distances(first: Polygons, second: Polygons) -> Metres:
    """Measure how far the corners of pairs lie apart where both of a pair are rectangles.

    Corners correspond in the turn that makes the sum of their squared distances smallest.

    Args:
        first: Valid polygons, in metres.
        second: Their partners.

    Shapes:
        returns: (pairs of rectangles, 4)
    """
    one, other = rectangle_corners(first), rectangle_corners(second)
    both = np.isfinite(one).all(axis=(1, 2)) & np.isfinite(other).all(axis=(1, 2))
    turns = [np.roll(other[both], turn, axis=1) - one[both] for turn in range(4)]
    squares = np.stack([(turn**2).sum(axis=2) for turn in turns])
    best = squares.sum(axis=2).argmin(axis=0)
    return np.asarray(np.sqrt(squares[best, np.arange(len(best))]))


def rectangle_corners(polygons: Polygons) -> NDArray[np.float64]:
    """Find the corners of those polygons that are rectangles; NaN for the others.

    A rectangle has no hole, and four corners of 84 to 96 degrees; vertices on its sides do not
    count.

    Shapes:
        returns: (polygons, 4, 2), anticlockwise
    """
    plain = shapely.orient_polygons(shapely.simplify(polygons, _STRAIGHT_M))
    corners = np.full((len(polygons), 4, 2), np.nan)
    four = np.flatnonzero(
        (shapely.get_num_coordinates(plain) == 5) & (shapely.get_num_interior_rings(plain) == 0)
    )
    points = shapely.get_coordinates(plain[four]).reshape(len(four), 5, 2)[:, :4]
    sides = np.roll(points, -1, axis=1) - points
    sides /= np.hypot(sides[..., 0], sides[..., 1])[..., None]
    cosines = (sides * np.roll(sides, 1, axis=1)).sum(axis=2)
    square = (np.abs(cosines) <= _SQUARE).all(axis=1)
    corners[four[square]] = points[square]
    return corners


def _points_along(polygons: Polygons) -> tuple[Metres, Metres, NDArray[np.intp]]:
    """Lay points along outlines.

    Returns:
        The points, the length that each stands for, and the polygon that it belongs to.
    """
    rings, ring_owner = shapely.get_rings(polygons, return_index=True)
    corners, ring = shapely.get_coordinates(rings, return_index=True)
    same = ring[1:] == ring[:-1]
    starts, sides = corners[:-1][same], np.diff(corners, axis=0)[same]
    owner = ring_owner[ring[:-1][same]]
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    counts = np.ceil(lengths / _STEP_M).astype(np.intp)
    side = np.repeat(np.arange(len(sides)), counts)
    number = np.arange(len(side)) - np.repeat(np.cumsum(counts) - counts, counts)
    along = (number + 0.5) / counts[side]
    points = starts[side] + along[:, None] * sides[side]
    return points, (lengths / counts.clip(1))[side], owner[side]
