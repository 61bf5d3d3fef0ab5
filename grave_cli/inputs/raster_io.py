"""Orthophotos in: windows of a file's pixels, averaged onto the working grid, with their validity.

A window's pixels do not depend on how the grid was cut into windows: a chip for training equals the same place read
for prediction.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from grave_cli.errors import GridError, RasterReadError
from grave_cli.inputs.grid import WorkingGrid, lay_grid

_SQUARE_TOLERANCE = 0.01  # relative difference of a pixel's edges that still counts as square
_EDGE_PX = 1e-4  # working pixels by which rounding may push a pixel over the file's edge


@dataclass(frozen=True)
class GridPixels:
    """Pixels on a working grid.

    Args:
        rgb: Red, green and blue.
        valid: True where the orthophoto shows something.
        grid: Where they lie.

    Shapes:
        rgb: (3, H, W) uint8; valid: (H, W) bool.
    """

    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    grid: WorkingGrid


@contextmanager
def open_raster(path: Path) -> Iterator[DatasetReader]:
    """Open a raster, with GDAL's complaints as one line.

    Raises:
        RasterReadError: It is missing or no raster.
    """
    if not path.exists():
        raise RasterReadError("file is missing", where=path)
    try:
        dataset = rasterio.open(path)
    except RasterioError as error:
        raise RasterReadError(f"cannot be opened as a raster: {error}", where=path) from None
    with dataset:
        yield dataset


def orthophoto_grid(path: Path, gsd_m: float, max_upsampling: float) -> WorkingGrid:
    """Lay the working grid of an orthophoto, after checking that it is one.

    Args:
        path: GeoTIFF with 3 or 4 bands of 8 bits.
        gsd_m: Edge of a working pixel in metres on the ground.
        max_upsampling: How many times coarser than that its own pixels may be.

    Raises:
        GridError: No CRS, a geographic one, or rotated or non-square or too coarse pixels.
        RasterReadError: It cannot be opened, or its bands are not those of an orthophoto.
    """
    with open_raster(path) as dataset:
        _check_bands(path, dataset)
        _check_transform(path, dataset)
        grid = lay_grid(dataset.crs.to_wkt(), tuple(dataset.bounds), gsd_m, path)
        own_gsd = dataset.transform.a * grid.metres_per_unit
    if own_gsd > gsd_m * max_upsampling:
        raise GridError(
            "orthophoto is too coarse for the working grid",
            where=path,
            found=f"{own_gsd:.3f} m per pixel",
            expected=f"at most {gsd_m * max_upsampling:.3f} m",
            remedy="set grid.gsd_m higher for all cemeteries, or grid.max_upsampling",
        )
    return grid


def read_orthophoto(path: Path, grid: WorkingGrid) -> GridPixels:
    """Read the pixels of an orthophoto under a working grid.

    Finer pixels are averaged (from overviews when the file has them), coarser ones interpolated. What lies outside of
    the file is black and not valid.

    Args:
        path: The orthophoto.
        grid: Its working grid or any crop of it.

    Raises:
        RasterReadError: The file is damaged.
    """
    with open_raster(path) as dataset:
        return read_open_orthophoto(dataset, grid)


def read_open_orthophoto(dataset: DatasetReader, grid: WorkingGrid) -> GridPixels:
    """Read like `read_orthophoto`, from a dataset that is open (one per thread).

    Raises:
        RasterReadError: The file is damaged.
    """
    rgb = np.zeros((3, *grid.shape), np.uint8)
    valid = np.zeros(grid.shape, np.bool_)
    inside = _inside(dataset, grid)
    if inside is None:
        return GridPixels(rgb, valid, grid)
    source = _source_window(dataset, grid.crop(inside))
    rows, cols = inside.toslices()
    shape = (int(inside.height), int(inside.width))
    finer = source.width > inside.width
    resampling = Resampling.average if finer else Resampling.bilinear
    try:
        rgb[:, rows, cols] = dataset.read(
            (1, 2, 3), window=source, out_shape=(3, *shape), resampling=resampling
        )
        mask = dataset.dataset_mask(window=source, out_shape=shape, resampling=resampling)
    except RasterioIOError as error:
        raise RasterReadError(f"damaged: {error}", where=dataset.name) from None
    valid[rows, cols] = mask >= 128
    rgb[:, ~valid] = 0
    return GridPixels(rgb, valid, grid)


def _check_bands(path: Path, dataset: DatasetReader) -> None:
    if dataset.count not in (3, 4) or set(dataset.dtypes) != {"uint8"}:
        raise RasterReadError(
            "not an orthophoto",
            where=path,
            found=f"{dataset.count} band(s) of {'/'.join(sorted(set(dataset.dtypes)))}",
            expected="3 or 4 bands (RGB, RGBA) of uint8",
        )
    if dataset.count == 4 and dataset.colorinterp[3] != ColorInterp.alpha:
        raise RasterReadError(
            "fourth band is not an alpha channel",
            where=path,
            found=dataset.colorinterp[3].name,
            expected="alpha",
            remedy="`gdal_translate -b 1 -b 2 -b 3` keeps RGB",
        )


def _check_transform(path: Path, dataset: DatasetReader) -> None:
    if dataset.crs is None:
        raise GridError(
            "orthophoto has no CRS", where=path, remedy="`gdal_edit.py -a_srs EPSG:25832` adds one"
        )
    transform = dataset.transform
    if transform.b or transform.d or transform.a <= 0 or transform.e >= 0:
        raise GridError(
            "orthophoto is rotated or not north up, or has no geotransform",
            where=path,
            found=str(tuple(transform)[:6]),
            expected="columns to the east, rows to the south",
            remedy=f"`gdalwarp {path.name} north_up.tif` mends it",
        )
    if abs(transform.a + transform.e) > _SQUARE_TOLERANCE * transform.a:
        raise GridError(
            "pixels are not square",
            where=path,
            found=f"{transform.a:g} x {-transform.e:g}",
            remedy=f"`gdalwarp -tr {transform.a:g} {transform.a:g} {path.name} square.tif` mends it",
        )


def _inside(dataset: DatasetReader, grid: WorkingGrid) -> Window | None:
    """Find the part of the grid whose pixels lie wholly within the file."""
    left, bottom, right, top = dataset.bounds
    first_col, first_row = ~grid.transform @ (left, top)
    last_col, last_row = ~grid.transform @ (right, bottom)
    col, row = (max(0, math.ceil(edge - _EDGE_PX)) for edge in (first_col, first_row))
    end_col = min(grid.width, math.floor(last_col + _EDGE_PX))
    end_row = min(grid.height, math.floor(last_row + _EDGE_PX))
    if end_col <= col or end_row <= row:
        return None
    return Window(col, row, end_col - col, end_row - row)


def _source_window(dataset: DatasetReader, grid: WorkingGrid) -> Window:
    """Return the (fractional) source pixels under a grid that lies within the file."""
    col, row = ~dataset.transform @ (grid.transform.c, grid.transform.f)
    end_col, end_row = ~dataset.transform @ (grid.transform @ (grid.width, grid.height))
    col, row = max(col, 0.0), max(row, 0.0)
    return Window(col, row, min(end_col, dataset.width) - col, min(end_row, dataset.height) - row)
