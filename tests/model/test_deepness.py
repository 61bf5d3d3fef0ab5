"""The file for Deepness computes what predict-cemetery does, fed as the plugin feeds it.

Source: the plugin's segmentation (PUTvision/qgis-plugin-deepness, devel, 2024): a square of pixels
in the order row, column, band; values / 255, then (x - mean) / std of the metadata; a pixel below
`seg_thresh` is background.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import rasterio
from qgis_process import PYTHON, needs_qgis
from rasterio.windows import Window
from support import copy_bundle, untrained_bundle

from grave_cli.errors import ExportError, ModelError, SettingsError
from grave_cli.graves.instances import seed_certainty
from grave_cli.mapping.onnx_engine import OnnxEngine
from grave_cli.model.bundle import Bundle, read_bundle
from grave_cli.model.deepness import TOLERANCE, deepness_output, write_deepness
from grave_cli.model.onnx_runtime import load_onnxruntime
from grave_cli.model.shipped import starter_model
from grave_cli.outputs import check_outputs
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.orthophoto import inspect_orthophoto, orthophoto_grid
from grave_cli.rasters.orthophoto_pixels import read_orthophoto
from grave_cli.settings.mapping import PredictionSettings

TILES = PredictionSettings(tile_px=256, halo_px=32)
QGIS_TILE = Path(__file__).parents[1] / "qgis_tile.py"


@pytest.fixture(scope="module")
def rgb(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return untrained_bundle(tmp_path_factory.mktemp("rgb"), channels="rgb")


@pytest.fixture(scope="module")
def images(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A sample orthophoto on the starter's grid, so that nobody resamples it.

    `ragged` has an alpha channel, bays at its edges and a hole; `full` is cut from its middle.
    """
    source = inspect_orthophoto(sample_data / "orthophotos" / "sample_01.tif")
    grid = orthophoto_grid(source, starter_model().card.recipe.gsd_m, 3)
    folder = tmp_path_factory.mktemp("image")
    whole = read_orthophoto(source, grid)
    middle = read_orthophoto(source, grid.crop(Window(70, 70, 210, 210)))
    whole.valid[200:280, 150:230] = False
    assert middle.valid.all()
    for name, pixels in {"ragged": whole, "full": middle}.items():
        alpha = 255 * pixels.valid[None].astype(np.uint8)
        bands = pixels.rgb * pixels.valid if name == "ragged" else pixels.rgb
        bands = np.concatenate([bands, alpha]) if name == "ragged" else bands
        count, height, width = bands.shape
        how = {"driver": "GTiff", "height": height, "width": width, "count": count}
        place = {"crs": grid.crs, "transform": pixels.grid.transform, "dtype": "uint8"}
        with rasterio.open(folder / f"{name}.tif", "w", photometric="RGB", **how, **place) as file:
            file.write(bands)
    return {name: folder / f"{name}.tif" for name in ("ragged", "full")}


class Plugin:
    """The plugin's arithmetic on one tile."""

    def __init__(self, path: Path) -> None:
        self.session = load_onnxruntime().InferenceSession(
            path.read_bytes(), providers=["CPUExecutionProvider"]
        )
        self.meta: dict[str, str] = self.session.get_modelmeta().custom_metadata_map
        (self.input,) = self.session.get_inputs()
        (self.output,) = self.session.get_outputs()

    def about(self, name: str) -> Any:
        return json.loads(self.meta[name])

    def certainty(self, tile: np.ndarray) -> np.ndarray:
        batch = np.float32(tile[None, :, :, : self.input.shape[-3]] * 1.0 / 255.0)
        mean, std = (
            np.array(self.about(f"standardization_{name}"), np.float32) for name in ("mean", "std")
        )
        batch = np.transpose((batch - mean) / std, (0, 3, 1, 2))
        return np.asarray(self.session.run(None, {self.input.name: batch})[0])


def predicted(image: Path, bundle: Bundle, window: Window) -> np.ndarray:
    """Compute the certainty of a tile as predict-cemetery does, before it is kept in 8 bits."""
    pixels = read_orthophoto(inspect_orthophoto(image), grid_of(image).crop(window))
    batch = bundle.card.recipe.network_input(pixels.rgb, None, pixels.valid)[None]
    return seed_certainty(OnnxEngine(bundle).probabilities(batch)[0]) * pixels.valid


def grid_of(image: Path) -> WorkingGrid:
    place = inspect_orthophoto(image).georeference
    gsd_m = starter_model().card.recipe.gsd_m
    return WorkingGrid(place.crs, place.transform, place.width, place.height, gsd_m)


def fed_by_rasterio(image: Path, window: Window, folder: Path) -> np.ndarray:
    with rasterio.open(image) as file:
        bands = file.read([1, 2, 3], window=window, boundless=True, fill_value=0)
    return np.moveaxis(bands, 0, 2)


def fed_by_qgis(image: Path, window: Window, folder: Path) -> np.ndarray:
    grid, edge = grid_of(image).crop(window), int(window.width)
    left, _, _, top = grid.bounds
    out = folder / "tile.bytes"
    words = [image, left, top, edge * grid.pixel_size, edge, out]
    command = [PYTHON, QGIS_TILE, *words]
    subprocess.run([str(word) for word in command], check=True, timeout=120, capture_output=True)
    return np.moveaxis(np.frombuffer(out.read_bytes(), np.uint8).reshape(3, edge, edge), 0, 2)


@pytest.mark.parametrize(
    ("feed", "name", "window"),
    [
        (fed_by_rasterio, "ragged", Window(60, 40, 256, 256)),
        (fed_by_rasterio, "ragged", Window(-90, 150, 256, 256)),  # beyond the edge
        # QGIS interpolates into transparent pixels, so its image has none.
        pytest.param(fed_by_qgis, "full", Window(-23, -23, 256, 256), marks=needs_qgis),
    ],
)
def test_the_plugin_computes_the_certainty_of_predict_cemetery(
    feed: Any, name: str, window: Window, images: dict[str, Path], tmp_path: Path
) -> None:
    bundle, image = starter_model(), images[name]
    written = write_deepness(bundle, tmp_path / "graves.onnx", TILES)
    plugin = Plugin(written.path)
    found = plugin.certainty(feed(image, window, tmp_path))
    expected = predicted(image, bundle, window)
    assert found.shape == (1, 1, 256, 256)
    assert np.abs(found[0, 0] - expected).max() <= TOLERANCE
    drawn = found >= plugin.about("seg_thresh")
    assert 0.05 < drawn.mean() < 0.9
    assert (expected == 0).sum() >= 80 * 80  # without an image


def test_a_model_for_rgb_is_a_segmentor_with_one_output(rgb: Bundle, tmp_path: Path) -> None:
    write_deepness(rgb, tmp_path / "graves.onnx", TILES)
    model = onnx.load(tmp_path / "graves.onnx")
    onnx.checker.check_model(model, full_check=True)
    plugin = Plugin(tmp_path / "graves.onnx")
    assert (plugin.input.shape, plugin.output.shape) == ([1, 3, 256, 256], [1, 1, 256, 256])
    assert str(plugin.about("model_type")).capitalize() == "Segmentor"
    assert plugin.about("class_names") == {"0": "background", "1": "grave"}
    assert plugin.about("tile_size") == plugin.about("tiles_size") == 256
    assert (plugin.about("resolution"), plugin.about("tiles_overlap")) == (10, 25)
    assert plugin.meta["gravecli.weights_sha256"] == rgb.sha256
    tile = np.random.default_rng(1).integers(1, 256, (256, 256, 4), dtype=np.uint8)
    pixels = rgb.card.recipe.network_input(
        np.moveaxis(tile[..., :3], 2, 0), None, np.ones((256, 256), np.bool_)
    )
    expected = seed_certainty(OnnxEngine(rgb).probabilities(pixels[None])[0])
    assert np.abs(plugin.certainty(tile)[0, 0] - expected).max() <= TOLERANCE


def test_small_black_spots_are_part_of_the_image(rgb: Bundle, tmp_path: Path) -> None:
    """A shadow may be black; only where a square of 15 black pixels fits in, there is no image."""
    written = write_deepness(rgb, tmp_path / "graves.onnx", TILES)
    tile = np.full((256, 256, 3), 90, np.uint8)
    tile[100:114, 100:200] = 0
    tile[200:215, 10:25] = 0
    tile[205, 32] = 0  # a notch
    shown = Plugin(written.path).certainty(tile)[0, 0] > 0
    assert shown[100:114, 100:200].all()
    assert not shown[200:215, 10:25].any()
    assert not shown[205, 32]
    assert shown.sum() == 256 * 256 - 15 * 15 - 1


def test_a_model_that_needs_heights_says_why_not(untrained: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="needs heights above ground, and Deepness feeds the b"):
        write_deepness(untrained, tmp_path / "graves.onnx", TILES)
    assert list(tmp_path.iterdir()) == []


def test_one_of_the_oldest_models_without_an_onnx_form_is_exported_too(
    rgb: Bundle, tmp_path: Path
) -> None:
    old = copy_bundle(rgb, tmp_path / "old")
    old.onnx.unlink()
    write_deepness(read_bundle(old.folder), tmp_path / "graves.onnx", TILES)
    assert not old.onnx.exists()
    assert (tmp_path / "graves.onnx").stat().st_size > 1_000_000


def test_only_an_unchanged_file_of_the_same_model_is_replaced(rgb: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "graves.onnx"
    write_deepness(rgb, path, TILES)

    def check(bundle: Bundle) -> None:
        check_outputs([deepness_output(path, bundle)], {}, overwrite=False)

    check(rgb)
    with pytest.raises(ExportError, match="holds another model"):
        check(starter_model())
    changed = onnx.load(path)
    changed.producer_name = "somebody"
    onnx.save(changed, path)
    with pytest.raises(ExportError, match="was changed since gravecli wrote it"):
        check(rgb)
    path.write_text("notes")
    with pytest.raises(ExportError, match="was not written by gravecli"):
        check(rgb)


def test_a_halo_that_fills_the_tile_is_refused(rgb: Bundle, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"halo_px .* at most 240 for tiles of 512 pixels"):
        write_deepness(rgb, tmp_path / "out.onnx", PredictionSettings(halo_px=256))
    assert not list(tmp_path.iterdir())
