"""A scene to be mapped: an orthophoto and its DEM on the working grid of a model."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from grave_cli.dataset.plans import CemeteryPlan
from grave_cli.rasters.dem import Dem
from grave_cli.rasters.dem_heights import Heights, open_dem
from grave_cli.rasters.elevation import ElevationStatistics, measure_elevation, read_elevation
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.orthophoto import Orthophoto, inspect_orthophoto, orthophoto_grid
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.inputs import ElevationSettings
from grave_cli.vectors.areas import Area

ReadHeights = Callable[[WorkingGrid], Heights | None]
"""Reads heights above local ground, in metres: (H, W), NaN where unknown; None without a DEM."""


@dataclass(frozen=True)
class Scene:
    """An orthophoto to be mapped, with its DEM if it has one.

    Args:
        orthophoto: The orthophoto, inspected.
        dem: The DEM, inspected; None without one.
        grid: The orthophoto's working grid.
        recipe: The recipe of the model's input.
        statistics: Statistics of the DEM; None without one.
        aoi: Area of interest, in the grid's CRS; None maps everything.
    """

    orthophoto: Orthophoto
    dem: Dem | None
    grid: WorkingGrid
    recipe: InputRecipe
    statistics: ElevationStatistics | None
    aoi: Area | None = None


def open_scene(
    orthophoto: Path,
    dem: Path | None,
    recipe: InputRecipe,
    max_upsampling: float,
    dtm: Path | None = None,
) -> Scene:
    """Inspect an orthophoto and its DEM, lay the working grid and measure the elevation.

    Args:
        orthophoto: RGB(A) image.
        dem: Heights; None without them.
        recipe: The recipe of the model's input.
        max_upsampling: Largest ratio of the orthophoto's pixel size to the recipe's.
        dtm: Heights of the ground below the DEM; None without them.

    Raises:
        GridError: No working grid can be laid on the orthophoto.
        RasterReadError: A raster cannot be used.
    """
    inspected = inspect_orthophoto(orthophoto)
    grid = orthophoto_grid(inspected, recipe.gsd_m, max_upsampling)
    if dem is None:
        return Scene(inspected, None, grid, recipe, None)
    # A model for rgb does not use the DEM, but the heights of the graves are still reported.
    with open_dem(dem, dtm) as reader:
        statistics = measure_elevation(reader, grid, recipe.elevation or ElevationSettings())
    return Scene(inspected, reader.dem, grid, recipe, statistics)


def planned_scene(whole: CemeteryPlan, recipe: InputRecipe) -> Scene:
    """Turn the plan of a cemetery into a scene; its files are not inspected again.

    Args:
        whole: The plan, at the recipe's GSD.
        recipe: The recipe of the model's input; without elevation, the DEM is not used.

    Raises:
        RasterReadError: The DEM cannot be used.
    """
    if recipe.elevation is None or whole.dem is None:
        return Scene(whole.orthophoto, None, whole.grid, recipe, None)
    statistics = whole.elevation_statistics(recipe.elevation)
    return Scene(whole.orthophoto, whole.dem, whole.grid, recipe, statistics)


@contextmanager
def reading_heights(scene: Scene) -> Iterator[ReadHeights]:
    """Read heights above local ground from several threads; each opens the DEM once."""
    dem, statistics = scene.dem, scene.statistics
    if dem is None or statistics is None:
        yield lambda grid: None
        return
    own = threading.local()
    with ExitStack() as stack:

        def read(grid: WorkingGrid) -> Heights:
            if not hasattr(own, "reader"):
                own.reader = stack.enter_context(open_dem(dem))
            heights: Heights = read_elevation(own.reader, grid, statistics, ("height",))[0]
            return heights

        yield read
