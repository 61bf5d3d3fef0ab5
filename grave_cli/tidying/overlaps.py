"""Outlines in, outlines without small overlaps out, and pairs that only a person can divide."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.outlines.polygons import Polygons, largest_parts
from grave_cli.outlines.topology import resolve_overlaps

NOTHING_M2 = 1e-4
"""A smaller overlap is none: 2 m long, it is 0.05 mm wide."""
DEEP_SHARE = 0.2
"""An overlap of more than this share of the smaller outline is a conflict, not inaccuracy."""

_PIXEL_M = 0.01  # `resolve_overlaps` works in pixels
_SNAP_M = 1e-5
_SNAP = 1e-6
_ROUNDS = 10

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Overlap:
    """Two outlines that share ground.

    Args:
        first: The one that comes first.
        second: The other one.
        area_m2: The ground that they share.
        share: Its share of the smaller outline.
    """

    first: int
    second: int
    area_m2: float
    share: float


def find_overlaps(outlines: Polygons) -> list[Overlap]:
    """Find the pairs of outlines that share ground.

    Args:
        outlines: Outlines in a frame of metres; None for none.
    """
    here = np.flatnonzero(~shapely.is_missing(outlines))
    first, second = shapely.STRtree(outlines[here]).query(outlines[here], predicate="intersects")
    first, second = here[first], here[second]
    once = first < second
    first, second = first[once], second[once]
    common = shapely.area(shapely.intersection(outlines[first], outlines[second], grid_size=_SNAP))
    areas = shapely.area(outlines)
    share = common / np.minimum(areas[first], areas[second])
    order = np.lexsort((second, first))
    return [
        Overlap(int(first[one]), int(second[one]), float(common[one]), float(share[one]))
        for one in order
        if common[one] > NOTHING_M2
    ]


def trim_overlaps(outlines: Polygons, by_hand: NDArray[np.bool_]) -> tuple[Polygons, list[Overlap]]:
    """Divide small overlaps, one pair after the other.

    An outline drawn by hand keeps its ground beside one of the model. Other overlaps are halved
    lengthwise. A deep overlap stays: one of both graves is wrong, and a person knows which.

    Args:
        outlines: Outlines in a frame of metres; None for none.
        by_hand: The outlines that a person has drawn or reshaped.

    Returns:
        The outlines, and the deep overlaps.
    """
    result = outlines.copy()
    several = shapely.get_type_id(outlines) == shapely.GeometryType.MULTIPOLYGON
    for _ in range(_ROUNDS):  # a cut along one neighbour can make a deep overlap a small one
        found = find_overlaps(result)
        small = [
            [one.first, one.second]
            for one in found
            if one.share <= DEEP_SHARE and not (several[one.first] or several[one.second])
        ]
        if not small:
            break
        for pair in small:
            result[pair] = _divided(result[pair], by_hand[pair])
    return result, found


def _divided(pair: Polygons, by_hand: NDArray[np.bool_]) -> Polygons:
    if by_hand[0] == by_hand[1]:
        pixels = shapely.transform(pair, lambda points: points / _PIXEL_M)
        halved = resolve_overlaps(pixels, np.ones(2))
        divided = np.asarray(shapely.transform(halved, lambda points: points * _PIXEL_M))
    else:
        keeps, yields = pair[by_hand][0], pair[~by_hand][0]
        rest = largest_parts(np.array([shapely.difference(yields, keeps, grid_size=_SNAP)]))[0]
        divided = np.array([keeps if hand else rest for hand in by_hand], dtype=object)
    # Each gets the corners of the other as points, so that rounding moves both sides alike.
    together = np.array(
        [shapely.snap(divided[i], divided[1 - i], _SNAP_M) for i in (0, 1)], dtype=object
    )
    return together if shapely.is_valid(together).all() else divided
