"""Outlines in, outlines whose sides all run along two directions out."""

from dataclasses import dataclass

import numpy as np
import shapely

from grave_cli.outlines.polygons import Polygons
from grave_cli.outlines.rectangles import Floats

_EMPTY = shapely.Polygon()


def square_up(outlines: Polygons, angles: Floats, tolerance: float) -> Polygons:
    """Align every side with a direction or its perpendicular: an L stays an L.

    Worked example, angle 0, tolerance 1: the step between the levels 10 and 8.4 is shorter than
    2 * 1. It goes, and its neighbours join at (15 * 10 + 5 * 8.4) / 20 = 9.6, so the area stays:

        10   +-------+             +----------+  9.6
        8.4  |       +--+    ->    |          |
         0   +----------+          +----------+
             0      15  20         0          20

    Args:
        outlines: Polygons; holes are dropped.
        angles: Direction of each outline, radians.
        tolerance: Bends flatter than this are straightened, and sides shorter than twice this are
            removed; in the unit of the outlines.

    Returns:
        Valid polygons; empty if an outline has no such form.
    """
    simple = shapely.simplify(outlines, tolerance)
    squared = [
        _square_ring(shapely.get_coordinates(ring), angle, tolerance)
        for ring, angle in zip(shapely.get_exterior_ring(simple), angles, strict=True)
    ]
    result = np.empty(len(squared), dtype=object)
    result[:] = squared
    return np.where(shapely.is_valid(result), result, _EMPTY)


def _square_ring(points: Floats, angle: float, tolerance: float) -> shapely.Polygon:
    """Snap each side of a closed ring to an axis, then remove the shortest sides."""
    cos, sin = np.cos(angle), np.sin(angle)
    axes = np.array([(cos, sin), (-sin, cos)])
    own = points @ axes.T
    # A side that runs along axis 0 lies at one level of axis 1, and the other way round.
    sides, middles = np.diff(own, axis=0), (own[1:] + own[:-1]) / 2
    axis = (np.abs(sides[:, 0]) >= np.abs(sides[:, 1])).astype(int)
    levels = middles[np.arange(len(sides)), axis]
    runs = _joined([_Run(*run) for run in zip(axis, levels, np.hypot(*sides.T), strict=True)])
    # A run is as long as its neighbours' levels are apart. Removing it leaves them side by side.
    while len(runs) > 4:
        lengths = [abs(runs[k - 1].level - runs[k + 1 - len(runs)].level) for k in range(len(runs))]
        shortest = int(np.argmin(lengths))
        if lengths[shortest] >= 2 * tolerance:
            break
        before, _, after, *others = runs[shortest - 1 :] + runs[: shortest - 1]
        runs = [before.joined(after), *others]
    if len(runs) < 4:
        return _EMPTY
    corners = np.array([_corner(*pair) for pair in zip(runs, runs[1:] + runs[:1], strict=True)])
    return shapely.Polygon(corners @ axes)


@dataclass(frozen=True)
class _Run:
    """A side at right angles to one axis.

    Args:
        axis: The axis that it crosses: 0 or 1.
        level: Its position on that axis.
        weight: The length of outline that it replaces.
    """

    axis: int
    level: float
    weight: float

    def joined(self, other: "_Run") -> "_Run":
        weight = self.weight + other.weight
        # Lengths 15 at the level 10 and 5 at 8.4 become 20 at 9.6.
        level = (self.level * self.weight + other.level * other.weight) / weight
        return _Run(self.axis, level, weight)


def _joined(runs: list[_Run]) -> list[_Run]:
    """Join consecutive runs of the same axis, around the ring, so that axes alternate."""
    turns = [k for k in range(len(runs)) if runs[k].axis != runs[k - 1].axis]
    if not turns:
        return []
    result: list[_Run] = []
    for run in runs[turns[0] :] + runs[: turns[0]]:
        if result and result[-1].axis == run.axis:
            result[-1] = result[-1].joined(run)
        else:
            result.append(run)
    return result


def _corner(before: _Run, after: _Run) -> tuple[float, float]:
    first, second = (before, after) if before.axis == 0 else (after, before)
    return first.level, second.level
