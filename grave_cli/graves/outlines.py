"""Instances in, polygons out: one clean outline per grave, none overlapping another.

Runs once over all graves of a cemetery, in a frame whose unit is the working pixel.
"""

from dataclasses import dataclass

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray

from grave_cli.graves.instances import Labels
from grave_cli.settings.sections import OutlineSettings

Polygons = NDArray[np.object_]
_SNAP = 1e-6  # pixels or CRS units; far below what a grave is measured with


@dataclass(frozen=True)
class Outlines:
    """The outlines of a cemetery's graves, in pixels of its grid.

    Args:
        raw: Outlines as decoded, pixel edges and all.
        regular: Outlines to be delivered: rectangles where they fit.
        is_rectangle: Which of them are rectangles.
        labels: The instance id of each.
    """

    raw: Polygons
    regular: Polygons
    is_rectangle: NDArray[np.bool_]
    labels: NDArray[np.int64]

    def take(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> "Outlines":
        """Keep some of the graves, by a mask, or by indices in the order wanted."""
        return Outlines(
            self.raw[keep], self.regular[keep], self.is_rectangle[keep], self.labels[keep]
        )


def draw_outlines(
    labels: Labels, confidence: NDArray[np.float64], gsd_m: float, settings: OutlineSettings
) -> Outlines:
    """Draw a polygon around each instance.

    Each grave gets a rectangle of its own area where that overlaps its pixels well enough, else its
    simplified outline. Where two overlap, the more confident one keeps the ground.

    Args:
        labels: Grave ids from 1, 0 is background.
        confidence: Of each grave; entry i is for id i + 1.
        gsd_m: Pixel edge in metres.
        settings: When a rectangle fits, how much an outline is simplified.

    Shapes:
        labels: (H, W); confidence: (graves,)
    """
    raw, ids = _trace(labels)
    rectangles = fit_rectangles(raw)
    fits = iou(raw, rectangles) >= settings.rectangle_iou
    simplified = largest_parts(
        shapely.make_valid(shapely.simplify(raw, settings.simplify_m / gsd_m))
    )
    chosen = np.where(fits, rectangles, simplified)
    regular = resolve_overlaps(chosen, confidence[ids - 1])
    outlines = Outlines(raw, regular, fits, ids)
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


def _trace(labels: Labels) -> tuple[Polygons, NDArray[np.int64]]:
    """Outline each label along its pixel edges, holes filled; of several parts the largest."""
    shapes = list(rasterio.features.shapes(labels, mask=labels > 0))
    ids = np.array([int(value) for _, value in shapes], dtype=np.int64)
    traced = np.array([shapely.geometry.shape(shape) for shape, _ in shapes], dtype=object)
    polygons = shapely.polygons(shapely.get_exterior_ring(traced))
    order = np.lexsort((-shapely.area(polygons), ids)) if len(ids) else np.array([], np.intp)
    unique, first = np.unique(ids[order], return_index=True)
    return polygons[order][first], unique
