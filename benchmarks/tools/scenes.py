"""Orthophotos, DEMs, models and probability maps of any size, built by repetition."""

import shutil
import tempfile
from concurrent.futures import Executor, Future
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import Resampling

from grave_cli.graves.targets import encode
from grave_cli.mapping.probability_map import ProbabilityMap, to_levels
from grave_cli.model.bundle import Bundle, ModelCard, read_bundle, write_card
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.sample_data.write import write_sample_data
from grave_cli.settings.load import load_settings
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings

AT_48_NORTH = (1_260_000.0, 6_107_000.0)  # in EPSG:3857, where a map unit is 0.67 m
IN_UTM = (500_000.0, 5_300_000.0)


def write_scene(
    folder: Path,
    shape: tuple[int, int],
    pixel: float,
    *,
    crs: str = "EPSG:25832",
    overviews: bool = True,
) -> tuple[Path, Path]:
    """Write a tiled, compressed RGBA orthophoto, and a DEM of a quarter of its resolution.

    Args:
        folder: Receives `orthophotos/scene.tif` and `dems/scene.tif`.
        shape: Rows and columns of the orthophoto.
        pixel: Pixel size in map units.
        crs: EPSG:25832 or EPSG:3857.
        overviews: Build overviews, as in a COG.
    """
    colours, heights = _sample_arrays()
    origin = AT_48_NORTH if crs == "EPSG:3857" else IN_UTM
    orthophoto, dem = (folder / kind / "scene.tif" for kind in ("orthophotos", "dems"))
    for path in (orthophoto, dem):
        path.parent.mkdir(parents=True)
    how = {"photometric": "RGB", "alpha": "non-premultiplied", "zlevel": 1}
    _repeat(orthophoto, colours, shape, pixel, origin, crs, **how)
    coarse = (-(-shape[0] // 4), -(-shape[1] // 4))
    _repeat(dem, heights, coarse, pixel * 4, origin, crs, nodata=-9999.0)
    if overviews:
        with rasterio.open(orthophoto, "r+") as dataset:
            dataset.build_overviews([2, 4, 8, 16], Resampling.average)
    return orthophoto, dem


def write_sites(pool: Executor, root: Path, count: int, size_m: float) -> list[Future[None]]:
    """Write a data set of sample cemeteries, each in a process of the pool.

    Args:
        pool: Processes that are spawned.
        root: Folder of the data set.
        count: Number of cemeteries.
        size_m: Edge of each in metres.
    """
    return [pool.submit(_write_site, root, number, size_m) for number in range(count)]


def _write_site(root: Path, number: int, size_m: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder, "data")
        write_sample_data(own, cemeteries=1, size_m=size_m, seed=number)
        for path in [path for path in own.rglob("sample_01.*") if path.is_file()]:
            target = root / path.relative_to(own).with_stem(f"site_{number:02d}")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)


def _sample_arrays() -> tuple[np.ndarray, np.ndarray]:
    """Generate one sample cemetery at 2.5 cm, and its heights."""
    with tempfile.TemporaryDirectory() as folder:
        (one,) = write_sample_data(Path(folder, "data"), cemeteries=1, size_m=40, seed=0)
        with rasterio.open(one.orthophoto) as dataset, rasterio.open(one.dem) as dem:
            colours, heights = dataset.read(), dem.read()
    colours[3] = 255
    known = heights > -1000
    return colours, np.where(known, heights, heights[known].mean())


def _repeat(
    path: Path,
    array: np.ndarray,
    shape: tuple[int, int],
    pixel: float,
    origin: tuple[float, float],
    crs: str,
    **how: object,
) -> None:
    with rasterio.open(
        path, "w", driver="GTiff", height=shape[0], width=shape[1], count=len(array),
        dtype=array.dtype, crs=crs, transform=Affine(pixel, 0, origin[0], 0, -pixel, origin[1]),
        tiled=True, blockxsize=256, blockysize=256, compress="deflate", bigtiff="if_safer", **how,
    ) as dataset:  # fmt: skip
        for row in range(0, shape[0], 256):
            rows = (np.arange(row, min(row + 256, shape[0]))) % array.shape[1]
            columns = np.arange(shape[1]) % array.shape[2]
            strip = array[:, rows][:, :, columns]
            window = ((row, row + len(rows)), (0, shape[1]))
            dataset.write(strip, window=window)


def random_model(folder: Path, channels: str = "rgb+dem") -> Bundle:
    """Write the default network with random weights, which is as fast as a trained one."""
    import torch

    from grave_cli.model.architecture import architecture_for
    from grave_cli.model.export import write_network
    from grave_cli.model.network import build_network

    settings = load_settings(options={"data.channels": channels}, environ={}).settings
    recipe = InputRecipe.from_settings(settings, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    architecture = architecture_for(settings, recipe.channel_count)
    torch.manual_seed(0)
    card = ModelCard(
        gravecli_version="0", name="random", run_id="", dataset_id="", created="", recipe=recipe,
        architecture=architecture, decoding=DecodingSettings(), metrics={}, settings={},
    )  # fmt: skip
    write_network(folder, build_network(architecture).eval(), card)
    write_card(folder, card)
    return read_bundle(folder)


def trained_model(work_dir: Path, seconds: float) -> Bundle:
    """Train a model on sample cemeteries, so that its predictions look like graves."""
    from grave_cli.tracking.models import newest_model
    from grave_cli.training.trainer import run_training

    write_sample_data(work_dir / "data", cemeteries=3, seed=5)
    options = {
        "data.root": work_dir / "data",
        "data.channels": "rgb+dem",
        "training.max_time_s": seconds,
        "work_dir": work_dir / "runs",
    }
    settings: Settings = load_settings(options=options, environ={}).settings
    run_training(settings)
    return newest_model(True, settings).bundle


class Repeated:
    """A shelf that returns the same array for every section."""

    def __init__(self, levels: np.ndarray) -> None:
        self._levels = levels

    def __contains__(self, index: object) -> bool:
        return True

    def __getitem__(self, index: object) -> np.ndarray:
        return self._levels

    def __setitem__(self, index: object, levels: np.ndarray) -> None:
        raise TypeError("the shelf is read-only")


def repeated_graves(count: int, per_row: int = 8, free_px: int = 20) -> ProbabilityMap:
    """Build a map of touching graves in rows from one small piece, so that it needs little memory.

    Args:
        count: Least number of graves.
        per_row: Graves per row.
        free_px: Free ground around each row, in pixels of 5 cm.
    """
    gsd_m, across, down = 0.05, 18, 40  # pixels of a grave of 0.9 m x 2.0 m
    width, height = per_row * across + 2 * free_px, 2 * (down + free_px)
    instances = np.zeros((height, width), np.int32)
    for row in range(2):
        for index in range(per_row):
            top, left = free_px // 2 + row * (down + free_px), free_px + index * across
            instances[top : top + down, left : left + across] = row * per_row + index + 1
    soft = encode(instances, gsd_m, 0.1, 0.2).astype(np.float32) * 0.98 + 0.01
    levels = to_levels(soft)
    pieces = -(-count // (2 * per_row))
    columns = max(1, round((pieces * height / width) ** 0.5))
    rows = -(-pieces // columns)
    grid = WorkingGrid(
        "EPSG:25832",
        Affine(gsd_m, 0, IN_UTM[0], 0, -gsd_m, IN_UTM[1]),
        columns * width,
        rows * height,
        gsd_m,
    )
    return ProbabilityMap(grid, height, width, Repeated(levels))
