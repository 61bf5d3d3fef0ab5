"""Orthophotos in: windows of a file's pixels, averaged onto the working grid, with their validity.

A window's pixels do not depend on how the grid was cut into windows: a chip for training equals the
same place read for prediction.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError
from rasterio.io import DatasetReader

from grave_cli.errors import GridError, RasterReadError
from grave_cli.rasters.bands import Bands, look_at_colours, read_bands
from grave_cli.rasters.bit_depth import (
    OWN_RANGE,
    ValueRange,
    WantedRange,
    range_of,
    refuse_sixteen_bits,
    to_bytes,
)
from grave_cli.rasters.georeference import Georeference, read_georeference, working_crs
from grave_cli.rasters.grid import WorkingGrid, lay_grid
from grave_cli.rasters.grid_reads import read_straight, read_warped
from grave_cli.rasters.overviews import Pyramid

_CHECK_NAME = "check the name and the folder"


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


@dataclass(frozen=True)
class Orthophoto:
    """An orthophoto that is open and has been checked; one per thread.

    Args:
        path: Its file.
        dataset: The open file.
        bands: Which bands are used.
        georeference: Where it lies.
        pyramid: Its overviews.
    """

    path: Path
    dataset: DatasetReader
    bands: Bands
    georeference: Georeference
    pyramid: Pyramid

    @property
    def is_eight_bit(self) -> bool:
        """Its values are used as they are."""
        return bool(self.dataset.dtypes[0] == "uint8")

    @cached_property
    def own_range(self) -> ValueRange:
        """The range of its valid 16-bit values."""
        return range_of([look_at_colours(self.dataset, self.bands)])

    @property
    def notes(self) -> tuple[str, ...]:
        """What the surveyor should know of how it is read."""
        notes = []
        if self.bands.left_out:
            names = ", ".join(str(band) for band in self.bands.left_out)
            notes.append(f"{self.path}: band {names} is no alpha channel and is left out")
        if self.georeference.from_prj:
            notes.append(f"{self.path}: its CRS is taken from the .prj file beside it")
        return tuple(notes)

    def read(self, grid: WorkingGrid, value_range: WantedRange = OWN_RANGE) -> GridPixels:
        """Read the pixels under a working grid.

        Finer pixels are averaged (those of an overview where it is much finer, too), coarser ones
        interpolated. What lies outside of the file is black and not valid.

        Args:
            grid: Its working grid or any crop of it.
            value_range: What becomes 0 and 255 when it has 16 bits; None refuses these.

        Raises:
            RasterReadError: The file is damaged, or of 16 bits and these are refused.
        """
        wanted = self._range(value_range)
        place = self.georeference
        straight = place.is_north_up and place.crs == grid.crs
        read = read_straight if straight else read_warped
        try:
            dataset = self.pyramid.at(self._ratio(grid))
            place = place.resized(dataset.width, dataset.height)
            colours, valid = read(dataset, self.bands, place, grid)
        except RasterioIOError as error:
            raise damaged(self.path, error) from None
        rgb = to_bytes(colours, wanted)
        rgb[:, ~valid] = 0
        return GridPixels(rgb, valid, grid)

    def can_be_looked_at(self, grid: WorkingGrid) -> bool:
        """Tell whether a grid coarser than the pixels is read from an overview, so cheaply."""
        return self.pyramid.has_for(self._ratio(grid))

    @property
    def is_stored_in_rows(self) -> bool:
        """Tell whether each block reaches from its left to its right edge."""
        return bool(self.dataset.block_shapes[0][1] >= self.dataset.width)

    def refusal(self) -> RasterReadError:
        """Make the error for a 16-bit orthophoto where only 8-bit ones are known."""
        return refuse_sixteen_bits(self.path, self.own_range)

    def _ratio(self, grid: WorkingGrid) -> float:
        """Measure the edge of a grid's pixels in pixels of the file."""
        return grid.pixel_size / math.sqrt(self.georeference.pixel_area_in(grid.crs))

    def _range(self, value_range: WantedRange) -> ValueRange | None:
        if self.is_eight_bit:
            return None
        if value_range is None:
            raise self.refusal()
        return self.own_range if value_range == OWN_RANGE else value_range


def damaged(path: Path, error: Exception) -> RasterReadError:
    """Make the error for a file whose pixels cannot all be read."""
    return RasterReadError(
        "file is damaged",
        where=path,
        found=error,
        expected="all of its pixels",
        remedy="copy or export it again",
    )


@contextmanager
def open_raster(path: Path) -> Iterator[DatasetReader]:
    """Open a raster, with GDAL's complaints as one line.

    Raises:
        RasterReadError: It is missing or no raster.
    """
    if not path.exists():
        raise RasterReadError(
            "file is missing", where=path, found="nothing", expected="a raster", remedy=_CHECK_NAME
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # told as an error of ours
            dataset = rasterio.open(path)
    except RasterioError as error:
        raise RasterReadError(
            "cannot be opened as a raster",
            where=path,
            found=error,
            expected="GeoTIFF or another raster that GDAL reads",
            remedy="copy or export it again",
        ) from None
    with dataset:
        yield dataset


@contextmanager
def open_orthophoto(path: Path) -> Iterator[Orthophoto]:
    """Open an orthophoto, after checking that it is one.

    Args:
        path: Any raster that GDAL reads, with 3 or 4 bands of 8 or 16 bits.

    Raises:
        GridError: It has no CRS or geotransform that can be used.
        RasterReadError: It cannot be opened, or its bands are not those of an orthophoto.
    """
    with open_raster(path) as dataset:
        bands, place = read_bands(dataset, path), read_georeference(dataset, path)
        with ExitStack() as stack:
            yield Orthophoto(path, dataset, bands, place, Pyramid(path, dataset, stack))


def orthophoto_grid(path: Path, gsd_m: float, max_upsampling: float) -> WorkingGrid:
    """Lay the working grid of an orthophoto, after checking that it is one.

    Args:
        path: The orthophoto.
        gsd_m: Edge of a working pixel in metres on the ground.
        max_upsampling: How many times coarser than that its own pixels may be.

    Raises:
        GridError: No usable CRS or geotransform, or too coarse pixels.
        RasterReadError: It cannot be opened, or its bands are not those of an orthophoto.
    """
    with open_orthophoto(path) as orthophoto:
        place = orthophoto.georeference
    crs = working_crs(place, path)
    grid = lay_grid(crs, place.bounds_in(crs), gsd_m, path)
    own_gsd = source_gsd_m(place, grid)
    if own_gsd > gsd_m * max_upsampling:
        raise GridError(
            "orthophoto is too coarse for the working grid",
            where=path,
            found=f"{own_gsd:.3f} m per pixel",
            expected=f"at most {gsd_m * max_upsampling:.3f} m",
            remedy="set grid.gsd_m higher for all cemeteries, or grid.max_upsampling",
        )
    return grid


def source_gsd_m(georeference: Georeference, grid: WorkingGrid) -> float:
    """Measure how large a file's own pixels are on the ground, in metres.

    Args:
        georeference: Where the file lies.
        grid: Its working grid.
    """
    return math.sqrt(georeference.pixel_area_in(grid.crs)) * grid.metres_per_unit


def read_orthophoto(
    path: Path, grid: WorkingGrid, value_range: WantedRange = OWN_RANGE
) -> GridPixels:
    """Read the pixels of an orthophoto under a working grid; see `Orthophoto.read`.

    Args:
        path: The orthophoto.
        grid: Its working grid or any crop of it.
        value_range: What becomes 0 and 255 when it has 16 bits; None refuses these.

    Raises:
        RasterReadError: The file is damaged, or of 16 bits and these are refused.
    """
    with open_orthophoto(path) as orthophoto:
        return orthophoto.read(grid, value_range)
