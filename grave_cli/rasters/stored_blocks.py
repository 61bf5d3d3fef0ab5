"""Blocks of a GeoTIFF that are not stored: they read as nodata, and need not be read.

GDAL leaves such blocks out with SPARSE_OK=TRUE; a mosaic of few flights in a large frame has
mostly those.

Source: https://gdal.org/en/stable/drivers/raster/gtiff.html (SPARSE_OK; the metadata item
BLOCK_OFFSET_x_y of the domain TIFF).
"""

import math

from rasterio.io import DatasetReader

from grave_cli.rasters.bands import Bands
from grave_cli.rasters.georeference import Georeference
from grave_cli.rasters.grid import WorkingGrid

_MARGIN_PX = 2  # of the file: an interpolated pixel takes its neighbours


def is_stored(dataset: DatasetReader, bands: Bands, place: Georeference, grid: WorkingGrid) -> bool:
    """Tell whether a file stores pixels under a grid, if missing ones count as empty.

    Args:
        dataset: The open orthophoto, not one of its overviews.
        bands: The meaning of its bands.
        place: Its georeference.
        grid: Any crop of the working grid.

    Returns:
        False only if none of the blocks under the grid is stored.
    """
    marked = bands.alpha is not None or dataset.nodata is not None
    if dataset.driver != "GTiff" or not marked:
        return True
    band = bands.alpha or bands.colours[0]
    height, width = dataset.block_shapes[band - 1]
    left, top, right, bottom = _window(place, grid)
    rows = range(max(0, top) // height, min(bottom, dataset.height - 1) // height + 1)
    columns = range(max(0, left) // width, min(right, dataset.width - 1) // width + 1)
    wanted = (bands.alpha,) if bands.alpha else bands.colours
    return any(
        dataset.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=one) is not None
        for row in rows
        for column in columns
        for one in wanted
    )


def _window(place: Georeference, grid: WorkingGrid) -> tuple[int, int, int, int]:
    """Return the pixels of a file around a grid: left, top, right, bottom."""
    own = Georeference(grid.crs, grid.transform, grid.width, grid.height)
    left, bottom, right, top = own.bounds_in(place.crs)
    to_pixels = ~place.transform
    corners = [to_pixels @ (x, y) for x in (left, right) for y in (bottom, top)]
    columns, rows = zip(*corners, strict=True)
    return (
        math.floor(min(columns)) - _MARGIN_PX,
        math.floor(min(rows)) - _MARGIN_PX,
        math.ceil(max(columns)) + _MARGIN_PX,
        math.ceil(max(rows)) + _MARGIN_PX,
    )
