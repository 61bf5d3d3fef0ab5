"""Polygons in, polygons out of which none overlaps another."""

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.graves.outlines import Polygons, largest_parts

_NOTHING = 1e-6  # pixels squared: what rounding alone makes overlap
_SHALLOW = 0.2  # of the smaller grave: more common ground is no inaccuracy, but a conflict


def resolve_overlaps(polygons: Polygons, confidence: NDArray[np.float64]) -> Polygons:
    """Divide shared ground, so that no two graves overlap.

    A narrow overlap is halved lengthwise. Of two that overlap by more than a fifth of the smaller
    one, the more confident one keeps all.

    Args:
        polygons: Valid polygons; the result keeps their order.
        confidence: Who wins; the larger, then the earlier.

    Returns:
        Valid polygons, empty where nothing was left.
    """
    result = polygons.copy()
    first, second = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    rank = np.lexsort((np.arange(len(polygons)), -confidence)).argsort()
    ahead = rank[first] < rank[second]
    first, second = first[ahead], second[ahead]
    common = shapely.area(shapely.intersection(polygons[first], polygons[second]))
    first, second = first[common > _NOTHING], second[common > _NOTHING]
    for pair in np.lexsort((rank[first], rank[second])):
        winner, loser = first[pair], second[pair]
        shared = shapely.intersection(result[winner], result[loser])
        if shared.area <= _NOTHING:
            continue
        if shared.area <= _SHALLOW * min(result[winner].area, result[loser].area):
            half = _far_half(shared, result[winner])
            result[winner] = _difference(result[winner], half)
        result[loser] = _difference(result[loser], result[winner])
    return result


def _far_half(shared: shapely.Geometry, owner: shapely.Polygon) -> shapely.Geometry:
    """Cut shared ground along its longer axis; return the side away from its owner."""
    box = shapely.get_coordinates(shapely.oriented_envelope(shared))
    if len(box) < 5:
        return shapely.Polygon()
    sides = np.diff(box[:3], axis=0)
    along = sides[np.argmax(np.hypot(*sides.T))]
    middle = box[:4].mean(axis=0)
    rest = shapely.get_coordinates(shapely.centroid(shapely.difference(owner, shared)))[0]
    across = np.array([-along[1], along[0]])
    away = -across if across @ (rest - middle) > 0 else across
    reach = 2 * np.hypot(*along) / np.hypot(*across)
    corners = [middle - 2 * along, middle + 2 * along]
    corners += [corners[1] + reach * away, corners[0] + reach * away]
    return shapely.intersection(shared, shapely.Polygon(corners))


def _difference(polygon: shapely.Polygon, taken: shapely.Geometry) -> shapely.Polygon:
    rest = shapely.difference(polygon, taken)
    return largest_parts(np.array([rest], dtype=object))[0]
