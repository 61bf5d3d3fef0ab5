"""Cutting a working grid for the network: tiles, and sections of tiles.

A tile is one input of the network. A section is a block of tiles that is read, computed and
kept as one; however large the grid, only a few of them are in memory.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from rasterio.windows import Window
from rasterio.windows import union as union_of

from grave_cli.mapping.tiling import Tiling
from grave_cli.outlines.polygons import Polygons
from grave_cli.rasters.grid import Tile, WorkingGrid

_SECTION_PX = 1536
_LEAST_SECTIONS = 4  # reading and computing overlap on small grids as well


@dataclass(frozen=True)
class Section:
    """A block of tiles that is read, computed and kept as one.

    Args:
        index: Row and column of sections.
        core: Pixels that belong to no other section.
        tiles: Its tiles.
    """

    index: tuple[int, int]
    core: Window
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class SectionPlan:
    """All sections of a grid.

    Args:
        tiling: Size of the tiles.
        height: Rows of a section.
        width: Columns of a section.
        sections: Row by row from the upper left.
    """

    tiling: Tiling
    height: int
    width: int
    sections: tuple[Section, ...]


def plan_sections(grid: WorkingGrid, tiling: Tiling, *, whole_rows: bool = False) -> SectionPlan:
    """Cut a grid into sections and these into tiles; their cores cover every pixel once.

    Args:
        grid: The grid.
        tiling: Size of the tiles.
        whole_rows: Extend sections from the left to the right edge. For a file stored in rows,
            which would otherwise decode each row many times.
    """
    core_height, core_width = tiling.core
    rows, columns = math.ceil(grid.height / core_height), math.ceil(grid.width / core_width)
    least = math.ceil(math.sqrt(tiling.batch))
    across = columns if whole_rows else max(least, round(_SECTION_PX / core_width))
    down = 1 if whole_rows else max(least, round(_SECTION_PX / core_height))
    down = min(down, max(least, rows // _LEAST_SECTIONS))
    height, width = down * core_height, across * core_width
    sections = tuple(
        _section((row, column), Window(column * width, row * height, width, height), grid, tiling)
        for row in range(math.ceil(rows / down))
        for column in range(math.ceil(columns / across))
    )
    return SectionPlan(tiling, height, width, sections)


def window_around(tiles: Sequence[Tile]) -> Window:
    """Return the smallest window that holds the windows of some tiles."""
    window: Window = union_of([tile.window for tile in tiles])
    return window


def place_within(outer: Window, inner: Window) -> tuple[slice, slice]:
    """Return the rows and columns of a window within another."""
    row, column = int(inner.row_off - outer.row_off), int(inner.col_off - outer.col_off)
    return slice(row, row + int(inner.height)), slice(column, column + int(inner.width))


def frames_of(tiles: Sequence[Tile], grid: WorkingGrid) -> Polygons:
    """Return the windows of some tiles as rectangles in the grid's CRS."""
    return np.array([shapely.box(*grid.crop(tile.window).bounds) for tile in tiles], dtype=object)


def _section(index: tuple[int, int], window: Window, grid: WorkingGrid, tiling: Tiling) -> Section:
    core = window.intersection(grid.window)
    return Section(index, core, tuple(_tiles(core, tiling)))


def _tiles(core: Window, tiling: Tiling) -> Iterator[Tile]:
    (height, width), halo = tiling.core, tiling.halo
    right, bottom = core.col_off + core.width, core.row_off + core.height
    for row in range(core.row_off, bottom, height):
        for col in range(core.col_off, right, width):
            yield Tile(
                window=Window(col - halo, row - halo, tiling.width, tiling.height),
                core=Window(col, row, min(width, right - col), min(height, bottom - row)),
            )
