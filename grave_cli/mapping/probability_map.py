"""Probabilities over a whole working grid, kept in sections: in memory, or one file each.

A section is complete or missing, also after a crash. Levels have 8 bits in three channels, 3 bytes
per working pixel.
"""

import math
from bisect import bisect_right
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

LEVELS = 255  # probabilities are kept in steps of 1/255: a third of the memory of float32


class Shelf(Protocol):
    """Storage of sections; a dict is one."""

    def __contains__(self, index: object, /) -> bool: ...
    def __getitem__(self, index: Index, /) -> Levels: ...
    def __setitem__(self, index: Index, levels: Levels, /) -> None: ...


@dataclass(frozen=True)
class SectionFiles:
    """Keeps each section in its own file.

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
        grid: Working grid of the pixels.
        height: Rows of a section.
        width: Columns of a section.
        shelf: Sections by row and column of sections; empty ones may be missing.
        margin: Rows and columns by which the outermost sections are larger.
    """

    grid: WorkingGrid
    height: int
    width: int
    shelf: Shelf
    margin: int = 0

    @classmethod
    def of(cls, levels: Levels, valid: NDArray[np.bool_], grid: WorkingGrid) -> "ProbabilityMap":
        """Build a map from whole arrays.

        Args:
            levels: Probabilities times 255.
            valid: Where the orthophoto has pixels.
            grid: Working grid of the pixels.

        Shapes:
            levels: (3, H, W); valid: (H, W)
        """
        return cls(grid, *grid.shape, {(0, 0): mark_valid(levels, valid)})

    def read(self, window: Window) -> Levels:
        """Read a window; 0 where nothing is known, and beyond the grid.

        Shapes:
            returns: (3, h, w)
        """
        result = np.zeros((3, int(window.height), int(window.width)), np.uint8)
        for index, there, here in self._overlaps(window):
            if index in self.shelf:
                result[:, *here] = self.shelf[index][:, *there]
        return result

    def shows(self, window: Window) -> bool:
        """Return False where a section is missing everywhere under a window: it reads as zeros."""
        return any(index in self.shelf for index, _, _ in self._overlaps(window))

    def _overlaps(
        self, window: Window
    ) -> Iterator[tuple[Index, tuple[slice, slice], tuple[slice, slice]]]:
        """Yield the sections under a window: index, slices of the section, slices of the window."""
        height, width = self.grid.shape
        rows = self._spans(int(window.row_off), int(window.height), self.height, height)
        columns = list(self._spans(int(window.col_off), int(window.width), self.width, width))
        for row, there_y, here_y in rows:
            for column, there_x, here_x in columns:
                yield (row, column), (there_y, there_x), (here_y, here_x)

    def _spans(
        self, start: int, length: int, step: int, size: int
    ) -> Iterator[tuple[int, slice, slice]]:
        """Cut a range at the edges of sections; yield slices of each section and of the range.

        Example: start 5, length 10, step 8, margin 1, size 19. Section 0 ends at 9, section 1 at
        17: 5:9 of section 0 is 0:4 of the range, and 0:6 of section 1 is 4:10.
        """
        count = max(1, math.ceil((size - 2 * self.margin) / step))
        edges = [0, *(number * step + self.margin for number in range(1, count)), size]
        first, last = max(start, 0), min(start + length, size)
        for number in range(bisect_right(edges, first) - 1, count):
            low, high = max(first, edges[number]), min(last, edges[number + 1])
            if low >= high:
                break
            there = slice(low - edges[number], high - edges[number])
            yield number, there, slice(low - start, high - start)


def to_levels(values: NDArray[np.float32] | Levels) -> Levels:
    """Round probabilities to levels; levels stay as they are."""
    if values.dtype == np.uint8:
        return np.asarray(values, np.uint8)
    return np.asarray(np.rint(values * np.float32(LEVELS)), np.uint8)


def to_probabilities(levels: Levels) -> NDArray[np.float32]:
    """Return levels as numbers in [0, 1]."""
    return np.divide(levels, np.float32(LEVELS), dtype=np.float32)


def mark_valid(levels: Levels, valid: NDArray[np.bool_]) -> Levels:
    """Encode validity in levels: valid pixels have a body level of at least 1, others 0.

    Shapes:
        levels: (3, H, W); valid: (H, W); returns: (3, H, W)
    """
    marked = levels * valid
    np.maximum(marked[BODY], valid, out=marked[BODY])
    return marked


def is_valid(levels: Levels) -> NDArray[np.bool_]:
    """Return where the orthophoto has pixels.

    Shapes:
        levels: (3, H, W); returns: (H, W)
    """
    return np.asarray(levels[BODY] > 0)
