"""Train a starter model on generated cemeteries alone, and judge it on scenes it has never seen.

Three stages, each of which continues where an earlier run stopped: generate writes varied scenes
(and, with --real, real ground without graves and generated graves on it), train trains one network
for rgb+dem that also serves without a DEM, judge maps other data folders.

    python benchmarks/starter.py --out build/starter --minutes 60 --real ../shared/data
    python benchmarks/starter.py --out build/starter --judge ../shared/data/field
    python benchmarks/starter.py --out /tmp/try --scenes 8 --minutes 1 --quick
"""

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window
from tools.table import print_table

from grave_cli.dataset.manifest import Cemetery, read_manifest
from grave_cli.dataset.plans import plan_parts
from grave_cli.dataset.splits import Part
from grave_cli.errors import TrackingError
from grave_cli.evaluation.judgement import join_judgements
from grave_cli.evaluation.scorecard import fill_scorecard
from grave_cli.mapping.engine import open_engine
from grave_cli.mapping.extract_graves import extract_graves
from grave_cli.mapping.predict_cemetery import mapped_scene
from grave_cli.mapping.result import PredictionResult
from grave_cli.mapping.scene import open_scene
from grave_cli.model.bundle import Bundle
from grave_cli.sample_data.scenes.composite import composite
from grave_cli.sample_data.scenes.scene import make_scene_with_graves
from grave_cli.sample_data.variety.settings import Sun
from grave_cli.sample_data.write import write_scene
from grave_cli.settings.load import load_settings
from grave_cli.settings.tree import Settings
from grave_cli.tracking.models import resolve_model
from grave_cli.tracking.resuming import find_unfinished
from grave_cli.training.judged_part import judge_part
from grave_cli.training.trainer import run_training

RUN = "starter-training"
SIZE_M = 26.0
TRAIN_SEED, VAL_SEED, REAL_SEED = 1001, 2002, 3003
# The photographs of shared/data/ground: shadows fall to the north-east.
SUN = Sun(220.0, 50.0, 1.0, (0.33, 0.35, 0.50), 0.03)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of scenes and runs")
    parser.add_argument("--scenes", type=int, default=320, help="generated scenes to train on")
    parser.add_argument("--minutes", type=float, default=60, help="duration of the training")
    parser.add_argument("--real", type=Path, help="folder with real ground: ground/, kampala/, …")
    parser.add_argument("--judge", type=Path, nargs="+", default=[], help="data folders to map")
    parser.add_argument("--quick", action="store_true", help="tiny chips, to try the script")
    given = parser.parse_args()
    data = given.out / "data"
    settings = starter_settings(data, given)
    if not given.judge:
        generate(data, given.scenes, given.real)
        print_model(train(settings))
    bundle = resolve_model(RUN, settings).bundle
    rows = [row for root in given.judge for row in judge(root, bundle, settings)]
    columns = ["data", "DEM", "graves", "object F1", "F1@0.75", "corners, cm", "false per ha"]
    if rows:
        print_table("Starter model on scenes it has never seen", columns, rows)


def starter_settings(data: Path, given: argparse.Namespace) -> Settings:
    """Half of the chips have no heights, so that one network serves with and without a DEM."""
    chosen = {
        "data.root": data,
        "data.channels": "rgb+dem",
        "work_dir": given.out / "runs",
        "chips.dem_dropout": 0.5,
        # A validation of all scenes takes a minute: one after every 4,096 chips.
        "chips.per_epoch": 16 if given.quick else 2048,
        "training.validate_every": 2,
        "chips.size_px": 64 if given.quick else 256,
        "training.epochs": 10_000,
        "training.patience": 0,
        "training.max_time_s": given.minutes * 60,
        "training.monitor": "val/object_f1",
        "tracking.registered_model": "",
    }
    return load_settings(options=chosen, environ={}).settings


def generate(data: Path, scenes: int, real: Path | None) -> None:
    """Write the scenes that are not there yet, in one process per core."""
    jobs = [(f"train_{i:04d}", TRAIN_SEED, i) for i in range(scenes)]
    jobs += [(f"val_{i:03d}", VAL_SEED, i) for i in range(max(4, scenes // 8))]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for _ in pool.map(partial(write_generated, data), jobs, chunksize=4):
            pass
    for number, (name, pixels, gsd_m) in enumerate(real_squares(real) if real else ()):
        if number % 2:  # the other half is kept for judging
            continue
        for preset in ("negatives", "all"):
            path = data / "ground" / "orthophotos" / f"{name}_{preset}.tif"
            if path.exists() or (data / "orthophotos" / path.name).exists():
                continue
            made = composite([REAL_SEED, number], pixels, gsd_m, SUN, preset=preset)
            # No grave fits onto some pictures, and some scenes are made without a DEM.
            if made.is_ground or (made.graves and made.surface is not None):
                write_scene(data, path.stem, made)


def write_generated(data: Path, job: tuple[str, int, int]) -> None:
    name, seed, index = job
    folders = (data / "orthophotos", data / "ground" / "orthophotos")
    if not any((folder / f"{name}.tif").exists() for folder in folders):
        write_scene(data, name, make_scene_with_graves([seed, index], "all", SIZE_M))


def real_squares(real: Path) -> Iterator[tuple[str, np.ndarray, float]]:
    """Cut real pictures of ground into squares of the scenes' size: name, pixels, GSD."""
    for folder in ("ground", "kampala", "teak"):
        for path in sorted((real / folder / "orthophotos").glob("*.tif")):
            with rasterio.open(path) as file:
                edge = round(SIZE_M / file.res[0])
                for row in range(0, file.height - edge + 1, edge):
                    for column in range(0, file.width - edge + 1, edge):
                        pixels = file.read(window=Window(column, row, edge, edge))
                        if pixels.shape[0] < 4 or pixels[3].all():
                            name = f"{folder}_{path.stem}_{row}_{column}"
                            yield name, np.moveaxis(pixels, 0, -1), file.res[0]


def train(settings: Settings) -> Bundle:
    try:
        start = find_unfinished(RUN, settings)
    except TrackingError:  # none was left
        start = None
    names = sorted(path.stem for path in settings.data.root.glob("orthophotos/*.tif"))
    val = tuple(name for name in names if name.startswith("val_"))
    # Everything else is trained on: without a list, a fifth would be kept for testing.
    split = {"val": val, "train": tuple(name for name in names if name not in val)}
    lists = {"data": settings.data.model_copy(update=split)}
    run_training(settings.model_copy(update=lists), name=RUN, start=start)
    return resolve_model(RUN, settings).bundle


def print_model(bundle: Bundle) -> None:
    rows: list[list[object]] = [[name, value] for name, value in bundle.card.metrics.items()]
    print_table(f"Starter model {bundle.folder}", ["score on its own validation", "value"], rows)


def judge(root: Path, bundle: Bundle, settings: Settings) -> Iterator[list[object]]:
    """Map the cemeteries of a folder, each with and without its DEM, and score them."""
    manifest = read_manifest(root)
    chosen = load_settings(options={"data.root": root}, environ={}).settings
    engine = open_engine(bundle, settings.prediction)
    for with_dem in (True, False):
        judgements = []
        for plan in plan_parts([Part(one, "test") for one in manifest.cemeteries], chosen):
            if with_dem and plan.part.cemetery.dem is None:
                continue
            result = map_graves(plan.part.cemetery, with_dem, bundle, engine, settings)
            judged = judge_part(plan, result.polygons, result.column("confidence"))
            hectares = plan.grid.megapixels * plan.grid.gsd_m**2 * 100
            judgements.append(judged)
            yield row(plan.part.name, with_dem, [judged], hectares)
        if len(judgements) > 1:
            yield row(f"{root.name}, all graves", with_dem, judgements, float("nan"))


def map_graves(cemetery: Cemetery, with_dem: bool, bundle, engine, settings) -> PredictionResult:  # type: ignore[no-untyped-def]
    dem = cemetery.dem if with_dem else None
    card = bundle.card
    scene = open_scene(cemetery.orthophoto, dem, card.recipe, settings.grid.max_upsampling)
    with mapped_scene(scene, bundle, engine, settings) as probabilities:
        return extract_graves(
            probabilities, scene, card.decoding, settings, {}, calibration=card.calibration
        )


def row(name: str, with_dem: bool, judgements: list, hectares: float) -> list[object]:
    whole = join_judgements(judgements)
    scores = fill_scorecard(whole).metrics()
    false = whole.scores[0].predictions - whole.scores[0].matches
    return [
        name,
        "yes" if with_dem else "no",
        whole.scores[0].truths,
        scores["object_f1"],
        scores["object_f1_75"],
        scores["corner_cm"],
        false / hectares,
    ]


if __name__ == "__main__":
    main()
