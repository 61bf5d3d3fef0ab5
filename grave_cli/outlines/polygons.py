"""Outlines as values, and geometry shared by several rooms."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

Polygons = NDArray[np.object_]
Map = Callable[..., Any]
"""`map`, or the `map` of a pool of threads."""
_SNAP = 1e-6  # pixels or CRS units; far below the precision of any survey
_CRUMBS = 1e-6  # of an outline's area: smaller parts that a repair leaves are dropped


@dataclass(frozen=True)
class Outlines:
    """The outlines of a cemetery's graves, in pixels of its grid.

    Args:
        raw: Outlines as decoded.
        regular: Outlines to deliver.
        shape: Kind of each regular outline: rectangle, orthogonal or outline.
        fit: IoU of each raw outline with the rectangle fitted to it.
        index: Position of each grave in the input; graves that lost all their ground are missing.
    """

    raw: Polygons
    regular: Polygons
    shape: NDArray[np.str_]
    fit: NDArray[np.float64]
    index: NDArray[np.intp]

    def take(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> "Outlines":
        """Select graves by a mask, or by indices in the wanted order."""
        return Outlines(*(getattr(self, field.name)[keep] for field in fields(self)))


def to_crs(polygons: Polygons, transform: Affine) -> Polygons:
    """Transform polygons from pixels to the grid's CRS."""
    matrix = [transform.a, transform.b, transform.d, transform.e, transform.c, transform.f]

    def apply(points: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b, d, e, c, f = matrix
        x, y = points[:, 0], points[:, 1]
        return np.column_stack([a * x + b * y + c, d * x + e * y + f])

    return np.asarray(shapely.transform(polygons, apply))


def iou(first: Polygons, second: Polygons) -> NDArray[np.float64]:
    """Compute the IoU (intersection over union) of each pair of polygons.

    Args:
        first: Polygons in pixels or a projected CRS.
        second: Their partners, in the same order.
    """
    # Without a grid, GEOS 3.14 returns a point as the overlap of near-twins in 3 of 1000 cases.
    common = shapely.area(shapely.intersection(first, second, grid_size=_SNAP))
    either = shapely.area(first) + shapely.area(second) - common
    return np.asarray(common / np.maximum(either, 1e-12))


def grown(area: shapely.Geometry, by: float) -> shapely.Geometry:
    """Grow an area by a distance, or shrink it by a negative one.

    Args:
        area: A polygon or several.
        by: Distance, in the units of the area.
    """
    # GEOS 3.14 may return rings that cross themselves, which no cut or union accepts afterwards.
    return shapely.make_valid(shapely.buffer(area, by))


def made_valid(outlines: Polygons) -> Polygons:
    """Make outlines valid; loops of a ring are united, lines and points are dropped.

    Args:
        outlines: Polygons or multi-polygons with finite coordinates.
    """
    valid = shapely.make_valid(outlines, method="structure", keep_collapsed=False)
    # GEOS 3.14 leaves a crossing of a nanometre in some: a second pass mends all of them.
    left = ~shapely.is_valid(valid)
    valid[left] = shapely.make_valid(valid[left], method="structure", keep_collapsed=False)
    return np.asarray(valid)


def mended(outlines: Polygons) -> Polygons:
    """Repair outlines that rounding turned invalid, as after a change of their CRS.

    A spike may be thinner than the last digit of its coordinates, and a hole may touch the edge:
    when all points move, such lines cross by a nanometre, and GEOS refuses to cut or unite them.

    Args:
        outlines: Polygons or multi-polygons; None for none.

    Returns:
        Valid outlines. Those at infinite coordinates stay as they are.
    """
    broken = ~shapely.is_valid(outlines) & ~shapely.is_missing(outlines)
    broken &= np.isfinite(shapely.bounds(outlines)).all(axis=-1)
    if not broken.any():
        return outlines
    whole = made_valid(outlines[broken])
    largest = largest_parts(whole)
    is_all = shapely.area(largest) >= (1 - _CRUMBS) * shapely.area(whole)
    result = outlines.copy()
    result[broken] = np.where(is_all, largest, whole)
    return result


def largest_parts(geometries: Polygons) -> Polygons:
    """Select the largest polygon of each geometry, or an empty polygon if it has none."""
    parts, index = shapely.get_parts(geometries, return_index=True)
    nested, inner = shapely.get_parts(parts, return_index=True)
    index = index[inner]
    polygonal = shapely.get_type_id(nested) == shapely.GeometryType.POLYGON
    parts, index = nested[polygonal], index[polygonal]
    order = np.argsort(shapely.area(parts), kind="stable")
    result = np.full(len(geometries), shapely.Polygon(), dtype=object)
    result[index[order]] = parts[order]
    return result
