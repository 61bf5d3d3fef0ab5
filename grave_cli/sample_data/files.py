"""Writes the files of one sample cemetery: orthophoto, DEM, annotations.

Each is made in memory and then written at once: on a full disk GDAL would write a part of it, and
report that on stderr alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import fiona
import rasterio
import shapely
from fiona.io import MemoryFile as VectorMemoryFile
from rasterio.enums import Resampling
from rasterio.io import MemoryFile

from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.elevation import NODATA, SurfaceModel
from grave_cli.sample_data.place import Place

WRITTEN_ON = "2024-01-01T00:00:00.000Z"
"""Date in every GeoPackage: files of the same seed are equal to the last byte."""


class Outlined(Protocol):
    """A grave with an outline: four corners in metres from the orthophoto's corner."""

    @property
    def corners(self) -> Array:
        """Its corners, (4, 2)."""

    @property
    def kind(self) -> str:
        """Kind of plot, such as single or urn."""

    @property
    def status(self) -> str:
        """How it is looked after."""


def write_orthophoto(path: Path, rgba: Array, gsd_m: float, place: Place) -> None:
    """Write an RGBA GeoTIFF with overviews.

    Args:
        path: Where to.
        rgba: The picture.
        gsd_m: Its pixel edge in metres.
        place: Where its corner lies.

    Shapes:
        rgba (H, W, 4) uint8.
    """
    rows, cols, bands = rgba.shape
    factors = [factor for factor in (2, 4, 8, 16, 32) if min(rows, cols) / factor >= 64]
    with MemoryFile(ext=".tif") as memory:
        with rasterio.open(
            memory.name,
            "w",
            driver="GTiff",
            width=cols,
            height=rows,
            count=bands,
            dtype="uint8",
            crs=rasterio.CRS.from_wkt(place.crs.to_wkt()),
            transform=place.transform(gsd_m),
            tiled=True,
            blockxsize=256,
            blockysize=256,
            compress="deflate",
            predictor=2,
            zlevel=6,
            photometric="RGB",
            alpha="non-premultiplied",
        ) as target:
            for band in range(bands):
                target.write(rgba[:, :, band], band + 1)
        with rasterio.Env(GDAL_TIFF_OVR_BLOCKSIZE=256), rasterio.open(memory.name, "r+") as target:
            target.build_overviews(factors, Resampling.average)
        path.write_bytes(memory.read())


def write_dem(path: Path, surface: SurfaceModel, place: Place) -> None:
    """Write a DEM as a float32 GeoTIFF with nodata.

    Args:
        path: Where to.
        surface: Heights on their own grid.
        place: Where the orthophoto's corner lies.
    """
    rows, cols = surface.values.shape
    with MemoryFile(ext=".tif") as memory:
        with rasterio.open(
            memory.name,
            "w",
            driver="GTiff",
            width=cols,
            height=rows,
            count=1,
            dtype="float32",
            nodata=NODATA,
            crs=rasterio.CRS.from_wkt(place.crs.to_wkt()),
            transform=place.transform(surface.gsd_m, surface.corner_m),
            tiled=True,
            blockxsize=256,
            blockysize=256,
            compress="deflate",
            predictor=3,
        ) as target:
            target.write(surface.values, 1)
        path.write_bytes(memory.read())


def write_annotations(path: Path, graves: Sequence[Outlined], place: Place) -> None:
    """Write grave outlines as a GeoPackage; files of equal graves are equal to the last byte.

    Args:
        path: Where to.
        graves: The graves an office can outline.
        place: Where the orthophoto's corner lies.
    """
    schema = {"geometry": "Polygon", "properties": {"kind": "str:12", "status": "str:12"}}
    records = [
        {
            "geometry": shapely.Polygon(place.project(grave.corners)).__geo_interface__,
            "properties": {"kind": grave.kind, "status": grave.status},
        }
        for grave in graves
    ]
    wkt = place.crs.to_wkt()
    how = {"driver": "GPKG", "layer": "graves", "schema": schema, "crs_wkt": wkt}
    with fiona.Env(OGR_CURRENT_DATE=WRITTEN_ON), VectorMemoryFile(ext=".gpkg") as memory:
        with fiona.open(memory.name, "w", **how) as target:
            target.writerecords(records)
        path.write_bytes(memory.read())
