"""The CRS of a raster's working grid: one in which a square is a square on the ground."""

import math
from functools import lru_cache
from pathlib import Path

import numpy as np
from pyproj import CRS
from pyproj.crs import ProjectedCRS
from pyproj.crs.coordinate_operation import UTMConversion

from grave_cli.errors import GridError
from grave_cli.rasters.crs import GEOD, LONLAT, parsed, transformer
from grave_cli.rasters.georeference import Georeference

_SURE = 70  # of 100: least confidence of pyproj that a CRS is the same as one of an authority
_PROBE_M = 50.0  # half length of the line along which a CRS is measured
_SKEW = 0.01  # of a length or an angle (radians): a CRS that is further off is not conformal


def working_crs(georeference: Georeference, where: Path | str) -> str:
    """Return the projected CRS of a raster's working grid: its own, or its UTM zone's.

    A square of the raster's own CRS must be one on the ground. The zone is that of the raster's
    centre, on the raster's own datum, so that no datum is shifted.

    Args:
        georeference: The raster's georeference.
        where: The file, named in errors.

    Raises:
        GridError: Its CRS is not square on the ground, and shifts its datum by itself.
    """
    crs = parsed(georeference.crs)
    left, bottom, right, top = georeference.bounds
    x, y = (left + right) / 2, (bottom + top) / 2
    if crs.is_projected and is_square(georeference.crs, x, y):
        return georeference.crs
    geographic = georeference.file_crs
    if crs.is_projected:
        geographic = _geographic(crs, where)
    if geographic != georeference.crs:
        x, y = transformer(georeference.crs, geographic).transform(x, y)
    zone = int((x + 180) % 360 // 6) + 1
    return _utm(geographic, zone, "N" if y >= 0 else "S")


def ground_axes(crs: str, x: float, y: float) -> tuple[float, float, float]:
    """Measure a projected CRS around a point.

    Source: Karney 2013, Algorithms for geodesics (through pyproj.Geod).

    Args:
        crs: Projected CRS, as WKT or authority code.
        x: Easting in CRS units.
        y: Northing in CRS units.

    Returns:
        Metres on the ground per CRS unit along x, the same along y, and the angle between both
        axes on the ground, radians.
    """
    half = _PROBE_M / CRS.from_user_input(crs).axis_info[0].unit_conversion_factor
    xs = np.array([x - half, x + half, x, x])
    ys = np.array([y, y, y - half, y + half])
    lon, lat = transformer(crs, LONLAT).transform(xs, ys)
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        return math.nan, math.nan, math.nan
    azimuths, _, lengths = GEOD.inv(lon[[0, 2]], lat[[0, 2]], lon[[1, 3]], lat[[1, 3]])
    angle = math.radians((azimuths[0] - azimuths[1]) % 360)
    return float(lengths[0] / (2 * half)), float(lengths[1] / (2 * half)), angle


def is_square(crs: str, x: float, y: float) -> bool:
    """Tell whether a square of a projected CRS is one on the ground, around a point."""
    along_x, along_y, angle = ground_axes(crs, x, y)
    even = abs(along_x - along_y) <= _SKEW * max(along_x, along_y)
    return even and abs(angle - math.pi / 2) <= _SKEW


def _geographic(crs: CRS, where: Path | str) -> str:
    """Return the geographic CRS below a projected one."""
    if crs.is_bound or crs.geodetic_crs is None:
        raise GridError(
            "a square in its CRS is not one on the ground",
            where=where,
            found=crs.name,
            expected="a conformal CRS",
            remedy="`gdalwarp -t_srs EPSG:25832` reprojects it",
        )
    return str(crs.geodetic_crs.to_wkt())


@lru_cache(maxsize=32)
def _utm(geographic: str, zone: int, hemisphere: str) -> str:
    crs = parsed(geographic)
    found = ProjectedCRS(
        UTMConversion(str(zone), hemisphere),
        f"{crs.name} / UTM zone {zone}{hemisphere}",
        geodetic_crs=crs,
    )
    authority = found.to_authority(min_confidence=_SURE)
    return (CRS.from_authority(*authority) if authority else found).to_wkt()
