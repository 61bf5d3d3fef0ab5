"""Instances in, polygons out: one clean outline per grave, none overlapping another.

Runs once over all graves of a cemetery, in a frame whose unit is the working pixel.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from grave_cli.settings.sections import OutlineSettings

Polygons = NDArray[np.object_]
_SNAP = 1e-6  # pixels or CRS units; far below what a grave is measured with


@dataclass(frozen=True)
class Outlines:
    """The outlines of a cemetery's graves, in pixels of its grid.

    Args:
        raw: Outlines as decoded.
        regular: Outlines to be delivered.
        shape: What each of them is: rectangle, orthogonal or outline.
        index: Which of the graves that went in each is: some are lost to others.
    """

    raw: Polygons
    regular: Polygons
    shape: NDArray[np.str_]
    index: NDArray[np.intp]

    def take(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> "Outlines":
        """Keep some of the graves, by a mask, or by indices in the order wanted."""
        return Outlines(self.raw[keep], self.regular[keep], self.shape[keep], self.index[keep])


def regularise(
    raw: Polygons, confidence: NDArray[np.float64], gsd_m: float, settings: OutlineSettings
) -> Outlines:
    """Make of raw outlines what is delivered, once over all graves of a cemetery.

    Args:
        raw: Outlines as traced, in pixels of the cemetery's grid.
        confidence: Of each grave: who wins where two lay claim to the same ground.
        gsd_m: Pixel edge in metres.
        settings: When a rectangle fits, how much an outline is simplified.
    """
    rectangles = fit_rectangles(raw)
    fits = iou(raw, rectangles) >= settings.rectangle_iou
    simplified = largest_parts(
        shapely.make_valid(shapely.simplify(raw, settings.simplify_m / gsd_m))
    )
    regular = resolve_overlaps(np.where(fits, rectangles, simplified), confidence)
    shape = np.where(fits, "rectangle", "outline")
    outlines = Outlines(raw, regular, shape, np.arange(len(raw)))
    return outlines.take(shapely.area(regular) > 0)


def to_crs(polygons: Polygons, transform: Affine) -> Polygons:
    """Bring polygons from pixels to the grid's CRS."""
    matrix = [transform.a, transform.b, transform.d, transform.e, transform.c, transform.f]

    def apply(points: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b, d, e, c, f = matrix
        x, y = points[:, 0], points[:, 1]
        return np.column_stack([a * x + b * y + c, d * x + e * y + f])

    return np.asarray(shapely.transform(polygons, apply))


def fit_rectangles(polygons: Polygons) -> Polygons:
    """Fit to each polygon the smallest rotated rectangle, shrunk to the polygon's area."""
    boxes = shapely.minimum_rotated_rectangle(polygons)
    factors = np.sqrt(shapely.area(polygons) / np.maximum(shapely.area(boxes), 1e-12))
    centres = shapely.get_coordinates(shapely.centroid(boxes))
    points, index = shapely.get_coordinates(boxes, return_index=True)
    moved = centres[index] + (points - centres[index]) * factors[index, None]
    return np.asarray(shapely.set_coordinates(boxes.copy(), moved))


def iou(first: Polygons, second: Polygons) -> NDArray[np.float64]:
    """Compute intersection over union, pair by pair, of polygons in pixels or a projected CRS."""
    # Without a grid GEOS 3.14 calls the overlap of near-twins a point, about 3 times in 1000.
    common = shapely.area(shapely.intersection(first, second, grid_size=_SNAP))
    either = shapely.area(first) + shapely.area(second) - common
    return np.asarray(common / np.maximum(either, 1e-12))


def largest_parts(geometries: Polygons) -> Polygons:
    """Keep the largest polygon of each geometry; an empty polygon where there is none."""
    parts, index = shapely.get_parts(geometries, return_index=True)
    nested, inner = shapely.get_parts(parts, return_index=True)
    index = index[inner]
    polygonal = shapely.get_type_id(nested) == shapely.GeometryType.POLYGON
    parts, index = nested[polygonal], index[polygonal]
    order = np.argsort(shapely.area(parts), kind="stable")
    result = np.full(len(geometries), shapely.Polygon(), dtype=object)
    result[index[order]] = parts[order]
    return result


def resolve_overlaps(polygons: Polygons, confidence: NDArray[np.float64]) -> Polygons:
    """Take shared ground from the less confident of two graves, so that none overlap.

    Args:
        polygons: Valid polygons; the result keeps their order.
        confidence: Who wins; the larger, then the earlier.

    Returns:
        Valid polygons, empty where nothing was left.
    """
    result = polygons.copy()
    first, second = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a != b]
    rank = np.lexsort((np.arange(len(polygons)), -confidence)).argsort()
    losers = sorted({(rank[b], a, b) for a, b in pairs if rank[a] < rank[b]})
    for _, winner, loser in losers:
        if shapely.relate_pattern(result[winner], result[loser], "T********"):
            rest = shapely.difference(result[loser], result[winner])
            result[loser] = largest_parts(np.array([rest], dtype=object))[0]
    return result
