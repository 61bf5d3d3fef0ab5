"""A probability map and its graves in, the faint instances between them out: window by window.

Windows overlap by more than the longest instance. An instance belongs to the window whose core has
its centre, and those cut by the edge of a window are longer than any grave: the cut into windows
leaves no trace.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from grave_cli.graves.faint import Faint, find_faint, pooling
from grave_cli.mapping.probability_map import ProbabilityMap
from grave_cli.outlines.polygons import Polygons
from grave_cli.processes import usable_cores
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.mapping import DecodingSettings

_CORE_PX = 2048  # about; before pooling
_LONGEST_M = 5.0
_RIM_M = 0.08  # around a grave, where the body fades out


def find_faint_between(
    probabilities: ProbabilityMap,
    graves: Polygons,
    decoding: DecodingSettings,
    largest_m2: float,
    progress: Progress = SILENT,
    *,
    threads: int = 0,
    core_px: int = _CORE_PX,
) -> Faint:
    """Find what may be a grave between the graves of a map.

    Args:
        probabilities: The map.
        graves: Drawn graves, in pixels of its grid.
        decoding: Thresholds of the graves.
        largest_m2: Area of the largest instance.
        progress: Receives the number of finished windows.
        threads: Number of threads; 0: one per core.
        core_px: Edge of a window without its margin, about.
    """
    step = pooling(probabilities.grid.gsd_m)
    margin = -(-round(_LONGEST_M / probabilities.grid.gsd_m) // step) * step
    core = max(1, core_px // step) * step
    reach = shapely.buffer(graves, _RIM_M / probabilities.grid.gsd_m, join_style="mitre")
    search = partial(
        _search, probabilities, reach, shapely.STRtree(reach), decoding, largest_m2, margin
    )
    cores = [one for one in _cores(probabilities.grid.shape, core) if probabilities.shows(one)]
    found = []
    with (
        progress.task("Looking for candidates", len(cores), "windows") as advance,
        ThreadPoolExecutor(threads or usable_cores(), "faint") as pool,
    ):
        for one in pool.map(search, cores):
            found.append(one)
            advance(1)
    return Faint.join(found)


def _cores(shape: tuple[int, int], core: int) -> Iterator[Window]:
    """Cut a grid into squares; the last ones reach beyond it."""
    for top in range(0, shape[0], core):
        for left in range(0, shape[1], core):
            yield Window(left, top, core, core)


def _search(
    probabilities: ProbabilityMap,
    graves: Polygons,
    tree: shapely.STRtree,
    decoding: DecodingSettings,
    largest_m2: float,
    margin: int,
    core: Window,
) -> Faint:
    grid = probabilities.grid
    window = _widened(core, margin, grid.shape, pooling(grid.gsd_m))
    left, top = int(window.col_off), int(window.row_off)
    near = graves[tree.query(shapely.box(left, top, left + window.width, top + window.height))]
    found = find_faint(
        probabilities.read(window),
        _free(near, window),
        grid.gsd_m,
        decoding.body_threshold,
        (decoding.min_area_m2 / 2, largest_m2),
    )
    found = replace(found, centre=found.centre + np.array([left, top]))
    first = np.array([core.col_off, core.row_off])
    inner = (found.centre >= first) & (found.centre < first + core.width)
    return found.take(inner.all(axis=1))


def _widened(core: Window, margin: int, shape: tuple[int, int], step: int) -> Window:
    """Add a margin, but beyond the grid only one pooled pixel: there is nothing."""
    top, left = (max(int(start) - margin, -step) for start in (core.row_off, core.col_off))
    ends = (int(core.row_off + core.height), int(core.col_off + core.width))
    bottom, right = (
        min(end + margin, -(-side // step) * step + step)
        for end, side in zip(ends, shape, strict=True)
    )
    return Window(left, top, right - left, bottom - top)


def _free(graves: Polygons, window: Window) -> NDArray[np.bool_]:
    """Mark the pixels of a window that no grave touches."""
    shape = int(window.height), int(window.width)
    if not len(graves):
        return np.ones(shape, np.bool_)
    taken = rasterio.features.rasterize(
        graves,
        out_shape=shape,
        transform=Affine.translation(window.col_off, window.row_off),
        all_touched=True,
        dtype=np.uint8,
    )
    return np.asarray(taken == 0)
