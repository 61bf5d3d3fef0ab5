"""Instances in, raw outlines out: lines between the centres of pixels, not along their edges.

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

# Probabilities are cut at 0.03 and 0.97, because the logits of 0 and 1 are infinite. A hard step
# keeps its line in the middle, and a pixel covered by half has it within 0.05 px.
_SUREST = 0.97
_NEAREST = 0.02  # of the way between two centres: two lines never meet in a centre
_SEAM = 0.3  # likewise between two graves: no grave gets much thinner
_REACH = 2  # pixels on both sides that decide where the line between two graves runs


def trace_instances(
    labels: Labels, body_probability: NDArray[np.float32], level: float
) -> tuple[Polygons, NDArray[np.int64]]:
    """Outline each instance at a level of the body probability.

    Marching squares for many labels at once. A line crosses each pair of neighbouring pixels with
    different labels exactly once, between their centres. Between a grave and background it passes
    where the logit of the probability equals that of the level, between two graves where they
    balance. Where three labels meet, it goes through the common corner (o) of their pixels:

         .       .              .       .
             1                      1
         ----+----      ->      x---o---x
           2 | 0                    |
         .   |   .              .   x   .

    So touching graves share one line, and no line crosses another, whatever the labels are.

    Background surrounded by one instance is filled. If an instance has several parts, the largest
    is outlined; pixels that touch only at a corner are two parts.

    Source: Lorensen & Cline 1987 (marching cubes), in two dimensions; Hege et al. 1997, "A
    generalized marching cubes algorithm based on non-binary classifications" for many labels.

    Args:
        labels: Grave ids from 1, 0 is background.
        body_probability: Probability of being inside a grave.
        level: Probability at which a grave ends.

    Returns:
        Valid polygons in pixels without overlaps, and the id of each, ascending.

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
    """Fill background that touches exactly one label and not the edge of the array."""
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
    """Yield, for each axis, slices of all pixels with a successor and of their successors."""
    for axis in range(axes):
        whole = [slice(None)] * axes
        first, second = whole.copy(), whole.copy()
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        yield tuple(first), tuple(second)


def _draw(
    rings: list[Points], labels: Labels, probability: NDArray[np.float32], level: float
) -> tuple[Points, Indices]:
    """Turn rings along pixel edges into rings between pixel centres.

    Returns:
        Points of all rings, and the ring of each point.
    """
    corners, along, ring_of = _unit_steps(rings)
    # The pixels on both sides of a step, as (row, column): a step right from (x, y) = (3, 5) runs
    # between row 4 and row 5 of column 3.
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
    """Cut rings along pixel edges into steps of one pixel.

    Returns:
        The corner (x, y) where each step starts, its direction, and its ring.
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
    """Count the lines that meet at each pixel corner: 2, 3 or 4 (a checkerboard)."""
    x, y = corners.T
    around = np.stack([labels[y - 1, x - 1], labels[y - 1, x], labels[y, x], labels[y, x - 1]])
    return np.asarray((around != np.roll(around, 1, axis=0)).sum(axis=0))


def _crossings(
    near: Indices, far: Indices, labels: Labels, probability: NDArray[np.float32], level: float
) -> Points:
    """Find where the line crosses between two pixels, as a share of the way from near to far."""
    # Worked example, level 0.5: the probabilities 0.8 and 0.3 have the logits 1.39 and -0.85; the
    # straight line between them passes 0 at 1.39 / (1.39 + 0.85) = 0.62 of the way.
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
    """Find where two graves balance, between two of their pixels.

    A grave thinner than 3 px keeps its line in the middle: smoothing would thin it from both sides.
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
    """Compare the weights of two labels around pixels; above 0, the first one prevails."""
    padded = np.pad(labels, _REACH, mode="edge")
    width = padded.shape[1]
    centre = (pixels + _REACH) @ (width, 1)
    total = np.zeros(len(pixels))
    for row in range(-_REACH, _REACH + 1):
        for column in range(-_REACH, _REACH + 1):
            found = padded.ravel()[centre + row * width + column]
            weight = np.exp(-(row**2 + column**2) / _REACH)
            total += weight * ((found == first).astype(np.int8) - (found == second))
    return total


def _at(values: NDArray[Any], pixels: Indices) -> NDArray[Any]:
    """Look up pixels by (row, column); beyond the edge, the nearest one."""
    rows, columns = pixels.T
    last_row, last_column = np.array(values.shape) - 1
    return np.asarray(values[rows.clip(0, last_row), columns.clip(0, last_column)])
