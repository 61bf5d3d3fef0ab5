"""Pixels of an orthophoto on the working grid, with their validity.

A window's pixels do not depend on how the grid was cut into windows: a chip read for training
equals the same place read for prediction.
"""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grave_cli.rasters.bit_depth import OWN_RANGE, ValueRange, WantedRange, to_bytes
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.grid_reads import read_straight, read_warped
from grave_cli.rasters.orthophoto import Orthophoto
from grave_cli.rasters.overviews import Pyramid
from grave_cli.rasters.raster_file import READ_ERRORS, damaged_file
from grave_cli.rasters.stored_blocks import is_stored


@dataclass(frozen=True)
class GridPixels:
    """Pixels on a working grid.

    Args:
        rgb: Red, green and blue.
        valid: True where the orthophoto shows something.
        grid: The grid of the pixels.

    Shapes:
        rgb: (3, H, W) uint8; valid: (H, W) bool.
    """

    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    grid: WorkingGrid


@dataclass(frozen=True)
class OrthophotoReader:
    """An orthophoto open for reading in one thread; rasterio handles are not thread-safe.

    Args:
        orthophoto: The inspected file.
        pyramid: The open file and its overviews.
    """

    orthophoto: Orthophoto
    pyramid: Pyramid

    def read(self, grid: WorkingGrid, value_range: WantedRange = OWN_RANGE) -> GridPixels:
        """Read the pixels under a working grid.

        Finer pixels are averaged (from an overview if they are much finer), coarser ones
        interpolated. Outside of the file, pixels are black and not valid.

        Args:
            grid: The orthophoto's working grid or any crop of it.
            value_range: 16-bit values that become 0 and 255; None refuses 16 bits.

        Raises:
            RasterReadError: The file is damaged, or has 16 bits and they are refused.
        """
        wanted = self._range(value_range)
        place = self.orthophoto.georeference
        straight = place.is_north_up and place.crs == grid.crs
        read = read_straight if straight else read_warped
        try:
            dataset = self.pyramid.at(self._ratio(grid))
            place = place.resized(dataset.width, dataset.height)
            colours, valid = read(dataset, self.orthophoto.bands, place, grid)
        except READ_ERRORS as error:
            raise damaged_file(self.orthophoto.path, error) from None
        rgb = to_bytes(colours, wanted)
        rgb[:, ~valid] = 0
        return GridPixels(rgb, valid, grid)

    def has_overview_for(self, grid: WorkingGrid) -> bool:
        """Tell whether a coarse grid is read from an overview, and so cheaply."""
        return self.pyramid.has_for(self._ratio(grid))

    def is_stored(self, grid: WorkingGrid) -> bool:
        """Tell whether there are stored pixels under a grid; a file with overviews is not asked."""
        if self.orthophoto.overviews or self.orthophoto.has_odd_overviews:
            return True
        place = self.orthophoto.georeference
        return is_stored(self.pyramid.at(1), self.orthophoto.bands, place, grid)

    def _ratio(self, grid: WorkingGrid) -> float:
        """Measure the edge of a grid's pixels in pixels of the file."""
        return grid.pixel_size / math.sqrt(self.orthophoto.georeference.pixel_area_in(grid.crs))

    def _range(self, value_range: WantedRange) -> ValueRange | None:
        if self.orthophoto.is_eight_bit:
            return None
        if value_range is None:
            raise self.orthophoto.sixteen_bit_refusal()
        return self.orthophoto.own_range if value_range == OWN_RANGE else value_range


@contextmanager
def open_orthophoto(orthophoto: Orthophoto) -> Iterator[OrthophotoReader]:
    """Open an orthophoto for one thread to read its pixels."""
    odd = orthophoto.has_odd_overviews
    with ExitStack() as stack:
        pyramid = Pyramid(orthophoto.path, orthophoto.overviews, stack, has_others=odd)
        yield OrthophotoReader(orthophoto, pyramid)


def read_orthophoto(
    orthophoto: Orthophoto, grid: WorkingGrid, value_range: WantedRange = OWN_RANGE
) -> GridPixels:
    """Open an orthophoto and read the pixels under a grid once; see `OrthophotoReader.read`.

    Args:
        orthophoto: The orthophoto.
        grid: Its working grid or any crop of it.
        value_range: 16-bit values that become 0 and 255; None refuses 16 bits.

    Raises:
        RasterReadError: The file is damaged, or has 16 bits and they are refused.
    """
    with open_orthophoto(orthophoto) as reader:
        return reader.read(grid, value_range)
