"""Files of areas in (the labelled part of a cemetery, the part to map), one geometry each out.

Nothing outside the labelled area counts in loss, metrics, sampling or scores; its pixels only serve
as context. A grave belongs to the area that contains its centroid.
"""

from pathlib import Path
from typing import TypeAlias

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray

from grave_cli.errors import DatasetError
from grave_cli.outlines.polygons import Polygons
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.vectors.outline_repair import clean_outlines
from grave_cli.vectors.vector_io import LayerChoice, read_features

Area: TypeAlias = shapely.Polygon | shapely.MultiPolygon


def read_area(path: Path, grid: WorkingGrid, layer: str = "") -> Area:
    """Read an area: all polygons of a layer, united and clipped to the orthophoto.

    Args:
        path: GeoPackage, GeoJSON, Shapefile or FlatGeobuf.
        grid: The whole working grid of an orthophoto.
        layer: Layer of the area; empty: `area`, or the only polygon layer.

    Raises:
        DatasetError: The file cannot be read, has no polygons, or lies outside the orthophoto.
    """
    choice = LayerChoice(layer, preferred="area")
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
    united = shapely.intersection(shapely.union_all(clean.polygons), shapely.box(*grid.bounds))
    parts = [part for part in shapely.get_parts(united) if part.area > 0]
    if not parts:
        raise DatasetError(
            "area lies outside the orthophoto",
            where=path,
            remedy="check that both have the right CRS",
        )
    area = shapely.union_all(parts)
    shapely.prepare(area)
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
