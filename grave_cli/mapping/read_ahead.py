"""Network inputs of a scene's sections, read ahead by threads: in order, a few at a time."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Event

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window

from grave_cli.mapping.scene import Scene
from grave_cli.mapping.sections import Section, frames_of, place_within, window_around
from grave_cli.processes import usable_cores
from grave_cli.rasters.dem_heights import DemReader, open_dem
from grave_cli.rasters.elevation import read_elevation
from grave_cli.rasters.grid import Tile, WorkingGrid
from grave_cli.rasters.orthophoto_pixels import OrthophotoReader, open_orthophoto

# Working pixels per pixel of a coarse look. It misses only islands of less than half such a pixel,
# which are too small to show a grave.
_LOOK = 16
_THREADS = 2
_MOST_THREADS = 6  # each holds two sections of up to 130 MB
# rasterio expects bytes, GDAL itself megabytes: with a bare 128, each block would be decoded again
# for every band and window.
_CACHE_BYTES = 128 * 2**20


@dataclass(frozen=True)
class SectionInput:
    """The network input of a section.

    Args:
        section: The section.
        tiles: Its tiles that are not empty.
        window: The pixels that were read.
        pixels: Network input; None if all tiles are empty.
        valid: True where the orthophoto shows something.

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
        assert self.pixels is not None  # only empty sections have none
        return self.pixels[:, *place_within(self.window, tile.window)]

    def core_valid(self, tile: Tile) -> NDArray[np.bool_]:
        """Return the validity of a tile's core."""
        return self.valid[place_within(self.window, tile.core)]


Results = Queue[SectionInput | Exception]


def small_block_cache() -> rasterio.Env:
    """Bound GDAL's cache of decoded blocks, which may take a twentieth of the machine's memory."""
    return rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES)


@contextmanager
def reading_ahead(
    scene: Scene, sections: Sequence[Section], threads: int = _THREADS
) -> Iterator[Iterator[SectionInput]]:
    """Read sections in threads, each with its own open files, and yield them in order.

    The threads take turns. Each waits until its previous section has been taken.

    Args:
        scene: The scene.
        sections: The sections, in the order in which they are yielded.
        threads: Number of threads.

    Raises:
        RasterReadError: A file is damaged.
    """
    stop = threading.Event()
    shares = [sections[start::threads] for start in range(min(threads, len(sections)))]
    queues: list[Results] = [Queue(maxsize=1) for _ in shares]
    readers = [
        threading.Thread(target=_read_all, args=(scene, *share, stop), name="read", daemon=True)
        for share in zip(shares, queues, strict=True)
    ]
    with small_block_cache():
        for reader in readers:
            reader.start()
        try:
            yield (_result(queues[index % threads].get()) for index in range(len(sections)))
        finally:
            stop.set()
            for queue, reader in zip(queues, readers, strict=True):
                with suppress(Empty):
                    queue.get_nowait()  # lets a thread that waits to put its result go on
                reader.join()


def reader_count(*, computes_elsewhere: bool) -> int:
    """Return how many threads read: a GPU leaves the cores to them, and needs more of them."""
    spare = usable_cores() // 2 if computes_elsewhere else 0
    return max(_THREADS, min(_MOST_THREADS, spare))


def _read_all(scene: Scene, sections: Sequence[Section], queue: Results, stop: Event) -> None:
    try:
        with _open_reader(scene) as reader:
            for section in sections:
                queue.put(reader.read(section))
                if stop.is_set():
                    return
    except Exception as error:  # raised again by `_result`
        queue.put(error)


def _result(result: SectionInput | Exception) -> SectionInput:
    if isinstance(result, Exception):
        raise result
    return result


@contextmanager
def _open_reader(scene: Scene) -> Iterator["_Reader"]:
    with ExitStack() as stack:
        orthophoto = stack.enter_context(open_orthophoto(scene.orthophoto))
        used = scene.dem if scene.recipe.features else None
        yield _Reader(scene, orthophoto, stack.enter_context(open_dem(used)) if used else None)


@dataclass(frozen=True)
class _Reader:
    """Reads sections; used by one thread.

    Args:
        scene: The scene.
        orthophoto: The orthophoto, open.
        dem: The DEM, open; None if the network does not use heights.
    """

    scene: Scene
    orthophoto: OrthophotoReader
    dem: DemReader | None

    def read(self, section: Section) -> SectionInput:
        """Read the tiles of a section that are not empty."""
        tiles = self._without_empty(self._within_aoi(section.tiles))
        if not tiles:
            return SectionInput(section, (), section.core, None, np.zeros((0, 0), np.bool_))
        window = window_around(tiles)
        grid = self.scene.grid.crop(window)
        pixels = self.orthophoto.read(grid, self.scene.recipe.value_range)
        kept = tuple(tile for tile in tiles if pixels.valid[place_within(window, tile.core)].any())
        network_input = None
        if kept:
            elevation = self._elevation(grid)
            network_input = self.scene.recipe.network_input(pixels.rgb, elevation, pixels.valid)
        return SectionInput(section, kept, window, network_input, pixels.valid)

    def _within_aoi(self, tiles: Sequence[Tile]) -> Sequence[Tile]:
        """Keep tiles that intersect the area of interest.

        The halo counts, so that graves that cross the edge of the area are mapped whole.
        """
        if self.scene.aoi is None:
            return tiles
        inside = shapely.intersects(self.scene.aoi, frames_of(tiles, self.scene.grid))
        return [tile for tile, is_inside in zip(tiles, inside, strict=True) if is_inside]

    def _without_empty(self, tiles: Sequence[Tile]) -> Sequence[Tile]:
        """Drop tiles that are empty in a coarse look; without an overview, those not stored."""
        if not tiles:
            return tiles
        window = window_around(tiles)
        coarse = self.scene.grid.crop(window).coarsened(_LOOK)
        if not self.orthophoto.has_overview_for(coarse):
            crop = self.scene.grid.crop
            return [tile for tile in tiles if self.orthophoto.is_stored(crop(tile.core))]
        valid = self.orthophoto.read(coarse, self.scene.recipe.value_range).valid
        return [tile for tile in tiles if _coarse(valid, place_within(window, tile.core)).any()]

    def _elevation(self, grid: WorkingGrid) -> NDArray[np.float32] | None:
        if self.dem is None or self.scene.statistics is None:
            return None
        features = self.scene.recipe.features
        return read_elevation(self.dem, grid, self.scene.statistics, features)


def _coarse(valid: NDArray[np.bool_], place: tuple[slice, slice]) -> NDArray[np.bool_]:
    """Return the part of a coarse look that covers a place and one coarse pixel around it."""
    rows, columns = (
        slice(max(0, side.start // _LOOK - 1), -(-side.stop // _LOOK) + 1) for side in place
    )
    return valid[rows, columns]
