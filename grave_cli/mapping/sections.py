"""Cutting a working grid for the network: tiles, and sections of tiles.

A tile is one input of the network. A section is a block of tiles that is read, computed and
kept as one; however large the grid, only a few of them are in memory.
"""

import math
from collections.abc import Sequence
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
        height: Rows of a section. The first and the last section are larger by the halo.
        width: Columns of a section, likewise.
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
    rows, columns = tiling.count(grid.shape)
    least = math.ceil(math.sqrt(tiling.batch))
    across = columns if whole_rows else max(least, round(_SECTION_PX / core_width))
    down = 1 if whole_rows else max(least, round(_SECTION_PX / core_height))
    down = min(down, max(least, rows // _LEAST_SECTIONS))
    tile_rows = _spans(rows, core_height, tiling.halo, grid.height)
    tile_columns = _spans(columns, core_width, tiling.halo, grid.width)
    sections = tuple(
        _section((row, column), tile_rows[row * down :][:down], columns_of, tiling)
        for row in range(math.ceil(rows / down))
        for column, columns_of in enumerate(
            tile_columns[start : start + across] for start in range(0, columns, across)
        )
    )
    return SectionPlan(tiling, down * core_height, across * core_width, sections)


@dataclass(frozen=True)
class _Span:
    """Rows or columns of a tile.

    Args:
        first: First one of its window.
        start: First one of its core.
        stop: End of its core.
    """

    first: int
    start: int
    stop: int


def _spans(count: int, core: int, halo: int, size: int) -> list[_Span]:
    """Lay tiles side by side; the outermost ones keep their outer halo.

    Example: 3 tiles of 5 with a halo of 1 on 11 rows, w: window, c: core.

        0 1 2 3 4 5 6 7 8 9 10
        c c c c w
              w c c c w
                    w c c c c
    """
    return [
        _Span(
            first=number * core,
            start=number * core + halo if number else 0,
            stop=(number + 1) * core + halo if number < count - 1 else size,
        )
        for number in range(count)
    ]


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


def _section(
    index: tuple[int, int], rows: list[_Span], columns: list[_Span], tiling: Tiling
) -> Section:
    tiles = tuple(
        Tile(
            window=Window(column.first, row.first, tiling.width, tiling.height),
            core=_core(row, column),
        )
        for row in rows
        for column in columns
    )
    whole = [_Span(s[0].first, s[0].start, s[-1].stop) for s in (rows, columns)]
    return Section(index, _core(*whole), tiles)


def _core(row: _Span, column: _Span) -> Window:
    return Window(column.start, row.start, column.stop - column.start, row.stop - row.start)
