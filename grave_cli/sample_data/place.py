"""Puts a cemetery somewhere on Earth: a projected CRS → origin and units per true metre."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyproj
from affine import Affine
from pyproj.exceptions import CRSError

from grave_cli.errors import DatasetError
from grave_cli.sample_data.canvas import Array

FAVOURITE = (9.17, 48.05)
"""Longitude and latitude where the cemeteries lie when the CRS covers it."""
SPREAD_DEG = 0.05


@dataclass(frozen=True)
class Place:
    """Where the upper left corner of a cemetery lies.

    Args:
        crs: Its CRS.
        x: Easting of the corner in CRS units.
        y: Northing of the corner in CRS units.
        units_per_m: CRS units per true metre on the ground.
    """

    crs: pyproj.CRS
    x: float
    y: float
    units_per_m: float

    def transform(self, gsd_m: float, corner_m: tuple[float, float] = (0.0, 0.0)) -> Affine:
        """Return the geotransform of a raster with this GSD whose corner lies at `corner_m`."""
        pixel = gsd_m * self.units_per_m
        left, top = self.project(np.array([corner_m]))[0]
        return Affine(pixel, 0.0, float(left), 0.0, -pixel, float(top))

    def project(self, points_m: Array) -> Array:
        """Turn metres right and down from the corner into CRS coordinates.

        Shapes:
            points_m (N, 2) -> (N, 2).
        """
        flip = np.array([self.units_per_m, -self.units_per_m])
        return np.asarray(np.array([self.x, self.y]) + points_m * flip)


def read_crs(crs: str) -> pyproj.CRS:
    """Return a projected CRS.

    Args:
        crs: Anything pyproj understands, such as "EPSG:25832".

    Raises:
        DatasetError: The CRS is unknown, geographic, or does not say where it may be used.
    """
    try:
        found = pyproj.CRS.from_user_input(crs)
    except CRSError as error:
        raise DatasetError(
            "unknown CRS for the sample cemeteries",
            found=crs,
            remedy='give a projected CRS such as "EPSG:25832"',
        ) from error
    if not found.is_projected:
        raise DatasetError(
            "the sample cemeteries need a projected CRS",
            found=f"{crs} ({found.type_name})",
            remedy='give one such as "EPSG:25832" or "EPSG:3857"',
        )
    if found.area_of_use is None:
        raise DatasetError(
            "this CRS does not say where it may be used",
            found=crs,
            remedy='give it by its code, such as "EPSG:25832"',
        )
    return found


def find_place(rng: np.random.Generator, crs: pyproj.CRS) -> Place:
    """Choose a place inside the CRS's area of use and measure the ground scale there.

    Web Mercator is not conformal on the ellipsoid: at 48° N its scale differs by 0.3 % between
    north and east. The geometric mean keeps areas true.

    Args:
        rng: Source of randomness; shifts the place by a few kilometres.
        crs: Where the place is wanted.

    Raises:
        DatasetError: The CRS cannot express a place in its own area of use.
    """
    longitude, latitude = _spot(rng, crs)
    there = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = (round(float(value), 2) for value in there.transform(longitude, latitude))
    if not (math.isfinite(x) and math.isfinite(y)):
        raise DatasetError(
            "no place found in the area of this CRS",
            found=crs.name,
            remedy='give another projected CRS, such as "EPSG:25832"',
        )
    return Place(crs, x, y, 1 / _metres_per_unit(there, x, y))


def _spot(rng: np.random.Generator, crs: pyproj.CRS) -> tuple[float, float]:
    """Return longitude and latitude near the favourite place, else in the middle of the area."""
    area = crs.area_of_use
    west, south, east, north = area.bounds if area else (-180.0, -80.0, 180.0, 80.0)
    east += 360 if east < west else 0
    inside = west < FAVOURITE[0] < east and south < FAVOURITE[1] < north
    longitude, latitude = FAVOURITE if inside else ((west + east) / 2, (south + north) / 2)
    spread = min(SPREAD_DEG, (east - west) / 10, (north - south) / 10)
    shift = rng.uniform(-spread, spread, 2)
    return longitude + float(shift[0]), latitude + float(shift[1])


def _metres_per_unit(there: pyproj.Transformer, x: float, y: float, reach: float = 100.0) -> float:
    """Return true metres per CRS unit, the geometric mean of east and north."""
    ends_x = [x - reach, x + reach, x, x]
    ends_y = [y, y, y - reach, y + reach]
    longitude, latitude = there.transform(ends_x, ends_y, direction="INVERSE")
    geod = pyproj.Geod(ellps="WGS84")
    _, _, lengths = geod.inv(longitude[::2], latitude[::2], longitude[1::2], latitude[1::2])
    return math.sqrt(lengths[0] * lengths[1]) / (2 * reach)
