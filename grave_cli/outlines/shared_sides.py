"""Rectangles in, polygons that share their sides with their neighbours out.

Two sides face each other if they are nearly parallel, lie beside each other and have only a small
gap or overlap between them. Sides that face each other, of two graves or along a whole row, move
onto one line, so that neither a sliver nor an overlap is left between them.

Worked example, reach 0.8: the sides at 18 and 18.3 face each other. Their line is the mean of their
places, weighted by their lengths: (40 * 18 + 20 * 18.3) / 60 = 18.1.

    40  +--------+               +--------+
        |   0    |               |   0    |
    20  |        | +------+      |        +-------+
        |        | |  1   |  ->  |        |   1   |
     0  +--------+ +------+      +--------+-------+
        0      18   18.3  36     0      18.1      36
"""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from grave_cli.outlines.polygons import Polygons
from grave_cli.outlines.rectangles import Floats, Rectangles

Indices = NDArray[np.intp]

_PARALLEL = np.cos(np.radians(10))  # largest angle between two sides
_BESIDE = 0.3  # least share of the shorter side that lies beside the other
_CORNERS = ((0, 2), (1, 2), (1, 3), (0, 3))  # the two sides that meet in each corner


@dataclass(frozen=True)
class _Facing:
    """Pairs of sides that face each other.

    Args:
        sides: The two sides of each pair. Rectangle i has the sides 4 i and 4 i + 1, low and high
            along axis 0, and 4 i + 2 and 4 i + 3, low and high along axis 1.
        common: Length over which they lie beside each other.

    Shapes:
        sides: (pairs, 2); common: (pairs,)
    """

    sides: Indices
    common: Floats

    def take(self, keep: NDArray[np.bool_]) -> "_Facing":
        return _Facing(self.sides[keep], self.common[keep])


def share_sides(rectangles: Rectangles, reach: float) -> Polygons:
    """Draw rectangles with facing sides on one line.

    If neighbours lie askew, the line runs in the middle direction, and their corners are no longer
    quite square. Where one line for a whole row would move a side too far, only sides that face
    each other most are joined, in pairs.

    Args:
        rectangles: One for each grave.
        reach: Widest gap between sides to join, and farthest move of a side; pixels.
    """
    own = _own_lines(rectangles)
    facing = _facing(rectangles, reach)
    ends = _ends(own)
    line_of, _, off = _common_lines(facing, own, ends)
    straight = off[line_of[facing.sides[:, 0]]] <= reach
    facing = facing.take(straight | _mutual(facing))
    line_of, lines, off = _common_lines(facing, own, ends)
    moved = line_of >= 0
    moved[moved] = off[line_of[moved]] <= reach
    flat = own.reshape(-1, 3).copy()
    flat[moved] = _turned_like(lines[line_of[moved]], flat[moved])
    shared = shapely.polygons(_corners(flat.reshape(own.shape)))
    # Both sides of a narrow grave may move past each other, which turns it inside out.
    is_sound = shapely.is_valid(shared) & shapely.is_ccw(shapely.get_exterior_ring(shared))
    return np.where(is_sound, shared, rectangles.polygons())


def _own_lines(rectangles: Rectangles) -> Floats:
    """Write each side as a line: unit normal (x, y) and distance from the origin; (n, 4, 3)."""
    normals = np.repeat(rectangles.axes, 2, axis=1)
    places = np.stack([rectangles.low, rectangles.high], axis=-1).reshape(-1, 4, 1)
    return np.concatenate([normals, places], axis=-1)


def _corners(lines: Floats) -> Floats:
    """Intersect the sides that meet; (n, 4, 2)."""
    first, second = (lines[:, [pair[k] for pair in _CORNERS]] for k in (0, 1))
    determinant = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    x = first[..., 2] * second[..., 1] - first[..., 1] * second[..., 2]
    y = first[..., 0] * second[..., 2] - first[..., 2] * second[..., 0]
    return np.stack([x, y], axis=-1) / determinant[..., None]


def _ends(lines: Floats) -> Floats:
    """Find the two ends of each side; (4 n, 2, 2)."""
    corners = _corners(lines)
    meets = [[k for k, pair in enumerate(_CORNERS) if side in pair] for side in range(4)]
    return corners[:, meets].reshape(-1, 2, 2)


def _facing(rectangles: Rectangles, reach: float) -> _Facing:
    """Find the sides that face each other, at most one pair for two rectangles."""
    polygons = rectangles.polygons()
    tree = shapely.STRtree(polygons)
    first, second = tree.query(polygons, predicate="dwithin", distance=reach)
    ordered = first < second
    pairs = np.column_stack([first, second])[ordered]
    seen = [_nearest_side(rectangles, pairs), _nearest_side(rectangles, pairs[:, ::-1])]
    sides = np.column_stack([4 * pairs[:, k] + seen[k].side for k in (0, 1)])
    opposite = (seen[0].normal * seen[1].normal).sum(axis=1) <= -_PARALLEL
    beside = np.minimum(seen[0].beside, seen[1].beside) >= _BESIDE
    near = np.maximum(seen[0].gap, seen[1].gap) >= -2 * reach
    return _Facing(sides, seen[0].common).take(opposite & beside & near)


@dataclass(frozen=True)
class _View:
    """Where other rectangles lie, as seen from their neighbours; one entry for each pair.

    Args:
        side: Side of the first rectangle that faces the second.
        normal: Outward normal of that side.
        gap: Space between that side and the second rectangle; negative: an overlap.
        common: Length over which the second lies beside that side.
        beside: That length as a share of the shorter of both.
    """

    side: Indices
    normal: Floats
    gap: Floats
    common: Floats
    beside: Floats


def _nearest_side(rectangles: Rectangles, pairs: Indices) -> _View:
    """Find the side of the first rectangle that faces the second: the one with the largest gap.

    Source: the separating axis theorem, e.g. Gottschalk, Lin & Manocha 1996.
    """
    # In the example, along axis 0: the centres 9 and 27.15 are 18.15 apart, the gap is 18.15 less
    # half the widths, 9 and 8.85, which leaves 0.3. Along axis 1 it is 10 - 20 - 10 = -20. So grave
    # 1 lies on the high side of axis 0; both are beside each other over a length of 20.
    half = (rectangles.high - rectangles.low) / 2
    middle = (rectangles.high + rectangles.low) / 2
    axes = rectangles.axes
    centre = (axes.swapaxes(1, 2) @ middle[..., None])[..., 0]
    here, there = pairs.T
    place = (axes[here] @ (centre[there] - centre[here])[..., None])[..., 0]
    width = (np.abs(axes[here] @ axes[there].swapaxes(1, 2)) @ half[there][..., None])[..., 0]
    gaps = np.abs(place) - half[here] - width
    axis = np.argmax(gaps, axis=1)
    row = np.arange(len(pairs))
    on = place[row, axis] > 0
    across = 1 - axis
    low = np.maximum(-half[here], place - width)[row, across]
    high = np.minimum(half[here], place + width)[row, across]
    return _View(
        side=2 * axis + on,
        normal=axes[here, axis] * np.where(on, 1, -1)[:, None],
        gap=gaps[row, axis],
        common=high - low,
        beside=(high - low) / (2 * np.minimum(half[here], width)[row, across]),
    )


def _common_lines(facing: _Facing, own: Floats, ends: Floats) -> tuple[Indices, Floats, Floats]:
    """Fit one line to all sides that are linked by facing each other.

    Returns:
        The line of each side (-1: none), the lines, and the distance of the farthest end from each.
    """
    count = own.shape[0] * 4
    links = coo_array((np.ones(len(facing.sides)), facing.sides.T), shape=(count, count))
    _, group = connected_components(links, directed=False)
    members = np.unique(facing.sides)
    _, line = np.unique(group[members], return_inverse=True)
    line_of = np.full(count, -1)
    line_of[members] = line
    lengths = np.hypot(*np.diff(ends[members], axis=1)[:, 0].T)
    normals = own.reshape(-1, 3)[members, :2]
    # A line has no front and back: twice the angle is the same for normals at 0 and 180 degrees.
    double = lengths * (normals[:, 0] + 1j * normals[:, 1]) ** 2
    angle = np.angle(np.bincount(line, double.real) + 1j * np.bincount(line, double.imag)) / 2
    normal = np.column_stack([np.cos(angle), np.sin(angle)])
    places = (ends[members] @ normal[line][..., None])[..., 0]
    place = np.bincount(line, lengths * places.mean(axis=1)) / np.bincount(line, lengths)
    off = np.zeros(len(place))
    np.maximum.at(off, line, np.abs(places - place[line, None]).max(axis=1))
    return line_of, np.column_stack([normal, place]), off


def _mutual(facing: _Facing) -> NDArray[np.bool_]:
    """Find the pairs in which each side lies beside the other over its longest stretch."""
    best = np.zeros(int(facing.sides.max(initial=0)) + 1)
    np.maximum.at(best, facing.sides.ravel(), np.repeat(facing.common, 2))
    return np.asarray((best[facing.sides] == facing.common[:, None]).all(axis=1))


def _turned_like(lines: Floats, models: Floats) -> Floats:
    """Flip lines whose normals point away from those of their models."""
    same = (lines[:, :2] * models[:, :2]).sum(axis=1) >= 0
    return lines * np.where(same, 1, -1)[:, None]
