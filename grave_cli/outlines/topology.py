"""Polygons in, polygons without overlaps out."""

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from grave_cli.outlines.polygons import Map, Polygons, grown, largest_parts

_SNAP = 1e-6  # pixels; without a grid, GEOS 3.14 misses some cuts along nearly coincident lines
_GRID = 1e-3  # pixels; see `lay_as_coverage`
_NOTHING = 1e-5  # pixels squared: overlap caused by rounding alone
_GROUP = 256  # graves that are snapped together, about
_SHALLOW = 0.2  # of the smaller grave's area: a larger overlap is a conflict, not inaccuracy


def resolve_overlaps(polygons: Polygons, confidence: NDArray[np.float64]) -> Polygons:
    """Divide overlaps, so that no two graves share ground.

    A narrow overlap is halved lengthwise. If it exceeds a fifth of the smaller grave, the more
    confident grave keeps all of it. In this example the overlap is a tenth of each grave:

        0         9 10       19              0         9.5        19
        |---------|=|---------|      ->      |----------|----------|

    Args:
        polygons: Valid polygons; the result keeps their order.
        confidence: Confidence of each grave; of equals, the earlier one wins.

    Returns:
        Valid polygons; empty for a grave that lost all its ground.
    """
    result = polygons.copy()
    first, second = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    rank = np.lexsort((np.arange(len(polygons)), -confidence)).argsort()
    ahead = rank[first] < rank[second]
    first, second = first[ahead], second[ahead]
    common = shapely.intersection(polygons[first], polygons[second], grid_size=_SNAP)
    shares = shapely.area(common) > _NOTHING
    first, second = first[shares], second[shares]
    for pair in np.lexsort((rank[first], rank[second])):
        winner, loser = first[pair], second[pair]
        shared = _largest(shapely.intersection(result[winner], result[loser], grid_size=_SNAP))
        if shared.area <= _NOTHING:
            continue
        if shared.area <= _SHALLOW * min(result[winner].area, result[loser].area):
            half = _far_half(shared, result[winner])
            result[winner] = _difference(result[winner], half)
        result[loser] = _difference(result[loser], result[winner])
    return result


def close_gaps(polygons: Polygons, chosen: NDArray[np.intp], width: float) -> Polygons:
    """Grow some polygons into narrow gaps between them and their neighbours.

    Args:
        polygons: Polygons without overlaps; the result has none either.
        chosen: Indices of the polygons that may grow.
        width: Width of the widest gap to close.
    """
    result = polygons.copy()
    tree = shapely.STRtree(polygons)
    index, near = tree.query(polygons[chosen], predicate="dwithin", distance=width)
    index = chosen[index]
    for grows in np.unique(index[index != near]) if width > 0 else ():
        both = shapely.union_all(result[near[index == grows]])
        # Growing by width / 2 fills a gap from both sides; shrinking again leaves it filled.
        closed = grown(grown(both, width / 2), -width / 2)
        taken = shapely.union_all(result[tree.query(closed, predicate="dwithin", distance=width)])
        gaps = shapely.get_parts(shapely.difference(closed, taken))
        gaps = gaps[shapely.area(gaps) > width**2]  # longer than wide: no rounded corner
        result[grows] = _largest(shapely.union_all([result[grows], *gaps]))
    return result


def lay_as_coverage(
    polygons: Polygons, confidence: NDArray[np.float64], run: Map = map
) -> Polygons:
    """Snap polygons to one fine grid, on which touching edges agree point by point.

    Later rounding, in any CRS, then moves both sides of an edge alike: nothing overlaps, and spikes
    that could become invalid are gone. No point moves by more than a grid step, which is far less
    than a millimetre. The corners of a short grave become points (o) of the long one beside it:

        +------+                  +------+
        |      +---+              |      o---+
        |      |   |      ->      |      |   |
        |      +---+              |      o---+
        +------+                  +------+

    Source: Hobby 1999, Practical segment intersection with finite precision output (snap rounding).

    Args:
        polygons: Valid polygons; the result keeps their order.
        confidence: Confidence of each grave; the higher one gets ground that two still share.
        run: Calls a function for each group of graves.

    Returns:
        Valid polygons; empty for a grave that lost all its ground.
    """
    rank = np.lexsort((np.arange(len(polygons)), -confidence)).argsort()
    groups = _apart(polygons)
    result = np.full(len(polygons), shapely.Polygon(), dtype=object)
    parts = run(lambda group: _snap(polygons[group], rank[group]), groups)
    for group, part in zip(groups, parts, strict=True):
        result[group] = part
    return result


def _apart(polygons: Polygons) -> list[NDArray[np.intp]]:
    """Divide polygons into groups that do not touch each other, of about equal size."""
    pairs = shapely.STRtree(polygons).query(polygons, predicate="dwithin", distance=2 * _GRID)
    links = coo_array((np.ones(pairs.shape[1], np.bool_), pairs), shape=(len(polygons),) * 2)
    _, part = connected_components(links, directed=False)
    order = np.argsort(part, kind="stable")
    starts = np.flatnonzero(np.diff(part[order], prepend=-1))
    # The first part that begins in each stretch of so many graves begins a group.
    starts = starts[np.unique(starts // _GROUP, return_index=True)[1]]
    return np.split(order, starts[1:]) if len(order) else []


def _snap(polygons: Polygons, rank: NDArray[np.intp]) -> Polygons:
    """Snap polygons to the grid; ground that two share goes to the one of lower rank."""
    # Cut all boundaries where they meet; then each face between them goes to one owner.
    lines = shapely.union_all(shapely.boundary(polygons), grid_size=_GRID)
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(lines)))
    face, owner = shapely.STRtree(polygons).query(shapely.point_on_surface(faces), "intersects")
    order = np.lexsort((rank[owner], face))
    face, first = np.unique(face[order], return_index=True)
    owner = owner[order][first]
    result = np.full(len(polygons), shapely.Polygon(), dtype=object)
    result[owner] = faces[face]
    pieces = np.bincount(owner, minlength=len(polygons))
    for index in np.flatnonzero(pieces > 1):
        result[index] = shapely.union_all(faces[face[owner == index]])
    return largest_parts(result)


def _far_half(shared: shapely.Polygon, owner: shapely.Polygon) -> shapely.Polygon:
    """Cut an overlap along its longer axis; return the half farther from its owner."""
    box = shapely.get_coordinates(shapely.oriented_envelope(shared))
    sides = np.diff(box[:3], axis=0)
    along = sides[np.argmax(np.hypot(*sides.T))]
    middle = box[:4].mean(axis=0)
    rest = shapely.get_coordinates(shapely.centroid(shapely.difference(owner, shared)))[0]
    across = np.array([-along[1], along[0]])
    away = -across if across @ (rest - middle) > 0 else across
    reach = 2 * np.hypot(*along) / np.hypot(*across)
    corners = [middle - 2 * along, middle + 2 * along]
    corners += [corners[1] + reach * away, corners[0] + reach * away]
    return _largest(shapely.intersection(shared, shapely.Polygon(corners)))


def _difference(polygon: shapely.Polygon, taken: shapely.Polygon) -> shapely.Polygon:
    return _largest(shapely.difference(polygon, taken, grid_size=_SNAP))


def _largest(geometry: shapely.Geometry) -> shapely.Polygon:
    return largest_parts(np.array([geometry], dtype=object))[0]
