"""Coordinates that lie somewhere on the Earth, told from stray ones and from a wrong CRS."""

from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from grave_cli.errors import DatasetError
from grave_cli.outlines.polygons import Polygons
from grave_cli.rasters.crs import LONLAT, transformer

_PREFIXED = {31: 5649, 32: 4647, 33: 5650}
"""EPSG codes of ETRS89 / UTM whose eastings begin with the zone, as German offices write them."""
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
        found=f"x {low[0]:.8g} to {high[0]:.8g}, y {low[1]:.8g} to {high[1]:.8g} in {parsed.name}",
        expected="degrees" if parsed.is_geographic else "coordinates of that CRS",
        remedy="the CRS is probably wrong: set the right one in QGIS (Layer > Set CRS) and export "
        f"it as GeoPackage{_hint(parsed, low[0], where)}",
    )


def _hint(crs: CRS, x: float, where: Path) -> str:
    """Name the usual cause of coordinates that lie nowhere."""
    if where.suffix.lower() in (".json", ".geojson"):
        return "; GeoJSON without a CRS is in degrees"
    zone = int(x // 1e6)
    if crs.is_projected and zone in _PREFIXED:
        return f"; x begins with the zone {zone}, as in EPSG:{_PREFIXED[zone]}"
    return ""


def _sound(points: NDArray[np.float64], crs: str) -> NDArray[np.bool_]:
    """Find the coordinates that lie somewhere on the Earth."""
    parsed = CRS.from_user_input(crs)
    if not parsed.is_geographic:
        lonlat = transformer(crs, LONLAT).transform(*points.T)
        return np.asarray(np.isfinite(lonlat).all(axis=0))
    degrees = np.degrees(parsed.axis_info[0].unit_conversion_factor)
    return np.asarray((np.abs(points) * degrees <= (360, 90)).all(axis=1))
