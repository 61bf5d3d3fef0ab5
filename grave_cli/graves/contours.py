"""Instances in, raw outlines out: lines between pixels' centres, not along pixels' edges.

Coordinates are pixels of the array; (0, 0) is the outer corner of its first pixel, as in the grid's
transform, so that the first pixel's centre lies at (0.5, 0.5).
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from grave_cli.graves.instances import Labels
from grave_cli.outlines.polygons import Polygons
from grave_cli.rasters.tracing import trace_pixel_edges

Points = NDArray[np.float64]
Indices = NDArray[np.intp]

# Probabilities that are surer do not move a line further: keeps a hard step at its middle, and half
# a pixel's coverage within 0.05 px, as the logit of 0 and 1 would not.
_SUREST = 0.97
_NEAREST = 0.02  # of the way between two centres, so that no two lines meet in a centre
_SEAM = 0.3  # the same for the line between two graves, so that no grave grows much thinner
_REACH = 2  # pixels to each side that say where the line between two graves runs


def trace_instances(
    labels: Labels, body_probability: NDArray[np.float32], level: float
) -> tuple[Polygons, NDArray[np.int64]]:
    """Outline each instance at a level of the body's probability.

    Marching squares for many labels at once. A line crosses each pair of neighbouring pixels of
    different labels exactly once, between their centres: against the background where the logit of
    the probability reaches the level's, against another grave where the two are balanced. Where
    three labels meet, it goes through the pixels' common corner. So two graves that touch share one
    line, and no line crosses another, whatever the labels are.

    Background that one instance surrounds is filled; of an instance in several parts (pixels that
    touch at a corner are two) the largest is outlined.

    Source: Lorensen & Cline 1987 (marching cubes), in two dimensions; Hege et al. 1997, "A
    generalized marching cubes algorithm based on non-binary classifications" for many labels.

    Args:
        labels: Grave ids from 1, 0 is background.
        body_probability: Of being inside a grave.
        level: Probability at which a grave ends.

    Returns:
        Valid polygons in pixels, none overlapping another, and the id of each, ascending.

    Shapes:
        labels: (H, W); body_probability: (H, W)
    """
    filled = np.pad(_fill_holes(labels), 1)
    rings, owners, ids = trace_pixel_edges(filled)
    if not rings:
        return np.array([], dtype=object), ids
    points, ring_of = _draw(rings, filled, np.pad(body_probability, 1, mode="edge"), level)
    unpadded = shapely.linearrings(points - 1, indices=ring_of)
    polygons = shapely.polygons(unpadded, indices=owners)
    order = np.lexsort((-shapely.area(polygons), ids))
    unique, first = np.unique(ids[order], return_index=True)
    return polygons[order][first], unique


def _fill_holes(labels: Labels) -> Labels:
    """Give the background that touches one label only, and not the array's edge, to that label."""
    areas, count = ndimage.label(np.pad(labels == 0, 1, constant_values=True))
    around = np.pad(labels, 1)
    lowest = np.full(count + 1, np.iinfo(np.int32).max)
    highest = np.zeros(count + 1, np.int32)
    for here, there in (*_neighbours(2), *(pair[::-1] for pair in _neighbours(2))):
        meets = (areas[here] > 0) & (around[there] > 0)
        np.minimum.at(lowest, areas[here][meets], around[there][meets])
        np.maximum.at(highest, areas[here][meets], around[there][meets])
    owner = np.where(lowest == highest, highest, 0)
    owner[[0, areas[0, 0]]] = 0
    return np.asarray(around + owner[areas], np.int32)[1:-1, 1:-1]


def _neighbours(axes: int) -> Iterable[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Yield slices of all pixels that have a next one along an axis, and of those next ones."""
    for axis in range(axes):
        whole = [slice(None)] * axes
        first, second = whole.copy(), whole.copy()
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        yield tuple(first), tuple(second)


def _draw(
    rings: list[Points], labels: Labels, probability: NDArray[np.float32], level: float
) -> tuple[Points, Indices]:
    """Turn rings along pixels' edges into rings between pixels' centres.

    Returns:
        Points of all rings, and the ring of each.
    """
    corners, along, ring_of = _unit_steps(rings)
    # The pixels on both sides of a step from corner to corner, as (row, column).
    far = np.minimum(corners, corners + along)[:, ::-1]
    near = far - np.abs(along)
    share = _crossings(near, far, labels, probability, level)
    crossing = (near + (far - near) * share[:, None])[:, ::-1] + 0.5
    branches = _meeting_lines(labels, corners) > 2
    points = np.empty((len(corners) + np.count_nonzero(branches), 2))
    place = np.arange(len(corners)) + np.cumsum(branches)
    points[place] = crossing
    points[place[branches] - 1] = corners[branches]
    return points, np.repeat(ring_of, 1 + branches)


def _unit_steps(rings: list[Points]) -> tuple[Indices, Indices, Indices]:
    """Cut rings along pixels' edges into steps of one pixel.

    Returns:
        The corner (x, y) where each step begins, its direction, and its ring.
    """
    ends = np.concatenate(rings).astype(np.intp)
    ring_of = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    inner = ring_of[1:] == ring_of[:-1]
    sides, starts, ring_of = np.diff(ends, axis=0)[inner], ends[:-1][inner], ring_of[:-1][inner]
    lengths = np.abs(sides).sum(axis=1)
    step = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    along = np.repeat(np.sign(sides), lengths, axis=0)
    corners = np.repeat(starts, lengths, axis=0) + along * step[:, None]
    return corners, along, np.repeat(ring_of, lengths)


def _meeting_lines(labels: Labels, corners: Indices) -> Indices:
    """Count the lines that meet in each corner of pixels: 2, 3 or 4."""
    x, y = corners.T
    around = np.stack([labels[y - 1, x - 1], labels[y - 1, x], labels[y, x], labels[y, x - 1]])
    return np.asarray((around != np.roll(around, 1, axis=0)).sum(axis=0))


def _crossings(
    near: Indices, far: Indices, labels: Labels, probability: NDArray[np.float32], level: float
) -> Points:
    """Find where the line crosses between two pixels, as a share of the way from near to far."""
    of_near, of_far = _at(labels, near), _at(labels, far)
    touching = (of_near > 0) & (of_far > 0)
    above, below = (_logit(_at(probability, pixels)) - _logit(level) for pixels in (near, far))
    share = np.full(len(near), 0.5)
    np.divide(above, above - below, out=share, where=(above < 0) != (below < 0))
    share[touching] = _balanced(near[touching], far[touching], labels)
    return share.clip(_NEAREST, 1 - _NEAREST)


def _logit(probability: Any) -> Any:
    certain = np.clip(probability, 1 - _SUREST, _SUREST)
    return np.log(certain / (1 - certain))


def _balanced(near: Indices, far: Indices, labels: Labels) -> Points:
    """Find where two graves prevail alike around the line between their pixels.

    Thin graves stay as they are: smoothing would make them thinner from both sides.
    """
    first, second = _at(labels, near), _at(labels, far)
    balance = [_prevalence(labels, pixels, first, second) for pixels in (near, far)]
    share = (balance[0] / (balance[0] - balance[1])).clip(_SEAM, 1 - _SEAM)
    wide = np.ones(len(near), np.bool_)
    for step in range(1, _REACH + 1):
        wide &= _at(labels, near - step * (far - near)) == first
        wide &= _at(labels, far + step * (far - near)) == second
    return np.where(wide, share, 0.5)


def _prevalence(
    labels: Labels, pixels: Indices, first: NDArray[np.int32], second: NDArray[np.int32]
) -> Points:
    """Weigh two labels around pixels against each other: above 0, the first one prevails."""
    total = np.zeros(len(pixels))
    for row in range(-_REACH, _REACH + 1):
        for column in range(-_REACH, _REACH + 1):
            found = _at(labels, pixels + np.array([row, column]))
            weight = np.exp(-(row**2 + column**2) / _REACH)
            total += weight * ((found == first).astype(float) - (found == second))
    return total


def _at(values: NDArray[Any], pixels: Indices) -> NDArray[Any]:
    """Look up pixels, (row, column); beyond the edge, the nearest."""
    rows, columns = pixels.T
    last_row, last_column = np.array(values.shape) - 1
    return np.asarray(values[rows.clip(0, last_row), columns.clip(0, last_column)])
