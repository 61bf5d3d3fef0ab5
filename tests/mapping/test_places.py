"""Graves keep their size and place on the ground, whatever the CRS of the orthophoto."""

from pathlib import Path

import fiona
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from delivery_scene import BACKGROUND, RECTANGLES, deliver, layout
from support import tiny_settings

from grave_cli.mapping.geopackage import write_geopackage
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.mapping.result import PredictionResult
from grave_cli.model.architecture import Architecture
from grave_cli.model.bundle import WEIGHTS_FILE, Bundle, ModelCard
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.mapping import DecodingSettings


class Colours:
    """An engine for which everything is a grave that has not the colour of the background."""

    name = "colours"
    batch_mpx = 1.0

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        ground = np.array(BACKGROUND, np.float32).reshape(1, 3, 1, 1) / 255
        body = (np.abs(batch[:, :3] - ground).max(axis=1) > 0.12).astype(np.float32)
        return np.stack([body, np.zeros_like(body), np.zeros_like(body)], axis=1)


def map_of(orthophoto: Path, folder: Path) -> PredictionResult:
    recipe = InputRecipe(channels="rgb", gsd_m=0.04, mean=(0, 0, 0), std=(1, 1, 1), elevation=None)
    card = ModelCard(
        gravecli_version="0",
        name="colours",
        run_id="",
        dataset_id="",
        created="",
        recipe=recipe,
        architecture=Architecture(in_channels=3),
        decoding=DecodingSettings(),
        metrics={},
        settings={},
    )
    (folder / WEIGHTS_FILE).write_bytes(b"")
    bundle = Bundle(folder=folder, card=card)
    return predict_cemetery(orthophoto, None, bundle, Colours(), tiny_settings(folder, folder))


@pytest.mark.parametrize("crs", ["EPSG:32618", "EPSG:3857", "EPSG:4326", "EPSG:4087", "EPSG:5070"])
def test_graves_have_their_size_on_the_ground_in_any_crs(tmp_path: Path, crs: str) -> None:
    result = map_of(deliver(tmp_path / "a.tif", layout(crs)), tmp_path)

    found = sorted(zip(result.column("length_m"), result.column("width_m"), strict=True))
    drawn = sorted((length, width) for _, _, length, width, _, _ in RECTANGLES)
    assert np.array(found) == pytest.approx(np.array(drawn), abs=0.08)


def test_a_map_across_the_antimeridian_is_one_place(tmp_path: Path) -> None:
    step = 3.6e-7  # degrees, 4 cm
    pixels = np.empty((3, 300, 400), np.uint8)
    pixels[:] = np.array(BACKGROUND).reshape(3, 1, 1)
    for column in (50, 175, 300):
        pixels[:, 125:150, column : column + 50] = 250
    path = tmp_path / "a.tif"
    place = {"crs": "EPSG:4326", "transform": Affine(step, 0, 180 - 200 * step, 0, -step, 0.5)}
    how = {"driver": "GTiff", "height": 300, "width": 400, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", **how, **place) as file:
        file.write(pixels)

    result = map_of(path, tmp_path)
    write_geopackage(result, tmp_path / "map.gpkg")

    assert len(result.polygons) == 3
    for layer in ("graves", "coverage"):
        with fiona.open(tmp_path / "map.gpkg", layer=layer) as file:
            left, _, right, _ = file.bounds
            assert right - left < 410 * step
    assert shapely.area(result.polygons) == pytest.approx(np.full(3, 2.0), rel=0.1)
