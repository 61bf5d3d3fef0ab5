"""Probabilities over a whole working grid, kept in sections: in memory, or one file each.

A section's file is whole or not there, so a prediction that crashed can trust the files it finds.
Levels are 8 bits in three channels, 3 bytes per working pixel.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from grave_cli.atomic_writes import whole_file
from grave_cli.graves.targets import BODY
from grave_cli.rasters.grid import WorkingGrid

Levels = NDArray[np.uint8]
Index = tuple[int, int]

_LEVELS = 255  # probabilities are kept in steps of 1/255: a third of the memory of float32


class Shelf(Protocol):
    """Where sections are kept; a dict is one."""

    def __contains__(self, index: object, /) -> bool: ...
    def __getitem__(self, index: Index, /) -> Levels: ...
    def __setitem__(self, index: Index, levels: Levels, /) -> None: ...


@dataclass(frozen=True)
class SectionFiles:
    """Keeps each section in a file of its own.

    Args:
        folder: Folder of the files; created if missing.
    """

    folder: Path

    def __contains__(self, index: object) -> bool:
        return self._path(index).is_file()

    def __getitem__(self, index: Index) -> Levels:
        levels: Levels = np.load(self._path(index), mmap_mode="r")
        return levels

    def __setitem__(self, index: Index, levels: Levels) -> None:
        with whole_file(self._path(index)) as new:
            np.save(new, levels)

    def _path(self, index: object) -> Path:
        assert isinstance(index, tuple)
        return self.folder / "section-{}-{}.npy".format(*index)


@dataclass(frozen=True)
class ProbabilityMap:
    """Probabilities of body, border and contact over a working grid.

    Args:
        grid: Where the pixels lie.
        height: Rows of a section.
        width: Columns of a section.
        shelf: The sections, by row and column of sections; those that show nothing are missing.
    """

    grid: WorkingGrid
    height: int
    width: int
    shelf: Shelf

    @classmethod
    def of(cls, levels: Levels, valid: NDArray[np.bool_], grid: WorkingGrid) -> "ProbabilityMap":
        """Make one of whole arrays.

        Args:
            levels: Probabilities times 255.
            valid: Where the orthophoto shows something.
            grid: Where the pixels lie.

        Shapes:
            levels: (3, H, W); valid: (H, W)
        """
        return cls(grid, *grid.shape, {(0, 0): mark_valid(levels, valid)})

    def read(self, window: Window) -> Levels:
        """Read a window; 0 where nothing is known, beyond the grid too.

        Shapes:
            returns: (3, h, w)
        """
        result = np.zeros((3, int(window.height), int(window.width)), np.uint8)
        for index, there, here in self._overlaps(window):
            if index in self.shelf:
                result[:, *here] = self.shelf[index][:, *there]
        return result

    def _overlaps(
        self, window: Window
    ) -> Iterator[tuple[Index, tuple[slice, slice], tuple[slice, slice]]]:
        """Yield each section under a window: which, its pixels in itself and in the window."""
        height, width = self.grid.shape
        rows = _spans(int(window.row_off), int(window.height), self.height, height)
        columns = list(_spans(int(window.col_off), int(window.width), self.width, width))
        for row, there_y, here_y in rows:
            for column, there_x, here_x in columns:
                yield (row, column), (there_y, there_x), (here_y, here_x)


def _spans(start: int, length: int, step: int, size: int) -> Iterator[tuple[int, slice, slice]]:
    """Cut a stretch at multiples of a step; each piece counted from there, and from the start.

    From 5, 10 long, in steps of 8: piece 0 is 5 to 8 of it and 0 to 3 of the stretch, piece 1 is 0
    to 7 and 3 to 10.
    """
    first, last = max(start, 0), min(start + length, size)
    for number in range(first // step, math.ceil(last / step) if first < last else 0):
        low, high = max(first, number * step), min(last, (number + 1) * step)
        there = slice(low - number * step, high - number * step)
        yield number, there, slice(low - start, high - start)


def to_levels(probabilities: NDArray[np.float32]) -> Levels:
    """Round probabilities to levels."""
    return np.asarray(np.rint(probabilities * np.float32(_LEVELS)), np.uint8)


def to_probabilities(levels: Levels) -> NDArray[np.float32]:
    """Return levels as numbers in [0, 1]."""
    return np.divide(levels, np.float32(_LEVELS), dtype=np.float32)


def mark_valid(levels: Levels, valid: NDArray[np.bool_]) -> Levels:
    """Write into levels where the orthophoto shows something: there the body's are at least 1.

    Shapes:
        levels: (3, H, W); valid: (H, W); returns: (3, H, W)
    """
    marked = levels * valid
    np.maximum(marked[BODY], valid, out=marked[BODY])
    return marked


def is_valid(levels: Levels) -> NDArray[np.bool_]:
    """Say where the orthophoto shows something.

    Shapes:
        levels: (3, H, W); returns: (H, W)
    """
    return np.asarray(levels[BODY] > 0)
