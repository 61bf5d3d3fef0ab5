"""Validation tiles."""

from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine

from grave_cli.dataset.annotations import rasterize_instances
from grave_cli.dataset.cemetery_arrays import CemeteryArrays
from grave_cli.dataset.manifest import Cemetery
from grave_cli.dataset.splits import Part
from grave_cli.evaluation.score import add_scores
from grave_cli.learning.datamodule import TileDataset, tile_and_halo
from grave_cli.learning.metrics import TileScores
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings


def graves_on(gsd_m: float, start_m: float) -> CemeteryArrays:
    """Eight graves of 2.3 m on an area of 9 x 6 m."""
    grid = WorkingGrid(
        "EPSG:25832", Affine(gsd_m, 0, 0, 0, -gsd_m, 6), int(9 / gsd_m), int(6 / gsd_m), gsd_m
    )
    corners = [(start_m + 2.7 * column, 0.3 + 1.2 * row) for column in (0, 1) for row in range(4)]
    graves = np.array([shapely.box(x, y, x + 2.3, y + 0.9) for x, y in corners], dtype=object)
    return CemeteryArrays(
        part=Part(Cemetery("field", Path("field.tif")), "val"),
        grid=grid,
        graves=graves,
        rgb=np.zeros((3, *grid.shape), np.uint8),
        valid=np.ones(grid.shape, np.bool_),
        elevation=None,
        instances=rasterize_instances(graves, grid),
    )


@pytest.mark.parametrize(("gsd_m", "start_m"), [(0.01, 1.5), (0.015, 2.8), (0.04, 2.0)])
def test_a_grave_counts_in_one_tile_however_fine_the_pixels_are(
    gsd_m: float, start_m: float
) -> None:
    settings = with_values(Settings(), {"grid.gsd_m": gsd_m})
    recipe = InputRecipe.from_settings(settings, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    tiles = TileDataset([graves_on(gsd_m, start_m)], recipe, settings)
    scores = TileScores(gsd_m, settings.prediction.decoding)
    for index in range(len(tiles)):
        batch = {key: value[None] for key, value in tiles[index].items()}
        scores.add(batch["targets"].float(), batch)
    counted = add_scores(scores._graves)
    assert (counted.truths, counted.predictions, counted.matches) == (8, 8, 8)


def test_tiles_are_as_before_at_the_usual_pixel_size() -> None:
    assert tile_and_halo(0.04) == tile_and_halo(0.1) == (384, 64)
    assert tile_and_halo(0.015) == (544, 134)
