"""Areas in (the labelled part of a cemetery, the part to be mapped), one geometry each out.

Outside of a labelled area nothing counts, in loss, metrics, sampling or scores; its pixels are
still seen, as the surroundings of what does count. A grave belongs to the area that holds its
centroid.
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
from grave_cli.vectors.vector_io import LayerChoice, read_geometries

Area: TypeAlias = shapely.Polygon | shapely.MultiPolygon


def read_area(path: Path, grid: WorkingGrid, layer: str = "") -> Area:
    """Read an area: all polygons of a layer, united and cut at the orthophoto's edge.

    Args:
        path: GeoPackage, GeoJSON, Shapefile or FlatGeobuf.
        grid: The whole working grid of an orthophoto.
        layer: Its layer; empty: the only one with polygons, or the one named `area`.

    Raises:
        DatasetError: It cannot be read, has no polygons, or lies outside of the orthophoto.
    """
    choice = LayerChoice(layer, preferred="area")
    clean = clean_outlines(read_geometries(path, grid.crs, choice), min_area=grid.pixel_size**2)
    if not len(clean.polygons) and not clean.findings.outside:
        raise DatasetError(
            "no area",
            where=path,
            found="; ".join(clean.findings.sentences()) or "no features",
            expected="polygons, or closed lines",
        )
    united = shapely.intersection(shapely.union_all(clean.polygons), shapely.box(*grid.bounds))
    parts = [part for part in shapely.get_parts(united) if part.area > 0]
    if not parts:
        raise DatasetError(
            "the area lies outside of the orthophoto",
            where=path,
            remedy="the CRS of one of them is probably wrong",
        )
    area = shapely.union_all(parts)
    shapely.prepare(area)
    return area


def within_area(polygons: Polygons, area: Area | None) -> NDArray[np.bool_]:
    """Say of each polygon whether it belongs to an area: whether its centroid lies there.

    Args:
        polygons: In the area's CRS.
        area: The area; None is everywhere.
    """
    if area is None:
        return np.ones(len(polygons), np.bool_)
    return np.asarray(shapely.contains(area, shapely.centroid(polygons)), dtype=np.bool_)


def rasterize_area(area: Area, grid: WorkingGrid) -> NDArray[np.bool_]:
    """Draw an area: True where a pixel's centre lies in it.

    Args:
        area: In the grid's CRS.
        grid: The grid or a crop of it.

    Shapes:
        returns: (H, W)
    """
    drawn = rasterio.features.rasterize(
        [(area, 1)], out_shape=grid.shape, transform=grid.transform, dtype="uint8"
    )
    return np.asarray(drawn > 0)
