"""The georeference of a raster: its CRS and geotransform, checked, and the CRS of its working grid.

All rasters pass here. Compound CRSs lose their vertical part, a `.prj` file replaces a missing CRS,
and rasters in a geographic CRS are processed in their UTM zone.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from pyproj import CRS, Transformer
from pyproj.crs import ProjectedCRS
from pyproj.crs.coordinate_operation import UTMConversion
from pyproj.exceptions import CRSError
from rasterio.errors import CRSError as RasterioCRSError
from rasterio.io import DatasetReader

from grave_cli.errors import GridError

LONLAT = "EPSG:4326"
Bounds = tuple[float, float, float, float]
_EDGE_POINTS = 21  # per side of a raster whose outline is transformed to another CRS
_SURE = 70  # of 100: least confidence of pyproj that a CRS is the same as one of an authority


@dataclass(frozen=True)
class Georeference:
    """CRS, geotransform and size of a raster.

    Args:
        crs: Its horizontal CRS, projected or geographic, as WKT.
        transform: Pixel (column, row) -> CRS units; may be rotated or south-up.
        width: Columns.
        height: Rows.
        from_prj: The CRS comes from a `.prj` file beside the raster.
    """

    crs: str
    transform: Affine
    width: int
    height: int
    from_prj: bool = False

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
        points = np.stack(transformer(self.crs, crs).transform(*self._at(corners)), axis=1)
        return float(shapely.area(shapely.polygons(points)))

    def outline(self, points: int = _EDGE_POINTS) -> np.ndarray:
        """Return points along the sides of the raster, `points` per side.

        Shapes:
            returns: (4 * points, 2), in CRS units
        """
        share, zero = np.linspace(0, 1, points), np.zeros(points)
        across = np.concatenate([share, zero + 1, share[::-1], zero])
        down = np.concatenate([zero, share, zero + 1, share[::-1]])
        return np.stack(self._at(np.stack([across * self.width, down * self.height], axis=1)), 1)

    def _at(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
    if dataset.transform == Affine.identity():
        points = len(dataset.gcps[0])
        raise GridError(
            "raster has no geotransform",
            where=path,
            found=f"{points} ground control points" if points else "neither a tag nor a world file",
            expected="a position for every pixel",
            remedy="`gdalwarp -tps` applies ground control points"
            if points
            else "export it as GeoTIFF again, or add its world file (.tfw)",
        )
    wkt, from_prj = _file_wkt(dataset), False
    if wkt is None:
        wkt, from_prj = _prj_text(path), True
    if wkt is None:
        raise GridError(
            "raster has no CRS",
            where=path,
            found="neither a tag nor a .prj file",
            expected="the CRS it was exported in",
            remedy=f"`gdal_edit.py -a_srs EPSG:25832 {path.name}` adds one",
        )
    crs = _horizontal(wkt, path)
    return Georeference(crs, dataset.transform, dataset.width, dataset.height, from_prj)


def working_crs(georeference: Georeference, where: Path | str) -> str:
    """Return the projected CRS of a raster's working grid: its own, or its UTM zone's.

    The zone is that of the raster's centre, on the raster's own datum, so that no datum is shifted.

    Args:
        georeference: The raster's georeference.
        where: The file, named in errors.

    Raises:
        GridError: Its coordinates are not degrees.
    """
    crs = _parsed(georeference.crs)
    if crs.is_projected:
        return georeference.crs
    left, bottom, right, top = georeference.bounds
    longitude, latitude = (left + right) / 2, (bottom + top) / 2
    if max(abs(left), abs(right)) > 360 or max(abs(bottom), abs(top)) > 90:
        raise GridError(
            "its position cannot be mapped to the ground",
            where=where,
            found=f"bounds {_short(georeference.bounds)} in {crs.name}",
            expected="degrees",
            remedy="the CRS is probably wrong",
        )
    zone = int((longitude + 180) % 360 // 6) + 1
    return _utm(georeference.crs, zone, "N" if latitude >= 0 else "S")


def parse_crs(text: str) -> str:
    """Parse a CRS that the user named, and return it as WKT.

    Args:
        text: EPSG:25832, WKT, a PROJ string or any other form that pyproj accepts.

    Raises:
        GridError: It is not a CRS, or not tied to the Earth.
    """
    try:
        return _horizontal(CRS.from_user_input(text).to_wkt(), f"CRS {text}")
    except CRSError:
        raise GridError(
            "unknown CRS",
            found=text,
            expected="for example EPSG:25832",
            remedy="check the spelling",
        ) from None


@lru_cache(maxsize=32)
def transformer(source: str, target: str) -> Transformer:
    """Return the transformation between two CRSs, with x before y on both sides."""
    return Transformer.from_crs(source, target, always_xy=True)


@lru_cache(maxsize=32)
def _parsed(wkt: str) -> CRS:
    return CRS.from_wkt(wkt)


@lru_cache(maxsize=32)
def _utm(geographic: str, zone: int, hemisphere: str) -> str:
    crs = _parsed(geographic)
    found = ProjectedCRS(
        UTMConversion(str(zone), hemisphere),
        f"{crs.name} / UTM zone {zone}{hemisphere}",
        geodetic_crs=crs,
    )
    authority = found.to_authority(min_confidence=_SURE)
    return (CRS.from_authority(*authority) if authority else found).to_wkt()


def _horizontal(wkt: str, where: Path | str) -> str:
    """Drop the vertical part of a CRS; its datum shift is kept."""
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


def _file_wkt(dataset: DatasetReader) -> str | None:
    try:
        return str(dataset.crs.to_wkt()) if dataset.crs else None
    except RasterioCRSError:
        return None


def _prj_text(path: Path) -> str | None:
    for suffix in (".prj", ".PRJ"):
        beside = path.with_suffix(suffix)
        if beside.is_file():
            return beside.read_text(encoding="utf-8", errors="replace").strip() or None
    return None


def _short(bounds: Bounds) -> str:
    return ", ".join(f"{value:g}" for value in bounds)
