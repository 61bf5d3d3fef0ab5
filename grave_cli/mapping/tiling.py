"""Size of the tiles: fitted to the grid, and the fastest in a measurement."""

import json
import math
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, TypeAdapter

from grave_cli.atomic_writes import whole_file
from grave_cli.mapping.engine import Engine, start_tiles
from grave_cli.processes import usable_cores
from grave_cli.settings.mapping import PredictionSettings

_EDGES_PX = (256, 384, 512, 768, 1024, 1536)
_STRIDE = 32  # tile sides are multiples of it
_SPEEDS = TypeAdapter(dict[str, dict[int, Annotated[float, Field(gt=0, allow_inf_nan=False)]]])


@dataclass(frozen=True)
class Tiling:
    """Size of tiles.

    Args:
        height: Rows of a tile, halo included.
        width: Columns of a tile.
        halo: Discarded border, in pixels.
        batch: Tiles per call of the engine.
    """

    height: int
    width: int
    halo: int
    batch: int

    @property
    def core(self) -> tuple[int, int]:
        """Rows and columns that a tile adds; the outermost tiles also keep their outer halo."""
        return self.height - 2 * self.halo, self.width - 2 * self.halo

    def count(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Return the rows and columns of tiles that cover a grid."""
        rows, columns = (
            count_tiles(size, core, self.halo) for size, core in zip(shape, self.core, strict=True)
        )
        return rows, columns


def choose_tiling(
    shape: tuple[int, int],
    batch_mpx: float,
    settings: PredictionSettings,
    speeds: Mapping[int, float] | None = None,
) -> Tiling:
    """Choose the tiles that cover a grid in the least time.

    Args:
        shape: Rows and columns of the grid.
        batch_mpx: Pixels per call of the engine, in megapixels.
        settings: Tiles, halo, batch; values set there are kept.
        speeds: Mpx/s by tile edge; None treats all as equally fast.
    """
    edges = (settings.tile_px,) if settings.tile_px else usable_edges(batch_mpx, settings.halo_px)
    tilings = {edge: _fitted(shape, edge, batch_mpx, settings) for edge in edges}
    known = speeds or {}
    return min(
        tilings.items(),
        key=lambda item: _computed_px(shape, item[1]) / known.get(item[0], 1.0),
    )[1]


def usable_edges(batch_mpx: float, halo_px: int) -> tuple[int, ...]:
    """Return the tile edges that leave a core and fit into a batch, at least one."""
    leaving = [edge for edge in _EDGES_PX if edge - 2 * halo_px >= edge / 2]
    fitting = [edge for edge in leaving if edge**2 <= batch_mpx * 1e6]
    return tuple(fitting or leaving[:1] or [math.ceil(4 * halo_px / _STRIDE) * _STRIDE])


def measure_speeds(
    engine: Engine, channels: int, settings: PredictionSettings, cache: Path, model: str
) -> dict[int, float]:
    """Measure the speed of an engine with tiles of several sizes, once per machine and threads.

    Args:
        engine: The engine.
        channels: Channels of its input.
        settings: Halo and threads.
        cache: JSON file with earlier measurements.
        model: Hash of the weights.

    Returns:
        Mpx/s, halo included, by edge of a tile.

    Raises:
        ExportError: The cache cannot be written.
    """
    machine = f"{platform.node()} {usable_cores()} cores {settings.threads} threads"
    key = f"{model} {engine.name} {machine} {settings.halo_px}"
    edges = usable_edges(engine.batch_mpx, settings.halo_px)
    speeds = _read_cache(cache).get(key)
    if speeds is None or speeds.keys() != set(edges):
        speeds = {edge: _speed(engine, channels, edge) for edge in edges}
        known = {**_read_cache(cache), key: speeds}  # with those another process has added
        with whole_file(cache) as new:
            new.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return speeds


def _read_cache(cache: Path) -> dict[str, dict[int, float]]:
    """Read the speeds by machine and by edge; what is damaged is measured again."""
    try:
        return _SPEEDS.validate_json(cache.read_bytes())
    except (OSError, ValueError):
        return {}


def _speed(engine: Engine, channels: int, edge: int) -> float:
    """Time a batch of tiles, after a warm-up batch."""
    tiles = list(np.zeros((_batch(edge, edge, engine.batch_mpx), channels, edge, edge), np.float32))
    start_tiles(engine, tiles)()
    start = time.perf_counter()
    start_tiles(engine, tiles)()
    return len(tiles) * edge**2 / 1e6 / (time.perf_counter() - start)


def _fitted(
    shape: tuple[int, int], edge: int, batch_mpx: float, settings: PredictionSettings
) -> Tiling:
    height, width = (fit_tile(size, edge, settings.halo_px) for size in shape)
    batch = settings.batch_size or _batch(height, width, batch_mpx)
    return Tiling(height, width, settings.halo_px, batch)


def fit_tile(size: int, edge: int, halo_px: int) -> int:
    """Shrink a tile so that equal tiles just cover a grid.

    The outermost tiles start and end with the grid: they need no halo beyond it.

    Example: edge 512, halo 48, 1000 pixels. Three tiles cover 3 * 416 + 2 * 48 = 1344 pixels, and
    two no more than 928. For 1000, cores of (1000 - 96) / 3 = 302 are enough, in tiles of 416.

    Args:
        size: Rows or columns of the grid.
        edge: Edge of the largest tile.
        halo_px: Discarded border.
    """
    count = count_tiles(size, edge - 2 * halo_px, halo_px)
    core = max(1, math.ceil((size - 2 * halo_px) / count))
    return min(edge, math.ceil((core + 2 * halo_px) / _STRIDE) * _STRIDE)


def count_tiles(size: int, core: int, halo_px: int) -> int:
    """Return the number of tiles along one side of a grid, at least one.

    Args:
        size: Rows or columns of the grid.
        core: Rows or columns that a tile adds.
        halo_px: Halo, which the outermost tiles keep at the edges of the grid.
    """
    return max(1, math.ceil((size - 2 * halo_px) / core))


def _batch(height: int, width: int, batch_mpx: float) -> int:
    return max(1, int(batch_mpx * 1e6 / (height * width)))


def _computed_px(shape: tuple[int, int], tiling: Tiling) -> int:
    rows, columns = tiling.count(shape)
    return rows * columns * tiling.height * tiling.width
