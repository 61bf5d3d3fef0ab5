"""What is known of an orthophoto before its pixels are read: one frozen value, read once.

The value travels with the cemetery's plan and with the scene that is mapped, so that no later step
opens the file again to ask for its CRS, bands or layout. `orthophoto_pixels.py` reads the pixels.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from grave_cli.errors import GridError, RasterReadError
from grave_cli.rasters.bands import Bands, read_bands, sample_colours
from grave_cli.rasters.bit_depth import ValueRange, range_of, scaling, sixteen_bit_refusal
from grave_cli.rasters.georeference import Georeference, read_georeference
from grave_cli.rasters.grid import WorkingGrid, lay_grid
from grave_cli.rasters.overviews import usable_overviews
from grave_cli.rasters.raster_file import open_raster
from grave_cli.rasters.working_crs import working_crs
from grave_cli.wording import quoted

_MOST_MPX = 40_000  # of the working grid: 8 km a side at 4 cm


@dataclass(frozen=True)
class Orthophoto:
    """An orthophoto that has been inspected: its file can be used, and this is how.

    Args:
        path: The file.
        georeference: CRS, geotransform and size.
        bands: Which bands are the colours and which is the alpha channel.
        dtype: Data type of the colours, uint8 or uint16.
        is_stored_in_rows: Each block reaches from the left to the right edge of the image.
        overviews: Decimation factors of its usable overviews, such as (2, 4, 8).
        nodata: Stored value that marks pixels without a colour; None without one.
        pictures: Number of pictures in the file; the first one is read.
        has_odd_overviews: It has other overviews, which do not show which of its pixels are valid.
    """

    path: Path
    georeference: Georeference
    bands: Bands
    dtype: str
    is_stored_in_rows: bool
    overviews: tuple[int, ...]
    nodata: float | None = None
    pictures: int = 1
    has_odd_overviews: bool = False

    @property
    def name(self) -> str:
        """File name."""
        return self.path.name

    @property
    def megapixels(self) -> float:
        """Size in millions of its own pixels."""
        return self.georeference.width * self.georeference.height / 1e6

    @property
    def is_eight_bit(self) -> bool:
        """Its values are used unscaled."""
        return self.dtype == "uint8"

    @cached_property
    def own_range(self) -> ValueRange:
        """Range of its valid 16-bit values, from a sample of its pixels."""
        with open_raster(self.path) as dataset:
            return range_of([sample_colours(dataset, self.bands)])

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the surveyor on how the file is read, one line each."""
        notes = []
        if self.bands.by_name and self.bands.colours != (1, 2, 3):
            colours = ", ".join(str(band) for band in self.bands.colours)
            notes.append(
                f"{self.path}: bands {colours} are red, green and blue by their descriptions"
            )
        if self.bands.unused:
            names = ", ".join(str(band) for band in self.bands.unused)
            one = len(self.bands.unused) == 1
            words = f"band {names} is" if one else f"bands {names} are"
            notes.append(f"{self.path}: {words} not an alpha channel and ignored")
        if self.pictures > 1:
            notes.append(f"{self.path}: holds {self.pictures} pictures; the first one is read")
        if self.has_odd_overviews:
            notes.append(
                f"{self.path}: overviews that do not show which pixels are valid are not read; "
                f"`gdal_translate -of COG {quoted(self.name)} "
                f"{quoted(self.path.stem + '_cog.tif')}` makes whole ones"
            )
        return (*notes, *self.georeference.notes)

    def gsd_m(self, grid: WorkingGrid) -> float:
        """Measure the edge of the file's own pixels on the ground, in metres.

        Args:
            grid: Its working grid.
        """
        return math.sqrt(self.georeference.pixel_area_in(grid.crs)) * grid.metres_per_unit

    def sixteen_bit_refusal(self) -> RasterReadError:
        """Make the error for a 16-bit orthophoto where only 8-bit ones can be used."""
        return sixteen_bit_refusal(self.path, self.own_range, self.nodata, self._alpha)

    def rescaling(self, wanted: ValueRange) -> str:
        """Name the command that brings its 16-bit values to another range.

        Args:
            wanted: The range.
        """
        most = 65_535
        options = scaling(self.own_range, wanted, most, marker=self.nodata, alpha=self._alpha)
        return f"`gdal_translate {options} {quoted(self.name)} rescaled.tif` rescales them"

    @property
    def _alpha(self) -> tuple[int, int] | None:
        bands = self.bands
        return None if bands.alpha is None else (bands.alpha, bands.alpha_full)


def inspect_orthophoto(path: Path) -> Orthophoto:
    """Read everything but the pixels of an orthophoto, and check that it can be used.

    Args:
        path: Any raster that GDAL reads, with 3 or 4 bands of 8 or 16 bits.

    Raises:
        GridError: It has no usable CRS or geotransform.
        RasterReadError: It cannot be opened, or its bands are not those of an orthophoto.
    """
    with open_raster(path) as dataset:
        bands = read_bands(dataset, path)
        overviews = usable_overviews(dataset, path, bands)
        return Orthophoto(
            path,
            read_georeference(dataset, path),
            bands,
            dtype=dataset.dtypes[0],
            is_stored_in_rows=dataset.block_shapes[0][1] >= dataset.width,
            overviews=overviews,
            nodata=dataset.nodata,
            pictures=max(1, len(dataset.subdatasets)),
            has_odd_overviews=len(overviews) < len(dataset.overviews(1)),
        )


def orthophoto_grid(orthophoto: Orthophoto, gsd_m: float, max_upsampling: float) -> WorkingGrid:
    """Lay the working grid of an orthophoto.

    Args:
        orthophoto: The orthophoto.
        gsd_m: Edge of a working pixel in metres on the ground.
        max_upsampling: Largest ratio of its own pixel size to `gsd_m`.

    Raises:
        GridError: Its CRS cannot be mapped to the ground, its pixels are too coarse, or it has too
            many of them.
    """
    path = orthophoto.path
    crs = working_crs(orthophoto.georeference, path)
    grid = lay_grid(crs, orthophoto.georeference.bounds_in(crs), gsd_m, path)
    if grid.megapixels > _MOST_MPX:
        raise GridError(
            "orthophoto is too large for the working grid",
            where=path,
            found=f"{grid.width} x {grid.height} pixels of {gsd_m:g} m",
            expected=f"at most {_MOST_MPX / 1e3:g} billion pixels",
            remedy="cut the cemetery out of it with `gdal_translate -projwin`, or set a larger "
            "grid.gsd_m",
        )
    own_gsd_m = orthophoto.gsd_m(grid)
    if own_gsd_m > gsd_m * max_upsampling:
        raise GridError(
            "orthophoto is too coarse for the working grid",
            where=path,
            found=f"{own_gsd_m:.3f} m per pixel",
            expected=f"at most {gsd_m * max_upsampling:.3f} m",
            remedy="set a larger grid.gsd_m for all cemeteries, or a larger grid.max_upsampling",
        )
    return grid
