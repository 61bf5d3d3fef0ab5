"""Windows of an orthophoto on a grid: read straight if it is aligned with the grid, or warped.

A straight read is GDAL's RasterIO: exact area averages from fractional windows, 3 to 10 times as
fast as the warper.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.warp import reproject
from rasterio.windows import Window
from rasterio.windows import transform as window_transform

from grave_cli.rasters.bands import Bands, has_mask
from grave_cli.rasters.crs import transformer
from grave_cli.rasters.georeference import Georeference
from grave_cli.rasters.grid import WorkingGrid, iter_windows

# Without these, two windows over one place get different pixels: GDAL approximates transforms, and
# scales the kernel of an interpolation by the sizes of the window and of the source under it.
WARP = {"tolerance": 1e-3, "XSCALE": 1, "YSCALE": 1}
_EDGE_PX = 1e-4  # working pixels by which rounding may move a pixel beyond the file's edge
_MARGIN_PX = 3  # source pixels around a window that interpolation and averaging may touch
_PIECE_PX = 512  # a warp takes pieces of at most this many working pixels; larger ones are slower
_PIECE_SOURCE_PX = 4096  # and of at most about this many of the file's own

Pixels = tuple[NDArray[Any], NDArray[np.bool_]]


def read_straight(
    dataset: DatasetReader, bands: Bands, place: Georeference, grid: WorkingGrid
) -> Pixels:
    """Read colours and validity from a north-up file in the grid's own CRS.

    Args:
        dataset: The open orthophoto, or one of its overviews.
        bands: The meaning of its bands.
        place: Its georeference.
        grid: The working grid or any crop of it.

    Shapes:
        returns: (3, H, W) in the file's type; (H, W)
    """
    colours = np.zeros((3, *grid.shape), dataset.dtypes[0])
    valid = np.zeros(grid.shape, np.bool_)
    inside = _inside(place, grid)
    if inside is None:
        return colours, valid
    source = _source_window(place, grid.crop(inside))
    rows, cols = inside.toslices()
    shape = (int(inside.height), int(inside.width))
    finer = source.width * source.height > inside.width * inside.height
    how = {"window": source, "resampling": Resampling.average if finer else Resampling.bilinear}
    colours[:, rows, cols] = dataset.read(bands.colours, out_shape=(3, *shape), **how)
    valid[rows, cols] = _read_valid(dataset, bands, shape, how)
    return colours, valid


def read_warped(
    dataset: DatasetReader, bands: Bands, place: Georeference, grid: WorkingGrid
) -> Pixels:
    """Read colours and validity from a file that is rotated, south-up or in another CRS.

    Args:
        dataset: The open orthophoto, or one of its overviews.
        bands: The meaning of its bands.
        place: Its georeference.
        grid: The working grid or any crop of it.

    Shapes:
        returns: (3, H, W) in the file's type; (H, W)
    """
    colours = np.zeros((3, *grid.shape), dataset.dtypes[0])
    valid = np.zeros(grid.shape, np.bool_)
    how = resampling_onto(grid, place)
    for piece, source in iter_pieces(place, grid):
        read = _read_with_alpha(dataset, bands, source)
        warped = np.zeros((4, int(piece.height), int(piece.width)), read.dtype)
        reproject(
            read,
            warped,
            src_transform=window_transform(source, place.transform),
            src_crs=place.crs,
            src_alpha=4,
            dst_transform=grid.crop(piece).transform,
            dst_crs=grid.crs,
            dst_alpha=4,
            resampling=how,
            **WARP,
        )
        rows, columns = piece.toslices()
        colours[:, rows, columns] = warped[:3]
        valid[rows, columns] = warped[3] >= np.iinfo(warped.dtype).max / 2
    return colours, valid


def iter_pieces(place: Georeference, grid: WorkingGrid) -> Iterator[tuple[Window, Window]]:
    """Cut a grid into pieces to warp: windows of it, each with the file's pixels under it.

    Pieces that lie beside the file are left out.

    Args:
        place: Georeference of the file.
        grid: The working grid or any crop of it.
    """
    ratio = _ratio(grid, place)
    edge = max(1, min(_PIECE_PX, int(_PIECE_SOURCE_PX / ratio)))
    margin = _MARGIN_PX + math.ceil(ratio)
    for piece in iter_windows(grid, edge):
        source = _window_under(grid.crop(piece), place, margin)
        if source is not None:
            yield piece, source


def resampling_onto(grid: WorkingGrid, place: Georeference) -> Resampling:
    """Choose how a file is brought onto a grid: averaged where it is finer, else interpolated."""
    return Resampling.average if _ratio(grid, place) > 1 else Resampling.bilinear


def _ratio(grid: WorkingGrid, place: Georeference) -> float:
    """Measure the edge of a grid's pixels in pixels of a file."""
    return math.sqrt(grid.pixel_size**2 / place.pixel_area_in(grid.crs))


def _window_under(grid: WorkingGrid, place: Georeference, margin: int) -> Window | None:
    """Find the file's pixels under a grid, with a margin around them."""
    # Not `transform_bounds`: around a rotated file its window would be much too large.
    points = Georeference(grid.crs, grid.transform, grid.width, grid.height).outline()
    xs, ys = transformer(grid.crs, place.crs).transform(*points.T)
    columns, rows = ~place.transform @ (np.asarray(xs), np.asarray(ys))
    if not (np.isfinite(columns).all() and np.isfinite(rows).all()):
        return None
    left, top = (max(0, math.floor(axis.min()) - margin) for axis in (columns, rows))
    right = min(place.width, math.ceil(columns.max()) + margin)
    bottom = min(place.height, math.ceil(rows.max()) + margin)
    if right <= left or bottom <= top:
        return None
    return Window(left, top, right - left, bottom - top)


def _read_with_alpha(dataset: DatasetReader, bands: Bands, window: Window) -> NDArray[Any]:
    """Read colours and an alpha channel of the type's own range, whatever marks the valid pixels.

    GDAL's warper has rules of its own for alpha channels beside nodata values or masks, and for
    those of other ranges.
    """
    shape = (int(window.height), int(window.width))
    read = np.zeros((4, *shape), dataset.dtypes[0])
    read[:3] = dataset.read(bands.colours, window=window)
    valid = _read_valid(dataset, bands, shape, {"window": window})
    read[3][valid] = np.iinfo(read.dtype).max
    return read


def _read_valid(
    dataset: DatasetReader, bands: Bands, shape: tuple[int, int], how: dict[str, Any]
) -> NDArray[np.bool_]:
    if bands.alpha is not None:
        alpha = dataset.read(bands.alpha, out_shape=shape, **how)
        return np.asarray(alpha >= bands.alpha_full / 2)
    if not has_mask(dataset):
        return np.ones(shape, np.bool_)
    # A pixel is nodata if all its colours are: black roofs have zeros in single bands.
    masks = dataset.read_masks(bands.colours, out_shape=(3, *shape), **how)
    return np.asarray(masks.max(axis=0) >= 128)


def _inside(place: Georeference, grid: WorkingGrid) -> Window | None:
    """Find the part of the grid whose pixels lie entirely within the file."""
    left, bottom, right, top = place.bounds
    first_col, first_row = ~grid.transform @ (left, top)
    last_col, last_row = ~grid.transform @ (right, bottom)
    col, row = (max(0, math.ceil(edge - _EDGE_PX)) for edge in (first_col, first_row))
    end_col = min(grid.width, math.floor(last_col + _EDGE_PX))
    end_row = min(grid.height, math.floor(last_row + _EDGE_PX))
    if end_col <= col or end_row <= row:
        return None
    return Window(col, row, end_col - col, end_row - row)


def _source_window(place: Georeference, grid: WorkingGrid) -> Window:
    """Return the (fractional) source pixels under a grid that lies within the file."""
    to_source = ~place.transform
    col, row = to_source @ (grid.transform.c, grid.transform.f)
    end_col, end_row = to_source @ (grid.transform @ (grid.width, grid.height))
    col, row = max(col, 0.0), max(row, 0.0)
    return Window(col, row, min(end_col, place.width) - col, min(end_row, place.height) - row)
