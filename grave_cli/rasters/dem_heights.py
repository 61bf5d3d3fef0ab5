"""Heights of a DEM in metres on the working grid, NaN where unknown.

Stored values are read on the DEM's own pixels, cleared of everything that is not a height, and only
then interpolated: an undeclared marker such as -32767 never bleeds into the heights beside it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.warp import reproject
from rasterio.windows import Window
from rasterio.windows import transform as window_transform

from grave_cli.rasters.dem import Dem, above, describe_dem
from grave_cli.rasters.georeference import operation
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.grid_reads import WARP, iter_pieces, resampling_onto
from grave_cli.rasters.raster_file import READ_ERRORS, damaged_file, open_raster

Heights = NDArray[np.float32]


@dataclass(frozen=True)
class DemReader:
    """A DEM open for reading in one thread; rasterio handles are not thread-safe.

    Args:
        dem: The inspected file.
        dataset: The open file.
        terrain: Its DTM, open; None without one.
    """

    dem: Dem
    dataset: DatasetReader
    terrain: "DemReader | None" = None

    def read(self, grid: WorkingGrid) -> Heights:
        """Read heights onto a grid: interpolated where the DEM is coarser, averaged where finer.

        Args:
            grid: The working grid or any crop of it.

        Returns:
            Heights in metres, NaN where unknown.

        Raises:
            RasterReadError: The file is damaged.
        """
        heights = np.full(grid.shape, np.nan, np.float32)
        place = self.dem.georeference
        how = resampling_onto(grid, place)
        try:
            for piece, source in iter_pieces(place, grid):
                heights[piece.toslices()] = self._read_piece(grid.crop(piece), source, how)
        except READ_ERRORS as error:
            raise damaged_file(self.dem.path, error) from None
        return heights

    def _read_piece(self, grid: WorkingGrid, window: Window, how: Resampling) -> Heights:
        heights = np.full(grid.shape, np.nan, np.float32)
        reproject(
            self._heights(window),
            heights,
            src_transform=window_transform(window, self.dem.georeference.transform),
            src_crs=self.dem.georeference.crs,
            src_nodata=np.nan,
            dst_transform=grid.transform,
            dst_crs=grid.crs,
            dst_nodata=np.nan,
            resampling=how,
            **WARP,
            **operation(self.dem.georeference, grid.crs),
        )
        return heights

    def _heights(self, window: Window) -> Heights:
        """Read stored values and turn them into metres, NaN where there is no height."""
        stored = self.dataset.read(1, window=window)
        missing = self.dataset.read_masks(1, window=window) == 0
        missing |= self.dem.rules.is_no_height(stored)
        if self.dem.has_alpha:  # GDAL does not use an alpha channel of floats as a mask
            missing |= self.dataset.read(2, window=window) == 0
        heights = self.dem.rules.metres(stored)
        heights[missing] = np.nan
        return np.asarray(heights)


@contextmanager
def open_dem(dem: Dem | Path, terrain: Path | None = None) -> Iterator[DemReader]:
    """Open a DEM for one thread to read its heights.

    Args:
        dem: An inspected DEM; a path is inspected while it is open.
        terrain: The DTM of a DEM that is inspected here; None without one.

    Raises:
        GridError: One has no usable CRS or geotransform.
        RasterReadError: One cannot be opened, or holds no heights.
    """
    path = dem if isinstance(dem, Path) else dem.path
    with ExitStack() as stack:
        dataset = stack.enter_context(open_raster(path))
        known = above(describe_dem(dataset, path), terrain) if isinstance(dem, Path) else dem
        below = None if known.terrain is None else stack.enter_context(open_dem(known.terrain))
        yield DemReader(known, dataset, below)


def read_dem(dem: Dem, grid: WorkingGrid) -> Heights:
    """Open a DEM and read the heights on a grid once; see `DemReader.read`.

    Args:
        dem: The DEM.
        grid: The working grid or any crop of it.

    Raises:
        RasterReadError: It is damaged.
    """
    with open_dem(dem) as reader:
        return reader.read(grid)
