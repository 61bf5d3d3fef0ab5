"""Speed of `predict-cemetery` and its stages, against three baselines.

An orthophoto of 4096 x 3920 pixels of 2 cm in EPSG:3857 at 48 degrees north (1.34 cm on the ground)
with a DEM, once with overviews and once without. Baselines on the same machine and file:

    engine alone           the same engine on the same tiles, which are already in memory
    ordinary loop          torch, 512-pixel windows at the file's full resolution, a batch of one,
                           mean blending, a polygon for each label (tools/ordinary.py)
    ordinary loop, grid    that loop on the working grid: separates the gain of the grid from that
                           of the code

Reports seconds, working Mpx per second, and the time relative to the whole command. Without
--model, a model is trained on sample cemeteries first, so that the predictions look like graves.

    python benchmarks/predict.py [--quick] [--model PATH] [--device cpu] [--no-ordinary]
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from affine import Affine
from tools.scenes import trained_model, write_scene
from tools.table import print_table

from grave_cli.mapping.blocks import find_graves
from grave_cli.mapping.engine import Engine, open_engine
from grave_cli.mapping.extract_graves import extract_graves
from grave_cli.mapping.geopackage import write_geopackage
from grave_cli.mapping.read_ahead import reading_ahead
from grave_cli.mapping.scene import Scene, open_scene
from grave_cli.mapping.stream import map_probabilities, plan_scene
from grave_cli.model.bundle import Bundle, read_bundle
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.orthophoto import inspect_orthophoto, orthophoto_grid
from grave_cli.settings.load import load_settings
from grave_cli.settings.tree import Settings

CLI = "import sys; from grave_cli.cli.app import main; main()"


class Timed:
    """An engine that sums up its computing time in seconds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name, self.batch_mpx = engine.name, engine.batch_mpx
        self.seconds = 0.0

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        start = time.perf_counter()
        result = self._engine.probabilities(batch)
        self.seconds += time.perf_counter() - start
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="a quarter of each side, short training"
    )
    parser.add_argument("--model", type=Path, help="folder of a model for rgb+dem")
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda or mps")
    parser.add_argument("--no-ordinary", action="store_true", help="skip the slow loops")
    options = parser.parse_args()
    shape = (980, 1024) if options.quick else (3920, 4096)
    settings = load_settings(options={"prediction.device": options.device}).settings
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = options.model or trained_model(folder / "t", 5 if options.quick else 240).folder
        for overviews in (True, False):
            place = folder / ("overviews" if overviews else "plain")
            files = write_scene(place, shape, 0.02, crs="EPSG:3857", overviews=overviews)
            ordinary = not options.no_ordinary and not overviews
            report(read_bundle(model), *files, settings, overviews=overviews, ordinary=ordinary)


def report(
    bundle: Bundle, orthophoto: Path, dem: Path, settings: Settings, *, overviews: bool,
    ordinary: bool,
) -> None:  # fmt: skip
    grid = orthophoto_grid(inspect_orthophoto(orthophoto), bundle.card.recipe.gsd_m, 3)
    megapixels = grid.height * grid.width / 1e6
    whole = time_command(bundle, orthophoto, dem, settings.prediction.device)
    rows: list[list[object]] = [["whole command", whole, megapixels / whole, 1.0]]

    def add(name: str, seconds: float) -> None:
        rows.append([name, seconds, megapixels / seconds, seconds / whole])

    for name, seconds in time_stages(bundle, orthophoto, dem, settings).items():
        add(name, seconds)
    if ordinary:
        from tools.ordinary import map_ordinarily

        for name, where in (("full resolution", own_grid(orthophoto, grid)), ("grid", grid)):
            stages = map_ordinarily(bundle, orthophoto, dem, where)
            graves = stages.pop("graves")
            add(f"ordinary loop, {name} ({graves} graves)", sum(stages.values()))
            for stage, seconds in stages.items():
                add(f"  of it {stage}", seconds)
    title = f"predict-cemetery, {megapixels:.2f} working Mpx, "
    title += f"{'with' if overviews else 'without'} overviews"
    print_table(title, ["stage", "seconds", "working Mpx/s", "relative"], rows)


def time_command(bundle: Bundle, orthophoto: Path, dem: Path, device: str) -> float:
    """Time the real command, after a warm-up run that fills the disk cache."""
    command = [sys.executable, "-c", CLI, "predict-cemetery", orthophoto, "--dem", dem]
    command += ["--model", bundle.folder, "--device", device, "--quiet"]
    for _ in range(2):
        start = time.perf_counter()
        subprocess.run(command, cwd=orthophoto.parent, check=True, capture_output=True)
    return time.perf_counter() - start


def time_stages(
    bundle: Bundle, orthophoto: Path, dem: Path, settings: Settings
) -> dict[str, float]:
    """Time each stage in this process, after all imports."""
    seconds: dict[str, float] = {}

    def lap(name: str, since: float) -> float:
        seconds[name] = time.perf_counter() - since
        return time.perf_counter()

    now = time.perf_counter()
    engine = Timed(open_engine(bundle, settings.prediction))
    now = lap("open the model", now)
    scene = open_scene(orthophoto, dem, bundle.card.recipe, 3)
    now = lap("build the grid, measure the DEM", now)
    probabilities = map_probabilities(scene, engine, settings.prediction)
    now = lap("map", now)
    seconds["  of it in the engine"] = engine.seconds
    decoding = bundle.card.decoding
    now = time.perf_counter()
    find_graves(probabilities, scene, decoding)
    now = lap("extract graves", now)
    result = extract_graves(probabilities, scene, decoding, settings, {})
    seconds[f"extract, regularise, measure {len(result.polygons)} graves"] = (
        time.perf_counter() - now
    )
    now = time.perf_counter()
    write_geopackage(result, orthophoto.with_suffix(".gpkg"))
    lap("write the GeoPackage", now)
    seconds["engine alone, tiles in memory"] = engine_alone(scene, engine, settings)
    return seconds


def engine_alone(scene: Scene, engine: Engine, settings: Settings) -> float:
    """Time the engine on all tiles after they have been read."""
    plan = plan_scene(scene, engine, settings.prediction)
    with reading_ahead(scene, plan.sections) as inputs:
        tiles = [found.tile_input(tile) for found in inputs for tile in found.tiles]
    size = plan.tiling.batch
    batches = [np.stack(tiles[start : start + size]) for start in range(0, len(tiles), size)]
    start = time.perf_counter()
    for batch in batches:
        engine.probabilities(batch)
    return time.perf_counter() - start


def own_grid(orthophoto: Path, grid: WorkingGrid) -> WorkingGrid:
    """Build a grid of the file's own pixels."""
    place = inspect_orthophoto(orthophoto).georeference
    pixel = place.transform.a
    return replace(
        grid,
        transform=Affine(pixel, 0, place.transform.c, 0, -pixel, place.transform.f),
        width=place.width,
        height=place.height,
        gsd_m=grid.gsd_m * pixel / grid.pixel_size,
    )


if __name__ == "__main__":
    main()
