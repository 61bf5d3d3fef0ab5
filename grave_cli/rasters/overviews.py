"""Which of a file's overviews is read from: chosen here, the same for every window.

GDAL chooses by the size of each window, rounded to whole pixels: two windows over one place may
come from different overviews, and most overviews in the wild are made by nearest neighbour. Here
pixels come from an overview only where many of its pixels are averaged into one of the grid's;
adding overviews to a file does not change what the network sees.
"""

from contextlib import ExitStack
from pathlib import Path

import rasterio
from rasterio.io import DatasetReader

_AVERAGED = 4.0  # pixels of an overview, along each axis, per pixel of the grid: at least this many


class Pyramid:
    """An open raster and its overviews, each opened when it is first needed.

    Args:
        path: The file.
        dataset: The open file.
        stack: Closes what is opened here.
    """

    def __init__(self, path: Path, dataset: DatasetReader, stack: ExitStack) -> None:
        self._path = path
        self._dataset = dataset
        self._stack = stack
        self._levels: dict[str, DatasetReader] = {}
        # A file without overviews is read as it is.
        self._factors: list[int] = dataset.overviews(1) if dataset.count else []

    def at(self, ratio: float) -> DatasetReader:
        """Return the file, or one of its overviews, for reading at a ratio of pixel sizes.

        With factors 2 and 4: below a ratio of 8 the file itself, from 8 the first, from 16 the
        second.

        Args:
            ratio: Edge of the wanted pixels in pixels of the file.
        """
        if not self._factors:
            return self._dataset
        usable = sum(factor * _AVERAGED <= ratio for factor in self._factors)
        name = f"{usable - 1}only" if usable else "NONE"
        if name not in self._levels:
            opened = rasterio.open(self._path, OVERVIEW_LEVEL=name)
            self._levels[name] = self._stack.enter_context(opened)
        return self._levels[name]

    def has_for(self, ratio: float) -> bool:
        """Tell whether there is an overview for reading at a ratio of pixel sizes; see `at`."""
        return any(factor * _AVERAGED <= ratio for factor in self._factors)
