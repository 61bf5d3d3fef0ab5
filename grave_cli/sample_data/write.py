"""The built-in sample cemeteries: a seed → orthophotos, DEMs and annotations on disk.

They stand in for a survey one does not have yet: to try every command, to test, to see what a data
set looks like. They say nothing about accuracy on real graves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import fiona
import numpy as np
import pyproj
import rasterio
import shapely
from rasterio.enums import Resampling

from grave_cli.atomic_writes import whole_file
from grave_cli.errors import DatasetError
from grave_cli.progress import SILENT, Progress
from grave_cli.sample_data.elevation import NODATA, SurfaceModel, model_surface
from grave_cli.sample_data.layout import plan_cemetery
from grave_cli.sample_data.paint import Picture, paint_cemetery
from grave_cli.sample_data.place import Place, find_place, read_crs
from grave_cli.sample_data.style import draw_style

GSD_M = 0.025
PREFIX = "sample_"
FOLDERS = ("orthophotos", "dems", "annotations")
SIZES_M = (10.0, 200.0)
WRITTEN_ON = "2024-01-01T00:00:00.000Z"
"""Date in every GeoPackage: files of the same seed are equal to the last byte."""


@dataclass(frozen=True)
class SampleCemetery:
    """One sample cemetery on disk.

    Args:
        name: Its id.
        orthophoto: RGBA GeoTIFF.
        dem: Surface model, GeoTIFF.
        annotations: Grave outlines, GeoPackage.
        graves: Number of outlines.
    """

    name: str
    orthophoto: Path
    dem: Path
    annotations: Path
    graves: int


def write_sample_data(
    root: Path,
    *,
    cemeteries: int = 4,
    size_m: float = 40.0,
    seed: int = 0,
    crs: str = "EPSG:25832",
    progress: Progress = SILENT,
) -> list[SampleCemetery]:
    """Write a data set of sample cemeteries, all of it or nothing.

    Args:
        root: Folder of the data set; created when missing.
        cemeteries: How many.
        size_m: Edge of the square that is flown, in true metres on the ground.
        seed: The same seed gives the same pixels and outlines.
        crs: A projected CRS in any unit.
        progress: Told after each cemetery.

    Returns:
        The cemeteries in order of their names.

    Raises:
        DatasetError: A size is out of bounds, the CRS is not a projected one, or the folder already
            holds data.
        ExportError: A file cannot be written.
    """
    _check_sizes(cemeteries, size_m)
    target = read_crs(crs)
    _prepare_folders(root)
    written: list[SampleCemetery] = []
    with (
        _nothing_left_on_failure(root),
        progress.task("Sample cemeteries", total=cemeteries, unit="cemeteries") as advance,
    ):
        for index in range(cemeteries):
            written.append(_write_cemetery(root, index, size_m, seed, target))
            advance(1)
    return written


def _check_sizes(cemeteries: int, size_m: float) -> None:
    if cemeteries < 1:
        raise DatasetError("too few sample cemeteries", found=cemeteries, expected="at least 1")
    if not SIZES_M[0] <= size_m <= SIZES_M[1]:
        raise DatasetError(
            "the sample cemeteries cannot have this size",
            found=f"{size_m} m",
            expected=f"{SIZES_M[0]:g} to {SIZES_M[1]:g} m",
        )


def _prepare_folders(root: Path) -> None:
    """Create the folders, and refuse any that holds something already."""
    for name in FOLDERS:
        folder = root / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatasetError(
                "cannot create this folder", where=folder, found=error.strerror
            ) from error
        present = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        if present:
            raise DatasetError(
                "the folder already holds files",
                where=folder,
                found=present[0],
                remedy="choose an empty or new folder for the sample data",
            )


@contextmanager
def _nothing_left_on_failure(root: Path) -> Iterator[None]:
    """Remove what was written into the folders, which were empty before, when writing fails."""
    try:
        yield
    except BaseException:
        for name in FOLDERS:
            for path in (root / name).iterdir():
                if path.name.startswith(PREFIX):
                    path.unlink()
        raise


def _write_cemetery(
    root: Path, index: int, size_m: float, seed: int, crs: pyproj.CRS
) -> SampleCemetery:
    rng = np.random.default_rng([seed, index])
    name = f"{PREFIX}{index + 1:02d}"
    plan = plan_cemetery(rng, size_m, draw_style(rng, index))
    picture = paint_cemetery(rng, plan, GSD_M)
    surface = model_surface(rng, picture.height, GSD_M)
    place = find_place(rng, crs)
    cemetery = SampleCemetery(
        name,
        root / "orthophotos" / f"{name}.tif",
        root / "dems" / f"{name}.tif",
        root / "annotations" / f"{name}.gpkg",
        len(picture.graves),
    )
    with whole_file(cemetery.orthophoto) as path:
        _write_orthophoto(path, picture, place)
    with whole_file(cemetery.dem) as path:
        _write_dem(path, surface, place)
    with whole_file(cemetery.annotations) as path:
        _write_annotations(path, picture, place)
    return cemetery


def _write_orthophoto(path: Path, picture: Picture, place: Place) -> None:
    rows, cols, bands = picture.rgba.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=cols,
        height=rows,
        count=bands,
        dtype="uint8",
        crs=rasterio.CRS.from_wkt(place.crs.to_wkt()),
        transform=place.transform(GSD_M),
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
            target.write(picture.rgba[:, :, band], band + 1)
    factors = [factor for factor in (2, 4, 8, 16, 32) if min(rows, cols) / factor >= 64]
    with rasterio.Env(GDAL_TIFF_OVR_BLOCKSIZE=256), rasterio.open(path, "r+") as target:
        target.build_overviews(factors, Resampling.average)


def _write_dem(path: Path, surface: SurfaceModel, place: Place) -> None:
    rows, cols = surface.values.shape
    with rasterio.open(
        path,
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


def _write_annotations(path: Path, picture: Picture, place: Place) -> None:
    schema = {"geometry": "Polygon", "properties": {"kind": "str:12", "status": "str:12"}}
    records = [
        {
            "geometry": shapely.Polygon(place.project(grave.corners)).__geo_interface__,
            "properties": {"kind": grave.kind, "status": grave.status},
        }
        for grave in picture.graves
    ]
    wkt = place.crs.to_wkt()
    with (
        fiona.Env(OGR_CURRENT_DATE=WRITTEN_ON),
        fiona.open(path, "w", driver="GPKG", layer="graves", schema=schema, crs_wkt=wkt) as target,
    ):
        target.writerecords(records)
