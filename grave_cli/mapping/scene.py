"""What is to be mapped: an orthophoto with its DEM, on a working grid, as a model wants it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grave_cli.rasters.elevation import ElevationStatistics, measure_elevation, read_elevation
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.orthophoto import open_orthophoto
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.inputs import ElevationSettings
from grave_cli.vectors.areas import Area


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


def read_heights(scene: Scene, grid: WorkingGrid) -> NDArray[np.float32] | None:
    """Read the heights above local ground, metres; None without a DEM.

    Args:
        scene: Where from.
        grid: The scene's grid or any crop of it.

    Shapes:
        returns: (H, W), NaN where unknown
    """
    if scene.dem is None or scene.statistics is None:
        return None
    heights: NDArray[np.float32] = read_elevation(scene.dem, grid, scene.statistics, ("height",))[0]
    return heights
