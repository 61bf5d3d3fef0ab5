"""The overview that pixels are read from: chosen here, the same for every window.

GDAL chooses by the size of each window, rounded to whole pixels: two windows over one place may
come from different overviews, and most overviews in the wild are made by nearest neighbour. Here
pixels come from an overview only where many of its pixels are averaged into one of the grid's;
adding overviews to a file does not change what the network sees.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from rasterio.io import DatasetReader

from grave_cli.rasters.bands import Bands, has_mask
from grave_cli.rasters.raster_file import open_raster

_AVERAGED = 4.0  # least number of an overview's pixels, along each axis, per pixel of the grid


def usable_overviews(dataset: DatasetReader, path: Path, bands: Bands) -> tuple[int, ...]:
    """Return the decimation factors of the overviews that show what the file shows.

    Overviews made before a mask or a nodata value was added, or by a program that ignores them,
    lack that mark: their empty border would count as ground.

    Args:
        dataset: The open orthophoto.
        path: Its file.
        bands: The meaning of its bands.
    """
    factors = dataset.overviews(bands.colours[0])
    needed = (*bands.colours, *([] if bands.alpha is None else [bands.alpha]))
    if any(dataset.overviews(band) != factors for band in needed):
        return ()
    if bands.alpha is not None or not has_mask(dataset):
        return tuple(factors)
    for level in range(len(factors)):
        with open_raster(path, OVERVIEW_LEVEL=f"{level}only") as overview:
            same_mark = overview.mask_flag_enums[0] == dataset.mask_flag_enums[0]
            if not same_mark or overview.nodata != dataset.nodata:
                return tuple(factors[:level])
    return tuple(factors)


class Pyramid:
    """A raster and its overviews, each opened when it is first read.

    Args:
        path: The file.
        factors: Decimation factors of its usable overviews, ascending.
        stack: Closes the handles that are opened here.
        has_others: It has overviews that are not usable.
    """

    def __init__(
        self, path: Path, factors: Sequence[int], stack: ExitStack, *, has_others: bool = False
    ) -> None:
        self._path = path
        self._factors = factors
        self._stack = stack
        self._has_any = bool(factors) or has_others
        self._levels: dict[int, DatasetReader] = {}

    def at(self, ratio: float) -> DatasetReader:
        """Return the file, or one of its overviews, for reading at a ratio of pixel sizes.

        With factors 2 and 4: below a ratio of 8 the file itself, from 8 the first, from 16 the
        second.

        Args:
            ratio: Edge of the wanted pixels in pixels of the file.
        """
        usable = sum(factor * _AVERAGED <= ratio for factor in self._factors)
        if usable not in self._levels:
            self._levels[usable] = self._stack.enter_context(self._open(usable))
        return self._levels[usable]

    def has_for(self, ratio: float) -> bool:
        """Tell whether there is an overview for reading at a ratio of pixel sizes; see `at`."""
        return any(factor * _AVERAGED <= ratio for factor in self._factors)

    def _open(self, usable: int) -> AbstractContextManager[DatasetReader]:
        if not self._has_any:
            return open_raster(self._path)
        # Without "NONE" GDAL would choose an overview by itself.
        return open_raster(self._path, OVERVIEW_LEVEL=f"{usable - 1}only" if usable else "NONE")
