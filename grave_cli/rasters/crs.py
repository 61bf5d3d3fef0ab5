"""Coordinate reference systems: parsed, checked, and transformed into one another."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import CRSError

from grave_cli.errors import GridError

LONLAT = "EPSG:4326"
GEOD = Geod(ellps="WGS84")
Move = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def parse_crs(text: str) -> str:
    """Parse a CRS that the user named, and return it as WKT.

    Args:
        text: EPSG:25832, WKT, a PROJ string or any other form that pyproj accepts.

    Raises:
        GridError: It is not a CRS, or not tied to the Earth.
    """
    try:
        return horizontal(CRS.from_user_input(text).to_wkt(), f"CRS {text}")
    except CRSError:
        raise GridError(
            "unknown CRS",
            found=text,
            expected="for example EPSG:25832",
            remedy="check the spelling",
        ) from None


def horizontal(wkt: str, where: Path | str) -> str:
    """Drop the vertical part of a CRS; its datum shift is kept.

    Args:
        wkt: The CRS.
        where: The file or text that states it, named in errors.

    Raises:
        GridError: It cannot be parsed, or is not tied to the Earth.
    """
    try:
        crs = CRS.from_wkt(wkt)
    except CRSError as error:
        raise GridError(
            "its CRS cannot be parsed",
            where=where,
            found=str(error)[:120],
            expected="a projected or geographic CRS",
            remedy="`gdal_edit.py -a_srs EPSG:25832` replaces it",
        ) from None
    if crs.is_compound:
        crs = crs.sub_crs_list[0]
    if not (crs.is_projected or crs.is_geographic):
        raise GridError(
            "its CRS is not tied to the Earth",
            where=where,
            found=f"{crs.name} ({crs.type_name})",
            expected="a projected or geographic CRS",
            remedy="`gdal_edit.py -a_srs EPSG:25832` sets the CRS it was exported in",
        )
    return crs.to_2d().to_wkt()


@lru_cache(maxsize=32)
def parsed(wkt: str) -> CRS:
    """Parse the WKT of a CRS."""
    return CRS.from_wkt(wkt)


@lru_cache(maxsize=32)
def transformer(source: str, target: str) -> Transformer:
    """Return the transformation between two CRSs, with x before y on both sides."""
    return Transformer.from_crs(source, target, always_xy=True)


def mover(source: str, target: str, near: tuple[float, float]) -> Move:
    """Return a function that moves coordinates to another CRS and keeps them together.

    Across the antimeridian, longitudes go on beyond 180 degrees instead of jumping to -180.

    Args:
        source: CRS of the coordinates.
        target: Wanted CRS.
        near: A place amid them, in `source`.
    """
    step = transformer(source, target)
    axis = CRS.from_user_input(target).axis_info[0]
    if axis.unit_name != "degree":
        return lambda x, y: step.transform(x, y)
    middle = step.transform(*near)[0]

    def move(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        longitude, latitude = step.transform(x, y)
        longitude = np.where(longitude - middle > 180, longitude - 360, longitude)
        return np.where(middle - longitude > 180, longitude + 360, longitude), latitude

    return move
