"""Model and orthophoto in, probabilities over the whole working grid out: tiles with halo."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.inputs.areas import Area
from grave_cli.inputs.elevation import (
    ElevationStatistics,
    measure_elevation,
    read_elevation,
)
from grave_cli.inputs.grid import Tile, WorkingGrid, plan_tiles
from grave_cli.inputs.raster_io import open_orthophoto
from grave_cli.inputs.recipe import InputRecipe
from grave_cli.mapping.engine import Engine
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.sections import ElevationSettings, PredictionSettings

_LEVELS = 255  # probabilities are kept in steps of 1/255: a third of the memory of float32


@dataclass(frozen=True)
class Scene:
    """An orthophoto to be mapped, with its DEM if it has one.

    Args:
        orthophoto: RGB(A) image.
        dem: Heights; None when there are none.
        grid: The orthophoto's working grid.
        source_crs: The orthophoto's own CRS, as WKT.
        recipe: What the model wants to see.
        statistics: Of the DEM.
        aoi: The part to be mapped, in the grid's CRS; None is all of it.
    """

    orthophoto: Path
    dem: Path | None
    grid: WorkingGrid
    source_crs: str
    recipe: InputRecipe
    statistics: ElevationStatistics | None
    aoi: Area | None = None


@dataclass(frozen=True)
class ProbabilityMap:
    """Probabilities over a whole working grid.

    Args:
        levels: Probabilities of body, border and contact, times 255.
        valid: Where the orthophoto shows something.
        grid: Where the pixels lie.

    Shapes:
        levels: (3, H, W) uint8; valid: (H, W)
    """

    levels: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    grid: WorkingGrid

    def probabilities(self) -> NDArray[np.float32]:
        """Return the probabilities as numbers in [0, 1], (3, H, W)."""
        return np.divide(self.levels, np.float32(_LEVELS), dtype=np.float32)


def open_scene(orthophoto: Path, dem: Path | None, grid: WorkingGrid, recipe: InputRecipe) -> Scene:
    """Prepare an orthophoto for mapping.

    Args:
        orthophoto: RGB(A) image.
        dem: Heights, or None.
        grid: Its working grid, at the recipe's GSD.
        recipe: What the model wants to see.

    Raises:
        RasterReadError: The DEM cannot be used.
    """
    with open_orthophoto(orthophoto) as opened:
        source_crs = opened.georeference.crs
    if dem is None:
        return Scene(orthophoto, None, grid, source_crs, recipe, None)
    # A model for rgb does not see heights, but the graves' heights are still told.
    statistics = measure_elevation(dem, grid, recipe.elevation or ElevationSettings())
    return Scene(orthophoto, dem, grid, source_crs, recipe, statistics)


def map_probabilities(
    scene: Scene, engine: Engine, settings: PredictionSettings, progress: Progress = SILENT
) -> ProbabilityMap:
    """Compute the probabilities of a whole orthophoto, tile by tile.

    Each tile is read with a halo that gives the network context and is thrown away; windows that
    show nothing are neither normalised nor computed, those away from the area to be mapped not
    even read.

    Args:
        scene: What to map.
        engine: What computes.
        settings: Tiles, halo, batch.
        progress: Is told of the working pixels done, in Mpx.
    """
    grid = scene.grid
    levels = np.zeros((3, *grid.shape), np.uint8)
    valid = np.zeros(grid.shape, np.bool_)
    tiles = _tiles_of(scene, settings)
    total = sum(map(_megapixels, tiles))
    with progress.task(f"Mapping {scene.orthophoto.name}", total, "Mpx") as advance:
        pending: list[tuple[Tile, NDArray[np.float32]]] = []
        for tile, chip, seen in _read_tiles(scene, tiles):
            valid[tile.core.toslices()] = seen[tile.core_in_tile]
            if chip is None:
                advance(_megapixels(tile))
                continue
            pending.append((tile, chip))
            if len(pending) == settings.batch_size:
                _compute(pending, engine, levels, valid)
                advance(sum(_megapixels(done) for done, _ in pending))
                pending = []
        if pending:
            _compute(pending, engine, levels, valid)
            advance(sum(_megapixels(done) for done, _ in pending))
    return ProbabilityMap(levels, valid, grid)


def read_heights(scene: Scene) -> NDArray[np.float32] | None:
    """Read the heights above local ground of a whole scene, metres; None without a DEM.

    Shapes:
        returns: (H, W), NaN where unknown
    """
    if scene.dem is None or scene.statistics is None:
        return None
    heights: NDArray[np.float32] = read_elevation(
        scene.dem, scene.grid, scene.statistics, ("height",)
    )[0]
    return heights


def _tiles_of(scene: Scene, settings: PredictionSettings) -> list[Tile]:
    """Plan the tiles that see something of the area to be mapped.

    A tile counts when its halo does: graves that begin in the area are mapped whole.
    """
    tiles = plan_tiles(*scene.grid.shape, settings.tile_px, settings.halo_px)
    if scene.aoi is None:
        return tiles
    frames = [shapely.box(*scene.grid.crop(tile.window).bounds) for tile in tiles]
    seen = shapely.intersects(scene.aoi, frames)
    return [tile for tile, sees in zip(tiles, seen, strict=True) if sees]


def _read_tiles(
    scene: Scene, tiles: list[Tile]
) -> Iterator[tuple[Tile, NDArray[np.float32] | None, NDArray[np.bool_]]]:
    """Read tile after tile: its network input (None when its core shows nothing), its validity."""
    with open_orthophoto(scene.orthophoto) as orthophoto:
        for tile in tiles:
            grid = scene.grid.crop(tile.window)
            pixels = orthophoto.read(grid, scene.recipe.value_range)
            if not pixels.valid[tile.core_in_tile].any():
                yield tile, None, pixels.valid
                continue
            elevation = _read_elevation(scene, grid)
            chip = scene.recipe.network_input(pixels.rgb, elevation, pixels.valid)
            yield tile, chip, pixels.valid


def _read_elevation(scene: Scene, grid: WorkingGrid) -> NDArray[np.float32] | None:
    if scene.dem is None or scene.statistics is None or not scene.recipe.features:
        return None
    return read_elevation(scene.dem, grid, scene.statistics, scene.recipe.features)


def _compute(
    pending: list[tuple[Tile, NDArray[np.float32]]],
    engine: Engine,
    levels: NDArray[np.uint8],
    valid: NDArray[np.bool_],
) -> None:
    results = engine.probabilities(np.stack([chip for _, chip in pending]))
    for (tile, _), result in zip(pending, results, strict=True):
        rows, columns = tile.core.toslices()
        core = np.rint(result[(slice(None), *tile.core_in_tile)] * _LEVELS).astype(np.uint8)
        levels[:, rows, columns] = core * valid[rows, columns]


def _megapixels(tile: Tile) -> float:
    return float(tile.core.width * tile.core.height) / 1e6
