"""Summaries of a probability map: footprint, valid share, thumbnail."""

from dataclasses import dataclass

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window

from grave_cli.graves.targets import BODY
from grave_cli.mapping.probability_map import ProbabilityMap, is_valid, to_probabilities
from grave_cli.rasters.grid import WorkingGrid, iter_windows
from grave_cli.vectors.areas import Area

_FOOTPRINT_CELL_M = 0.5  # resolution of the footprint
_PICTURE_PX = 1000
_WINDOW_PX = 2048


@dataclass(frozen=True)
class Overview:
    """Summary of a map.

    Args:
        valid_share: Share of the grid with valid pixels.
        footprint: Footprint of the valid imagery, in the grid's CRS.
        probability: Thumbnail of the body probability, at most 1000 px long.

    Shapes:
        probability: (h, w)
    """

    valid_share: float
    footprint: shapely.MultiPolygon
    probability: NDArray[np.float32]


def look_over(probabilities: ProbabilityMap, aoi: Area | None = None) -> Overview:
    """Summarise a map, window by window.

    Args:
        probabilities: The map.
        aoi: Area of interest in the grid's CRS; None is the whole grid.
    """
    grid = probabilities.grid
    step = -(-max(grid.shape) // _PICTURE_PX)
    cell = max(1, grid.metres_to_px(_FOOTPRINT_CELL_M))
    sums = np.zeros([-(-side // step) for side in grid.shape])
    sampled = np.zeros([-(-side // cell) for side in grid.shape], np.bool_)
    valid_px = 0
    for window in iter_windows(grid, max(1, _WINDOW_PX // step) * step):
        if not probabilities.shows(window):
            continue
        levels = probabilities.read(window)
        valid = is_valid(levels)
        valid_px += int(np.count_nonzero(valid))
        _add_sums(sums, to_probabilities(levels[BODY]), window, step)
        _sample(sampled, valid, window, cell)
    counts = [np.diff([*range(0, side, step), side]) for side in grid.shape]
    return Overview(
        valid_share=valid_px / (grid.height * grid.width),
        footprint=_draw_footprint(sampled, grid, cell, aoi),
        probability=np.asarray(sums / np.outer(*counts), np.float32),
    )


def _add_sums(
    sums: NDArray[np.float64], values: NDArray[np.float32], window: Window, step: int
) -> None:
    """Add up the square blocks of a window that begins at a block."""
    rows, columns = (range(0, side, step) for side in values.shape)
    blocks = np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)
    top, left = int(window.row_off) // step, int(window.col_off) // step
    sums[top : top + len(rows), left : left + len(columns)] += blocks


def _sample(
    sampled: NDArray[np.bool_], valid: NDArray[np.bool_], window: Window, cell: int
) -> None:
    """Take the first pixel of each cell that a window holds."""
    offsets = (int(window.row_off), int(window.col_off))
    skipped = [-offset % cell for offset in offsets]
    taken = valid[skipped[0] :: cell, skipped[1] :: cell]
    top, left = (-(-offset // cell) for offset in offsets)
    sampled[top : top + taken.shape[0], left : left + taken.shape[1]] = taken


def _draw_footprint(
    sampled: NDArray[np.bool_], grid: WorkingGrid, cell: int, aoi: Area | None
) -> shapely.MultiPolygon:
    transform = grid.transform @ grid.transform.scale(cell)
    shapes = rasterio.features.shapes(sampled.astype(np.uint8), mask=sampled, transform=transform)
    merged = shapely.union_all([shapely.geometry.shape(shape) for shape, _ in shapes])
    # The last cells of a row or column may reach beyond the grid.
    merged = shapely.intersection(merged, shapely.box(*grid.bounds) if aoi is None else aoi)
    polygons = [part for part in shapely.get_parts(merged) if part.geom_type == "Polygon"]
    return shapely.MultiPolygon(polygons)
