"""Files of areas in (the labelled part of a cemetery, the part to map), one geometry each out.

Nothing outside the labelled area counts in loss, metrics, sampling or scores; its pixels only serve
as context. A grave belongs to the area that contains its centroid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray

from grave_cli.errors import DatasetError, SettingsError
from grave_cli.outlines.polygons import Polygons
from grave_cli.rasters.crs import parse_crs, transformer
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.vectors.outline_repair import clean_outlines
from grave_cli.vectors.vector_io import LayerChoice, read_features

Area: TypeAlias = shapely.Polygon | shapely.MultiPolygon


_STEPS = 50  # per side of a rectangle whose sides become curves in another CRS


@dataclass(frozen=True)
class MapBounds:
    """A rectangle to map.

    Args:
        sides: Left, bottom, right, top.
        crs: Their CRS, as WKT; None: that of the orthophoto.
        text: The rectangle as the user gave it.
    """

    sides: tuple[float, float, float, float]
    crs: str | None
    text: str


def parse_bounds(given: str | Sequence[float]) -> MapBounds:
    """Read a rectangle such as "500000,5300000,500100,5300100" or "11.5,48.1,11.6,48.2,EPSG:4326".

    Args:
        given: Left, bottom, right, top; as text, a CRS may follow.

    Raises:
        GridError: There is no such CRS.
        SettingsError: It is no rectangle.
    """
    text = given if isinstance(given, str) else ",".join(map(str, given))
    parts = text.split(",", 4)
    try:
        left, bottom, right, top = (float(part) for part in parts[:4])
    except ValueError:
        left = bottom = right = top = np.nan
    if not (left < right < np.inf and bottom < top < np.inf and min(left, bottom) > -np.inf):
        raise SettingsError(
            "bounds are no rectangle",
            found=text,
            expected="LEFT,BOTTOM,RIGHT,TOP with LEFT < RIGHT and BOTTOM < TOP, and a CRS such as "
            "EPSG:4326 if it is not that of the orthophoto",
        )
    crs = parse_crs(parts[4].strip()) if len(parts) > 4 else None
    return MapBounds((left, bottom, right, top), crs, text)


def bounds_area(bounds: MapBounds, grid: WorkingGrid, crs: str) -> Area:
    """Return a rectangle as an area, clipped to the orthophoto.

    Args:
        bounds: The rectangle.
        grid: The whole working grid of an orthophoto.
        crs: The orthophoto's own CRS, in which bounds without a CRS are.

    Raises:
        DatasetError: It lies outside the orthophoto.
    """
    own = bounds.crs or crs
    box = shapely.box(*bounds.sides)
    longest = max(np.subtract(bounds.sides[2:], bounds.sides[:2]))
    finer = shapely.segmentize(box, longest / _STEPS)
    moved = shapely.transform(finer, transformer(own, grid.crs).transform, interleaved=False)
    is_known = np.isfinite(shapely.get_coordinates(moved)).all()
    frame = shapely.box(*grid.bounds)
    if not is_known or shapely.intersection(moved, frame).area <= 0:
        back = shapely.transform(frame, transformer(grid.crs, own).transform, interleaved=False)
        raise DatasetError(
            "bounds lie outside the orthophoto",
            found=bounds.text,
            expected="within " + ",".join(f"{side:.9g}" for side in shapely.bounds(back)),
            remedy="name their CRS as a fifth value, as in 11.5,48.1,11.6,48.2,EPSG:4326"
            if bounds.crs is None
            else "give LEFT,BOTTOM,RIGHT,TOP: x before y, longitude before latitude",
        )
    return _common(moved, frame)


def both_areas(one: Area | None, other: Area | None) -> Area | None:
    """Return the common part of two areas; None contains everything.

    Raises:
        DatasetError: There is none.
    """
    if one is None or other is None:
        return one if other is None else other
    common = _common(one, other)
    if common.area <= 0:
        raise DatasetError(
            "nothing is left to map",
            found="--aoi and --bounds without a common part",
            remedy="give one of them",
        )
    return common


def _common(one: shapely.Geometry, other: shapely.Geometry) -> Area:
    """Return the areas that two have in common, without lines and points at which they touch."""
    parts = shapely.get_parts(shapely.intersection(one, other))
    area: Area = shapely.union_all(parts[shapely.area(parts) > 0])
    shapely.prepare(area)
    return area


def read_area(path: Path, grid: WorkingGrid, layer: str = "") -> Area:
    """Read an area: all polygons of a layer, united and clipped to the orthophoto.

    Args:
        path: GeoPackage, GeoJSON, Shapefile or FlatGeobuf.
        grid: The whole working grid of an orthophoto.
        layer: Layer of the area; empty: `area`, or the only polygon layer.

    Raises:
        DatasetError: The file cannot be read, has no polygons, or lies outside the orthophoto.
    """
    choice = LayerChoice(layer, preferred="area", named_with="")
    found = read_features(path, grid.crs, choice)
    clean = clean_outlines(
        found.geometries, min_area=grid.pixel_size**2, unreadable=found.unreadable
    )
    if not len(clean.polygons) and not clean.findings.outside:
        raise DatasetError(
            "area has no polygons",
            where=path,
            found="; ".join(clean.findings.sentences()) or "no features",
            expected="polygons, or closed lines",
        )
    area = _common(shapely.union_all(clean.polygons), shapely.box(*grid.bounds))
    if area.area <= 0:
        raise DatasetError(
            "area lies outside the orthophoto",
            where=path,
            remedy="check that both have the right CRS",
        )
    return area


def within_area(polygons: Polygons, area: Area | None) -> NDArray[np.bool_]:
    """Find the polygons whose centroid lies in an area.

    Args:
        polygons: Polygons in the CRS of the area.
        area: The area; None contains everything.
    """
    if area is None:
        return np.ones(len(polygons), np.bool_)
    return np.asarray(shapely.contains(area, shapely.centroid(polygons)), dtype=np.bool_)


def rasterize_area(area: Area, grid: WorkingGrid) -> NDArray[np.bool_]:
    """Rasterize an area: True where the centre of a pixel lies in it.

    Args:
        area: The area, in the CRS of the grid.
        grid: The grid or a crop of it.

    Shapes:
        returns: (H, W)
    """
    drawn = rasterio.features.rasterize(
        [(area, 1)], out_shape=grid.shape, transform=grid.transform, dtype="uint8"
    )
    return np.asarray(drawn > 0)
