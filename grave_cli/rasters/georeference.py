"""The georeference of a raster: its CRS and geotransform, checked.

All rasters pass here. A `.prj` file replaces a missing CRS,
and longitudes beyond 180 degrees are counted from the middle of the raster.
"""

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from rasterio.errors import CRSError as RasterioCRSError
from rasterio.io import DatasetReader

from grave_cli.errors import GridError
from grave_cli.rasters.crs import GEOD, LONLAT, horizontal, parsed, transformer
from grave_cli.rasters.world_files import aux_notes, ignored_notes, is_placeless, prj_beside
from grave_cli.wording import quoted

Bounds = tuple[float, float, float, float]
_EDGE_POINTS = 21  # per side of a raster whose outline is transformed to another CRS
_PIXEL_M = (0.001, 1000.0)  # edge of a pixel on the ground: no camera is finer, no DEM coarser
_PROBED_PX = 1000  # longest line over a raster's centre along which its pixels are measured


@dataclass(frozen=True)
class Georeference:
    """CRS, geotransform and size of a raster.

    Args:
        crs: Its horizontal CRS, projected or geographic, as WKT.
        transform: Pixel (column, row) -> CRS units; may be rotated or south-up.
        width: Columns.
        height: Rows.
        recentred_from: The file's own CRS, if its longitudes exceed 180 degrees; `crs` then counts
            them from the middle of the raster, because GDAL finds nothing beyond 180.
        notes: Notes on files beside the raster that say where it lies, one line each.
    """

    crs: str
    transform: Affine
    width: int
    height: int
    recentred_from: str = ""
    notes: tuple[str, ...] = ()

    @property
    def file_crs(self) -> str:
        """The CRS that the file states."""
        return self.recentred_from or self.crs

    @property
    def is_north_up(self) -> bool:
        """Columns run east and rows run south; pixels need not be square."""
        transform = self.transform
        return transform.b == 0 == transform.d and transform.a > 0 > transform.e

    @property
    def bounds(self) -> Bounds:
        """Left, bottom, right, top in CRS units."""
        corners = self.outline(2)
        return (*corners.min(axis=0), *corners.max(axis=0))

    @property
    def pixel_area(self) -> float:
        """Area of a pixel in squared CRS units."""
        return abs(float(self.transform.determinant))

    def resized(self, width: int, height: int) -> "Georeference":
        """Return the georeference of the same area in another number of pixels (an overview)."""
        scale = Affine.scale(self.width / width, self.height / height)
        return replace(self, transform=self.transform @ scale, width=width, height=height)

    def bounds_in(self, crs: str) -> Bounds:
        """Return the bounds of the raster's outline in another CRS."""
        # Not `transform_bounds`, which starts from the bounds: too large around a rotated raster.
        if crs == self.crs:
            return self.bounds
        points = self.outline()
        moved = np.stack(transformer(self.crs, crs).transform(*points.T), axis=1)
        return (*moved.min(axis=0), *moved.max(axis=0))

    def pixel_area_in(self, crs: str) -> float:
        """Return the area of the central pixel in squared units of another CRS."""
        if crs == self.crs:
            return self.pixel_area
        middle = np.array([self.width, self.height]) / 2
        corners = middle + np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
        points = np.stack(transformer(self.crs, crs).transform(*self.at(corners)), axis=1)
        return float(shapely.area(shapely.polygons(points)))

    def outline(self, points: int = _EDGE_POINTS) -> np.ndarray:
        """Return points along the sides of the raster, `points` per side.

        Shapes:
            returns: (4 * points, 2), in CRS units
        """
        share, zero = np.linspace(0, 1, points), np.zeros(points)
        across = np.concatenate([share, zero + 1, share[::-1], zero])
        down = np.concatenate([zero, share, zero + 1, share[::-1]])
        return np.stack(self.at(np.stack([across * self.width, down * self.height], axis=1)), 1)

    def at(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y of places in pixels.

        Shapes:
            pixels: (places, 2), columns and rows; returns: (places,) each
        """
        columns, rows = pixels.T
        t = self.transform
        return t.a * columns + t.b * rows + t.c, t.d * columns + t.e * rows + t.f


def read_georeference(dataset: DatasetReader, path: Path) -> Georeference:
    """Read the georeference of an open raster.

    Args:
        dataset: The raster.
        path: Its file, named in errors; a `.prj` file may lie beside it.

    Raises:
        GridError: It has no CRS or no geotransform, or its CRS is not tied to the Earth.
    """
    _check_transform(dataset.transform, path)
    if dataset.transform == Affine.identity():
        points = len(dataset.gcps[0])
        raise GridError(
            "raster has no geotransform",
            where=path,
            found=f"{points} ground control points" if points else "neither a tag nor a world file",
            expected="a position for every pixel",
            remedy=f"`gdalwarp -tps {quoted(path.name)} "
            f"{quoted(path.stem + '-placed.tif')}` applies them"
            if points
            else "export it as GeoTIFF again, or add its world file (.tfw)",
        )
    wkt, prj, notes = _file_wkt(dataset), prj_beside(path), []
    if prj is not None and (wkt is None or is_placeless(wkt)):
        wkt, prj = prj, None
        notes.append(f"{path}: its CRS is taken from the .prj file beside it")
    if wkt is None:
        raise GridError(
            "raster has no CRS",
            where=path,
            found="neither a tag nor a .prj file",
            expected="the CRS it was exported in",
            remedy=f"`gdal_edit.py -a_srs EPSG:25832 {quoted(path.name)}` adds one",
        )
    crs = horizontal(wkt, path)
    found = Georeference(crs, dataset.transform, dataset.width, dataset.height)
    _check_place(found, path)
    size = (dataset.width, dataset.height)
    notes += [*ignored_notes(path, dataset.transform, size, crs, prj), *aux_notes(dataset, path)]
    return replace(_recentred(found), notes=tuple(notes))


def ground_pixel_m(place: Georeference) -> tuple[float, float]:
    """Measure width and height of the pixels around the centre, in metres; NaN off the Earth."""
    # Not to its edges: a DEM may reach half a pixel beyond the pole.
    across, down = (min(_PROBED_PX, side) / 4 for side in (place.width, place.height))
    column, row = place.width / 2, place.height / 2
    pixels = [(column - across, row), (column + across, row), (column, row - down)]
    x, y = place.at(np.array([*pixels, (column, row + down)]))
    lon, lat = transformer(place.crs, LONLAT).transform(x, y)
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        return math.nan, math.nan
    _, _, lengths = GEOD.inv(lon[[0, 2]], lat[[0, 2]], lon[[1, 3]], lat[[1, 3]])
    return float(lengths[0] / (2 * across)), float(lengths[1] / (2 * down))


def _check_transform(transform: Affine, path: Path) -> None:
    numbers = tuple(transform)[:6]
    if not (all(map(math.isfinite, numbers)) and transform.determinant):
        raise GridError(
            "its geotransform gives its pixels no area",
            where=path,
            found=", ".join(f"{number:g}" for number in numbers),
            expected="a size and a position for every pixel",
            remedy="export it as GeoTIFF again, or correct its world file (.tfw)",
        )


def _check_place(place: Georeference, path: Path) -> None:
    """Refuse a raster that lies nowhere on the Earth, or whose pixels have an impossible size."""
    crs = parsed(place.crs)
    left, bottom, right, top = place.bounds
    # A DEM of the whole Earth reaches half a pixel beyond the poles.
    beyond = max(abs(left), abs(right)) > 361 or max(abs(bottom), abs(top)) > 91
    if crs.is_geographic and beyond:
        raise _nowhere(place, path, "degrees")
    try:
        sizes = ground_pixel_m(place)
    except ProjError:  # the Moon, Mars
        raise GridError(
            "its CRS is not tied to the Earth",
            where=path,
            found=f"{crs.name} ({crs.type_name})",
            expected="a projected or geographic CRS of the Earth",
            remedy="`gdal_edit.py -a_srs EPSG:25832` sets the CRS it was exported in",
        ) from None
    if not all(map(math.isfinite, sizes)):
        raise _nowhere(place, path, "a place on the Earth")
    least, most = _PIXEL_M
    if not (least <= min(sizes) and max(sizes) <= most):
        raise GridError(
            "its pixels have an impossible size",
            where=path,
            found=f"{sizes[0]:.2g} x {sizes[1]:.2g} m on the ground",
            expected=f"{least:g} to {most:g} m",
            remedy="the CRS is probably wrong, or the geotransform (world file)",
        )


def _recentred(place: Georeference) -> Georeference:
    """Count longitudes beyond 180 degrees from the middle of the raster."""
    left, _, right, _ = place.bounds
    crs = parsed(place.crs)
    if not crs.is_geographic or crs.axis_info[0].unit_name != "degree":
        return place
    if left >= -180 and right <= 180:
        return place
    middle = round((left + right) / 2)
    # WKT1 has the prime meridian in one place, also of datum ensembles such as WGS 84.
    wkt = str(crs.to_wkt("WKT1_GDAL"))
    own = crs.prime_meridian.longitude if crs.prime_meridian else 0
    wkt = re.sub(r'PRIMEM\["[^"]*",[^,\]]*', f'PRIMEM["middle",{middle + own}', wkt)
    wkt = re.sub(r',AUTHORITY\["[^"]*","[^"]*"\]', "", wkt)
    moved = Affine.translation(-middle, 0) @ place.transform
    crs_wkt = CRS.from_wkt(wkt).to_wkt()
    return replace(place, crs=crs_wkt, transform=moved, recentred_from=place.crs)


def _nowhere(place: Georeference, path: Path, expected: str) -> GridError:
    return GridError(
        "its position cannot be mapped to the ground",
        where=path,
        found=f"bounds {_short(place.bounds)} in {parsed(place.crs).name}",
        expected=expected,
        remedy="the CRS is probably wrong",
    )


@lru_cache(maxsize=32)
def operation(place: Georeference, crs: str) -> dict[str, str]:
    """Return the options by which GDAL's warper transforms like `transformer`.

    By itself, it ignores datum shifts a little outside of the area that a CRS is made for: heights
    of the Dutch RD would lie 120 m off in a cemetery beyond the border.

    Args:
        place: A raster.
        crs: CRS to which it is warped.
    """
    if place.crs == crs:
        return {}
    x, y = place.at(np.array([(place.width / 2, place.height / 2)]))
    # GDAL wants the order of axes that the CRSs state, unlike `transformer`.
    steps = Transformer.from_crs(place.crs, crs)
    east_first = parsed(place.crs).axis_info[0].direction.lower() in ("east", "west")
    steps.transform(*((x[0], y[0]) if east_first else (y[0], x[0])))
    try:
        pipeline = steps.get_last_used_operation().to_proj4()
    except ProjError:  # nothing that a pipeline could say
        return {}
    return {"COORDINATE_OPERATION": pipeline} if pipeline else {}


def _file_wkt(dataset: DatasetReader) -> str | None:
    try:
        return str(dataset.crs.to_wkt()) if dataset.crs else None
    except RasterioCRSError:
        return None


def _short(bounds: Bounds) -> str:
    return ", ".join(f"{value:.8g}" for value in bounds)
