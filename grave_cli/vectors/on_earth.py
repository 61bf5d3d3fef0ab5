"""Coordinates that lie somewhere on the Earth, told from stray ones and from a wrong CRS."""

from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from grave_cli.errors import DatasetError
from grave_cli.outlines.polygons import Polygons
from grave_cli.rasters.georeference import LONLAT, transformer

_SOUND_SHARE = 0.5  # of the coordinates: with fewer on the Earth, the CRS is wrong


def on_earth(shapes: Polygons, crs: str, where: Path) -> Polygons:
    """Make stray coordinates infinite, which lie nowhere in their CRS.

    Args:
        shapes: Flat geometries.
        crs: Their CRS.
        where: Their file, named in the error.

    Raises:
        DatasetError: Most coordinates lie nowhere, such as metres that are called degrees.
    """
    points = shapely.get_coordinates(shapes)
    sound = _sound(points, crs)
    if sound.all():
        return shapes
    finite = points[np.isfinite(points).all(axis=1)]
    if sound.mean() >= _SOUND_SHARE or not len(finite):
        points[~sound] = np.inf
        return np.asarray(shapely.set_coordinates(shapes.copy(), points))
    parsed = CRS.from_user_input(crs)
    low, high = np.percentile(finite, (5, 95), axis=0)
    raise DatasetError(
        "its coordinates lie nowhere on the Earth",
        where=where,
        found=f"x {low[0]:.6g} to {high[0]:.6g}, y {low[1]:.6g} to {high[1]:.6g} in {parsed.name}",
        expected="degrees" if parsed.is_geographic else "coordinates of that CRS",
        remedy="the CRS is probably wrong: set the right one in QGIS (Layer > Set CRS) and export "
        "it as GeoPackage; GeoJSON without a CRS is in degrees",
    )


def _sound(points: NDArray[np.float64], crs: str) -> NDArray[np.bool_]:
    """Find the coordinates that lie somewhere on the Earth."""
    parsed = CRS.from_user_input(crs)
    if not parsed.is_geographic:
        lonlat = transformer(crs, LONLAT).transform(*points.T)
        return np.asarray(np.isfinite(lonlat).all(axis=0))
    degrees = np.degrees(parsed.axis_info[0].unit_conversion_factor)
    return np.asarray((np.abs(points) * degrees <= (360, 90)).all(axis=1))
