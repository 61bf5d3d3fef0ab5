"""Sections of a scene in, network inputs out: read ahead by threads, in order, a few at a time."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window

from grave_cli.inputs.dem import Dem, open_dem
from grave_cli.inputs.elevation import read_open_elevation
from grave_cli.inputs.grid import Tile, WorkingGrid
from grave_cli.inputs.raster_io import Orthophoto, open_orthophoto
from grave_cli.mapping.scene import Scene
from grave_cli.mapping.sections import Section, frames_of, place_within, window_around

_LOOK = 8  # working pixels per pixel of a coarse look: what it misses is too small for a grave
_THREADS = 2
_CACHE_MB = 128  # of GDAL, which by default takes a twentieth of the machine's memory


@dataclass(frozen=True)
class SectionInput:
    """What the network sees of a section.

    Args:
        section: Which one.
        tiles: Its tiles that show something.
        window: The pixels that were read.
        pixels: Network input; None when nothing shows.
        valid: Where the orthophoto shows something.

    Shapes:
        pixels: (C, H, W); valid: (H, W); both over `window`
    """

    section: Section
    tiles: tuple[Tile, ...]
    window: Window
    pixels: NDArray[np.float32] | None
    valid: NDArray[np.bool_]

    def tile_input(self, tile: Tile) -> NDArray[np.float32]:
        """Return a tile's network input, (C, h, w)."""
        assert self.pixels is not None  # there are tiles
        return self.pixels[:, *place_within(self.window, tile.window)]

    def core_valid(self, tile: Tile) -> NDArray[np.bool_]:
        """Return where a tile's core shows something."""
        return self.valid[place_within(self.window, tile.core)]


@contextmanager
def reading_ahead(scene: Scene, sections: Iterable[Section]) -> Iterator[Iterator[SectionInput]]:
    """Read sections in threads, each with open files of its own, and yield them in their order.

    Raises:
        RasterReadError: A file is damaged.
    """
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env(GDAL_CACHEMAX=_CACHE_MB))
        reader = _Reader(scene, stack)
        pool = ThreadPoolExecutor(_THREADS, "read")
        stack.callback(pool.shutdown, cancel_futures=True)
        yield _in_order(pool, reader, sections)


def _in_order(
    pool: ThreadPoolExecutor, reader: "_Reader", sections: Iterable[Section]
) -> Iterator[SectionInput]:
    pending: deque[Future[SectionInput]] = deque()
    for section in sections:
        pending.append(pool.submit(reader.read, section))
        if len(pending) > _THREADS:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


class _Reader:
    """Reads sections; shared by threads.

    Args:
        scene: What is read.
        stack: Closes the files that are opened here, one of each per thread.
    """

    def __init__(self, scene: Scene, stack: ExitStack) -> None:
        self._scene = scene
        self._stack = stack
        self._mine = threading.local()
        self._lock = threading.Lock()

    def read(self, section: Section) -> SectionInput:
        """Read a section: first coarsely where that is cheap, then what shows something."""
        tiles = self._that_may_show(self._wanted(section.tiles))
        if not tiles:
            return SectionInput(section, (), section.core, None, np.zeros((0, 0), np.bool_))
        window = window_around(tiles)
        grid = self._scene.grid.crop(window)
        pixels = self._orthophoto().read(grid, self._scene.recipe.value_range)
        seen = tuple(tile for tile in tiles if pixels.valid[place_within(window, tile.core)].any())
        network_input = None
        if seen:
            elevation = self._elevation(grid)
            network_input = self._scene.recipe.network_input(pixels.rgb, elevation, pixels.valid)
        return SectionInput(section, seen, window, network_input, pixels.valid)

    def _wanted(self, tiles: Sequence[Tile]) -> Sequence[Tile]:
        """Keep tiles that see something of the area to be mapped.

        A tile counts when its halo does: graves that begin in the area are mapped whole.
        """
        if self._scene.aoi is None:
            return tiles
        seen = shapely.intersects(self._scene.aoi, frames_of(tiles, self._scene.grid))
        return [tile for tile, sees in zip(tiles, seen, strict=True) if sees]

    def _that_may_show(self, tiles: Sequence[Tile]) -> Sequence[Tile]:
        """Drop tiles of which a coarse look shows nothing; all stay where there is no such look."""
        if not tiles:
            return tiles
        window = window_around(tiles)
        coarse = self._scene.grid.crop(window).coarsened(_LOOK)
        if not self._orthophoto().can_be_looked_at(coarse):
            return tiles
        valid = self._orthophoto().read(coarse, self._scene.recipe.value_range).valid
        return [tile for tile in tiles if _seen(valid, place_within(window, tile.core)).any()]

    def _orthophoto(self) -> Orthophoto:
        if not hasattr(self._mine, "orthophoto"):
            with self._lock:
                opened = self._stack.enter_context(open_orthophoto(self._scene.orthophoto))
            self._mine.orthophoto = opened
        orthophoto: Orthophoto = self._mine.orthophoto
        return orthophoto

    def _elevation(self, grid: WorkingGrid) -> NDArray[np.float32] | None:
        scene = self._scene
        if scene.dem is None or scene.statistics is None or not scene.recipe.features:
            return None
        if not hasattr(self._mine, "dem"):
            with self._lock:
                self._mine.dem = self._stack.enter_context(open_dem(scene.dem))
        dem: Dem = self._mine.dem
        return read_open_elevation(dem, grid, scene.statistics, scene.recipe.features)


def _seen(valid: NDArray[np.bool_], place: tuple[slice, slice]) -> NDArray[np.bool_]:
    """Return what a coarse look shows of a place, and of one coarse pixel around it."""
    rows, columns = (
        slice(max(0, side.start // _LOOK - 1), -(-side.stop // _LOOK) + 1) for side in place
    )
    return valid[rows, columns]
