import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling
from rasterio.transform import from_origin
from rasterio.windows import Window
from support import Listener

from grave_cli.errors import OutOfMemoryError, RasterReadError
from grave_cli.mapping.probability_map import is_valid, to_levels
from grave_cli.mapping.scene import open_scene
from grave_cli.mapping.stream import map_probabilities, plan_scene
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.orthophoto_pixels import GridPixels, OrthophotoReader
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.mapping import PredictionSettings

RGB = InputRecipe(channels="rgb", gsd_m=0.1, mean=(0, 0, 0), std=(1, 1, 1), elevation=None)


class Echo:
    """An engine that gives the input's own channels back, and counts what it is asked for."""

    name = "echo"
    batch_mpx = 1.0

    def __init__(self) -> None:
        self.tiles = 0

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        self.tiles += len(batch)
        return batch[:, :3]


class Blur(Echo):
    """An engine whose output depends on the pixels around, as a network's does."""

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        from scipy import ndimage

        return ndimage.uniform_filter(batch[:, :3], (1, 1, 9, 9), mode="constant")


def write_orthophoto(path: Path, rgba: np.ndarray) -> Path:
    _, height, width = rgba.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=width,
        height=height,
        count=4,
        dtype="uint8",
        crs="EPSG:25832",
        transform=from_origin(500_000, 5_300_000, 0.1, 0.1),
        photometric="RGB",
        alpha="yes",
    ) as dataset:
        dataset.write(rgba)
    return path


@pytest.fixture
def orthophoto(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 256, (4, 150, 210), dtype=np.uint8)
    rgba[3] = 255
    rgba[3, :, 150:] = 0
    return write_orthophoto(tmp_path / "anna.tif", rgba)


def run(path: Path, engine: Echo, **settings: int) -> tuple[np.ndarray, np.ndarray]:
    scene = open_scene(path, None, RGB, 3)
    result = map_probabilities(scene, engine, PredictionSettings(device="cpu", **settings))
    levels = result.read(scene.grid.window)
    return levels, is_valid(levels)


def test_every_pixel_comes_back_in_its_place(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:150, :210].astype(np.uint8)
    rgba = np.stack([columns, rows, 255 - rows, np.where(columns < 150, 255, 0)]).astype(np.uint8)
    path = write_orthophoto(tmp_path / "ramp.tif", rgba)
    levels, valid = run(path, Echo(), tile_px=64, halo_px=8, batch_size=3)
    height, width = valid.shape
    expected = rgba[:, :height, :width].astype(int)
    assert (valid == (expected[3] > 0)).mean() > 0.99
    assert np.abs(levels - expected[:3] * valid).max() <= 1


@pytest.mark.parametrize("tile_px", [64, 96, 160])
def test_tiles_leave_no_seam(orthophoto: Path, tile_px: int) -> None:
    whole, _ = run(orthophoto, Blur(), tile_px=512, halo_px=8, batch_size=1)
    tiled, _ = run(orthophoto, Blur(), tile_px=tile_px, halo_px=8, batch_size=4)
    assert np.abs(whole.astype(int) - tiled).max() <= 1


def test_tiles_that_show_nothing_are_not_computed(orthophoto: Path) -> None:
    engine = Echo()
    run(orthophoto, engine, tile_px=64, halo_px=8, batch_size=2)
    # Each tile adds 48 rows or columns, the outermost ones also 8 at the edge of the grid.
    assert engine.tiles == 3 * 3


def test_sections_that_show_nothing_are_not_kept(tmp_path: Path) -> None:
    rgba = np.full((4, 600, 600), 200, np.uint8)
    rgba[3] = 0
    rgba[3, 350:380, 20:50] = 255
    path = write_orthophoto(tmp_path / "island.tif", rgba)
    settings = PredictionSettings(device="cpu", tile_px=64, halo_px=8, batch_size=1)
    scene, shelf = open_scene(path, None, RGB, 3), {}
    seen = map_probabilities(scene, Echo(), settings, shelf=shelf)
    assert len(plan_scene(scene, Echo(), settings).sections) > len(shelf) == 1
    assert seen.shows(Window(20, 350, 30, 30))
    assert not seen.shows(Window(500, 0, 100, 100))
    assert is_valid(seen.read(scene.grid.window)).sum() == 30 * 30


def test_progress_ends_at_its_total(orthophoto: Path, listener: Listener) -> None:
    scene = open_scene(orthophoto, None, RGB, 3)
    settings = PredictionSettings(tile_px=64, halo_px=8, batch_size=5)
    map_probabilities(scene, Echo(), settings, listener)
    (name,) = listener.done
    assert listener.done[name] == pytest.approx(listener.totals[name])


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Note the shape of whatever is read from an orthophoto from now on."""
    shapes, read = [], OrthophotoReader.read

    def noted(self: OrthophotoReader, grid: WorkingGrid, *arguments: object) -> GridPixels:
        shapes.append(grid.shape)
        return read(self, grid, *arguments)

    monkeypatch.setattr(OrthophotoReader, "read", noted)
    return shapes


def test_what_a_coarse_look_shows_to_be_empty_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rgba = np.full((4, 640, 640), 200, np.uint8)
    rgba[3, :, 100:] = 0
    rgba[3, 400:420, 500:520] = 255
    path = write_orthophoto(tmp_path / "corner.tif", rgba)
    blind, looking = Echo(), Echo()
    without = run(path, blind, tile_px=64, halo_px=8, batch_size=1)
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4, 8], Resampling.nearest)
    shapes = count_reads(monkeypatch)
    found = run(path, looking, tile_px=64, halo_px=8, batch_size=1)
    for one, other in zip(found, without, strict=True):
        assert (one == other).all()
    assert looking.tiles == blind.tiles
    assert sum(height * width for height, width in shapes) < 0.7 * 640 * 640


def test_sections_that_are_on_the_shelf_are_not_computed_again(
    orthophoto: Path, listener: Listener
) -> None:
    scene = open_scene(orthophoto, None, RGB, 3)
    settings = PredictionSettings(tile_px=64, halo_px=8, batch_size=1)
    shelf: dict = {}
    whole, again = Echo(), Echo()
    first = map_probabilities(scene, whole, settings, shelf=shelf).read(scene.grid.window)
    kept = dict(list(shelf.items())[:2])
    second = map_probabilities(scene, again, settings, listener, shelf=kept).read(scene.grid.window)
    assert (first == second).all()
    assert 0 < again.tiles < whole.tiles
    assert listener.notes == [f"Resuming: 2 of {len(shelf)} sections are computed"]
    (name,) = listener.done
    assert listener.done[name] == pytest.approx(listener.totals[name])


def test_a_file_that_is_damaged_within_is_named_and_no_thread_is_left(orthophoto: Path) -> None:
    size = orthophoto.stat().st_size
    with orthophoto.open("r+b") as file:
        file.truncate(size // 2)
    before = threading.active_count()
    with pytest.raises(RasterReadError, match=r"anna\.tif"):
        run(orthophoto, Echo(), tile_px=64, halo_px=8, batch_size=1)
    assert threading.active_count() == before


def test_an_engine_that_fails_leaves_no_thread_behind(orthophoto: Path) -> None:
    class Failing(Echo):
        def probabilities(self, batch: np.ndarray) -> np.ndarray:
            raise RuntimeError("broken")

    before = threading.active_count()
    with pytest.raises(RuntimeError, match="broken"):
        run(orthophoto, Failing(), tile_px=64, halo_px=8, batch_size=1)
    assert threading.active_count() == before


@pytest.mark.parametrize(
    "fault",
    [
        RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : std::bad_alloc"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        MemoryError(),
    ],
)
@pytest.mark.parametrize("comes_late", [False, True])
def test_an_engine_without_memory_is_named(
    orthophoto: Path, fault: Exception, comes_late: bool
) -> None:
    def fail(*tiles: object) -> np.ndarray:
        raise fault

    engine = Echo()
    engine.probabilities = fail  # type: ignore[method-assign]
    if comes_late:
        engine.start = lambda tiles: fail  # type: ignore[attr-defined]
    with pytest.raises(
        OutOfMemoryError, match=r"2 tiles of 64 x 64 .*prediction\.tile_px"
    ) as caught:
        run(orthophoto, engine, tile_px=64, halo_px=8, batch_size=2)
    assert caught.value.exit_code == 1


class Elsewhere(Blur):
    """An engine that is given each batch before it is asked for the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    def start(self, tiles: Sequence[np.ndarray]) -> Callable[[], np.ndarray]:
        number = self.events.count("start") + 1
        self.events.append("start")
        copies = np.stack(tiles)  # the section may be gone when the result is asked for

        def collect() -> np.ndarray:
            self.events.append(f"collect {number}")
            return to_levels(self.probabilities(copies))

        return collect


def test_an_engine_that_computes_elsewhere_has_one_batch_in_flight_also_between_sections(
    orthophoto: Path,
) -> None:
    engine = Elsewhere()
    settings = {"tile_px": 64, "halo_px": 8, "batch_size": 2}
    levels, _ = run(orthophoto, engine, **settings)
    expected, _ = run(orthophoto, Blur(), **settings)
    np.testing.assert_array_equal(levels, expected)
    batches = engine.events.count("start")
    assert batches > 4  # more than one section
    between = [f"collect {n}" for n in range(1, batches + 1)]
    in_turns = [event for number in between[:-1] for event in ("start", number)]
    assert engine.events == ["start", *in_turns, between[-1]]
