"""Pairs of outlines in metres in, the distances between them out."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.outlines.polygons import Polygons

Metres = NDArray[np.float64]

_MOST_PIECES = 1000  # of a side: a damaged file may hold one across the Earth
_STEP_M = 0.05  # largest piece of an outline; along a straight side, distance varies linearly
_AT_ONCE = 2000  # pairs; limits the points in memory to some hundred thousand
_STRAIGHT_M = 0.01  # a vertex this near to the line between its neighbours is no corner
_SQUARE = 0.1  # largest cosine of a rectangle's corner: 84 to 96 degrees


@dataclass(frozen=True)
class Distances:
    """Distances of points along outlines from the outlines of their partners.

    Args:
        metres: Distance of each point.
        weights: Length of outline that each point stands for, in metres.

    Shapes:
        each: (points,)
    """

    metres: Metres
    weights: Metres

    def mean(self) -> float:
        """Return the mean along the outlines; NaN without any."""
        if not len(self.metres):
            return np.nan
        return float(np.average(self.metres, weights=self.weights))

    def quantile(self, share: float) -> float:
        """Return the distance within which a share of the outlines lies; NaN without any.

        Of 0.8 m of outline at 2 cm and 0.2 m at 9 cm, a share of 0.8 lies within 2 cm, 0.95 within
        9 cm.
        """
        if not len(self.metres):
            return np.nan
        found = np.quantile(self.metres, share, weights=self.weights, method="inverted_cdf")
        return float(found)


def boundary_distances(first: Polygons, second: Polygons) -> Distances:
    """Measure the distances between the outlines of pairs, along both outlines and their holes.

    Their mean is the average symmetric surface distance, their 95th percentile is known as HD95.
    Each side is cut into equal pieces of at most 5 cm, and each piece counts with the distance of
    its midpoint and its length. A side of 12 cm has three pieces of 4 cm:

        |---x---|---x---|---x---|
        0   2   4   6   8   10  12 cm

    Source: Heimann et al. 2009, Comparison and Evaluation of Methods for Liver Segmentation.
    Departure: the outlines of all graves are pooled, so the percentile is over all of them.

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
    """Measure the distances between the corners of pairs of rectangles; other pairs are left out.

    Of the four ways to pair the corners of two rectangles around, the one with the smallest sum of
    squared distances counts.

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
    """Find the corners of polygons that are rectangles; NaN for all others.

    A rectangle has no hole and four corners of 84 to 96 degrees. Vertices along its sides do not
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
    with np.errstate(invalid="ignore"):  # a corner drawn twice has no direction
        sides /= np.hypot(sides[..., 0], sides[..., 1])[..., None]
    cosines = (sides * np.roll(sides, 1, axis=1)).sum(axis=2)
    square = (np.abs(cosines) <= _SQUARE).all(axis=1)
    corners[four[square]] = points[square]
    return corners


def _points_along(polygons: Polygons) -> tuple[Metres, Metres, NDArray[np.intp]]:
    """Place points along outlines, one in the middle of each piece.

    Returns:
        The points, the length that each stands for, and the polygon it belongs to.
    """
    rings, ring_owner = shapely.get_rings(polygons, return_index=True)
    corners, ring = shapely.get_coordinates(rings, return_index=True)
    same = ring[1:] == ring[:-1]
    starts, sides = corners[:-1][same], np.diff(corners, axis=0)[same]
    owner = ring_owner[ring[:-1][same]]
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    # Sides of 12 and 3 cm: 3 pieces and 1, so `side` is 0 0 0 1 and `number` 0 1 2 0.
    counts = np.minimum(np.ceil(lengths / _STEP_M), _MOST_PIECES).astype(np.intp)
    side = np.repeat(np.arange(len(sides)), counts)
    number = np.arange(len(side)) - np.repeat(np.cumsum(counts) - counts, counts)
    along = (number + 0.5) / counts[side]
    points = starts[side] + along[:, None] * sides[side]
    return points, (lengths / counts.clip(1))[side], owner[side]
