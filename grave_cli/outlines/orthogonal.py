"""Outlines in, outlines out whose sides all run along two directions."""

from dataclasses import dataclass

import numpy as np
import shapely

from grave_cli.outlines.polygons import Polygons
from grave_cli.outlines.rectangles import Floats

_EMPTY = shapely.Polygon()


def square_up(outlines: Polygons, angles: Floats, tolerance: float) -> Polygons:
    """Let every side run along a direction or at right angles to it: an L stays an L.

    Args:
        outlines: Polygons; holes are left out.
        angles: Direction of each, radians.
        tolerance: Bends of the outline that are flatter are straightened, and sides that are
            shorter than twice this go.

    Returns:
        Valid polygons; empty where none can be made.
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
    """Snap each side of a closed ring to an axis; sides in a row on one axis become one."""
    cos, sin = np.cos(angle), np.sin(angle)
    axes = np.array([(cos, sin), (-sin, cos)])
    own = points @ axes.T
    sides, middles = np.diff(own, axis=0), (own[1:] + own[:-1]) / 2
    axis = (np.abs(sides[:, 0]) >= np.abs(sides[:, 1])).astype(int)
    levels = middles[np.arange(len(sides)), axis]
    runs = _joined([_Run(*run) for run in zip(axis, levels, np.hypot(*sides.T), strict=True)])
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
    """A side along one axis.

    Args:
        axis: The axis on which its level lies.
        level: Where on that axis.
        weight: The length of outline that it stands for.
    """

    axis: int
    level: float
    weight: float

    def joined(self, other: "_Run") -> "_Run":
        weight = self.weight + other.weight
        level = (self.level * self.weight + other.level * other.weight) / weight
        return _Run(self.axis, level, weight)


def _joined(runs: list[_Run]) -> list[_Run]:
    """Join what follows on one axis, around the ring; then axes alternate."""
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
