r"""Train a starter model on generated cemeteries alone, and judge it on scenes it has never seen.

Each stage continues where an earlier run stopped: generate writes varied scenes (and, with --real,
generated things and graves on real ground), train trains one network for rgb+dem that also serves
without a DEM, refine goes on with a third of the scenes and more real ground. Then --judge maps
other data folders, and --ship writes the model into the package.

    python benchmarks/starter.py --out build/starter --minutes 60 --real DATA
    python benchmarks/starter.py --out build/starter --scenes 576 --variants 3 --minutes 4 \
        --real DATA --set chips.batch_size=16 --set chips.per_epoch=8192  # a GPU
    python benchmarks/starter.py --out build/starter --judge DATA/field
    python benchmarks/starter.py --out build/starter --ship
    python benchmarks/starter.py --out /tmp/try --scenes 8 --minutes 1 --quick
"""

import argparse
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from tools.errors import KINDS, error_kinds
from tools.real_ground import Square, read_square, real_squares
from tools.settling import settle
from tools.shipping import ship
from tools.table import print_table

from grave_cli.dataset.manifest import read_manifest
from grave_cli.dataset.plans import plan_parts
from grave_cli.dataset.splits import Part
from grave_cli.dataset.training_data import plan_training
from grave_cli.errors import TrackingError
from grave_cli.evaluation.judgement import join_judgements
from grave_cli.evaluation.scorecard import fill_scorecard
from grave_cli.mapping.engine import open_engine
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.model import shipped
from grave_cli.model.bundle import Bundle
from grave_cli.sample_data.scenes.composite import composite
from grave_cli.sample_data.scenes.scene import make_scene_with_graves
from grave_cli.sample_data.variety.settings import Sun
from grave_cli.sample_data.write import write_scene
from grave_cli.settings.load import load_settings, with_values
from grave_cli.settings.tree import Settings
from grave_cli.tracking.models import resolve_model
from grave_cli.tracking.resuming import find_unfinished
from grave_cli.training.judged_part import judge_part
from grave_cli.training.trainer import run_training

RUN, REFINED, SETTLED = "starter-training", "starter-refined", "settled"
SIZE_M = 26.0
TRAIN_SEED, VAL_SEED, REAL_SEED = 1001, 2002, 3003
MOST_VAL = 48  # more would take longer than they tell
MIN_AREA_M2 = 0.2  # the search finds 0.3, which would drop urn graves
SHIPPED = Path(shipped.__file__).parent / "starter"
# Figures of the shipped model; `--judge` prints those of another.
ABOUT = {
    "seen": "576 generated scenes of 26 m (seed 1001, variety 1, all presets but headstone-plots; "
    "68 of them without graves), 81 scenes made from real ground (a park, a suburb of Kampala, "
    "forest), 14 squares of real ground as it is; at 4 cm per pixel, half of the time without "
    "elevation",
    "not seen": "any real grave; snow, night, oblique or thermal pictures; headstones outlined "
    "with their plot",
    "expect": "On three simulated cemeteries of another kind it found 94 % of the graves, and 88 % "
    "of its outlines were graves (object F1 0.85, 0.91, 0.94); no real cemetery has been measured.",
    "licence": "MIT, as gravecli",
    "sources": "encoder: tf_efficientnet_lite0 weights of ImageNet (Apache-2.0); textures: "
    "photographs of scikit-image (CC0); real ground: Brighton Beach drone data set, copyright 2017 "
    "Piero Toffanin (BSD-2-Clause), OpenAerialMap imagery of Kampala (CC BY 4.0), NEON plots by "
    "DeepForest (MIT)",
}
# The photographs in DATA/ground: shadows fall to the north-east.
SUN = Sun(220.0, 50.0, 1.0, (0.33, 0.35, 0.50), 0.03)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of scenes and runs")
    parser.add_argument("--scenes", type=int, default=320, help="generated scenes to train on")
    parser.add_argument("--minutes", type=float, default=60, help="duration of the training")
    parser.add_argument(
        "--refine", type=float, default=15, help="minutes of the second training; 0: none"
    )
    parser.add_argument("--real", type=Path, help="folder with real ground: ground/, kampala/, …")
    parser.add_argument("--variants", type=int, default=1, help="scenes made from each real square")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--scenes-only", action="store_true", help="generate, and train nothing")
    parser.add_argument("--judge", type=Path, nargs="+", default=[], help="data folders to map")
    parser.add_argument("--model", help="model to judge or ship; default: the one trained here")
    parser.add_argument("--ship", action="store_true", help="write the model into the package")
    parser.add_argument("--quick", action="store_true", help="tiny chips, to try the script")
    given = parser.parse_args()
    data = given.out / "data"
    settings = starter_settings(data, given)
    if not given.judge and not given.ship:
        generate(data, given)
        if given.scenes_only:
            return
        print_model(train(settings, RUN))
        if refines(given):
            settings = refined_settings(settings, given)
            print_model(train(settings, REFINED))
        print_model(keep_small_graves(settings, given))
    bundle = resolve_model(given.model or str(given.out / SETTLED), settings).bundle
    if given.ship:
        print_model(ship(bundle, SHIPPED, ABOUT))
    if given.judge:
        rows = [row for root in given.judge for row in judge(root, bundle, settings)]
        columns = ["data", "DEM", "graves", "F1@0.5", "F1@0.75", "corners, cm", "false per ha"]
        columns += KINDS
        print_table("Starter model on scenes it has never seen", columns, rows)
    if given.judge and given.real:
        columns = ["real ground", "DEM", "graves drawn", "hectares", "false per ha"]
        rows = list(false_graves(given.real, bundle, settings))
        print_table("Starter model on real ground that it has not been trained on", columns, rows)


def refines(given: argparse.Namespace) -> bool:
    return bool(given.real and given.refine)


def starter_settings(data: Path, given: argparse.Namespace) -> Settings:
    """Half of the chips have no heights, so that one network serves with and without a DEM."""
    chosen = {
        "data.root": data,
        "data.channels": "rgb+dem",
        "work_dir": given.out / "runs",
        "model.start": "imagenet",
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
    for assignment in given.set:
        chosen.pop(assignment.partition("=")[0], None)
    return load_settings(None, given.set, chosen, environ={}).settings


def generate(data: Path, given: argparse.Namespace) -> None:
    """Write the scenes that are not there yet, in one process per core."""
    jobs: list[tuple[Any, ...]] = [
        (write_generated, f"train_{i:04d}", TRAIN_SEED, i) for i in range(given.scenes)
    ]
    val = max(4, min(MOST_VAL, given.scenes // 8))
    jobs += [(write_generated, f"val_{i:03d}", VAL_SEED, i) for i in range(val)]
    for path, squares in (real_squares(given.real, SIZE_M) if given.real else {}).items():
        for square in (square for square in squares if square.trains):
            jobs.append((write_plain, square.name, path, square))
            jobs += [
                (write_composite, f"{square.name}_{preset}_{variant}", path, square, variant)
                for preset in ("negatives", "all")
                for variant in range(given.variants)
            ]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for _ in pool.map(partial(write_missing, data), jobs, chunksize=4):
            pass


def write_missing(data: Path, job: tuple[Any, ...]) -> None:
    write, name, *details = job
    if not any((folder / f"{name}.tif").exists() for folder in orthophoto_folders(data)):
        write(data, name, *details)


def write_composite(data: Path, name: str, path: Path, square: Square, variant: int) -> None:
    """Place things, or things and graves, on a square of real ground."""
    preset = name.split("_")[-2]
    seed = [REAL_SEED, square.number, variant] if variant else [REAL_SEED, square.number]
    made = composite(seed, read_square(path, square), square.gsd_m, SUN, preset=preset)
    # No grave fits onto some pictures, and some scenes are made without a DEM.
    if made.is_ground or (made.graves and made.surface is not None):
        write_scene(data, name, made)


def orthophoto_folders(data: Path) -> tuple[Path, Path]:
    return data / "orthophotos", data / "ground" / "orthophotos"


def write_generated(data: Path, name: str, seed: int, index: int) -> None:
    write_scene(data, name, make_scene_with_graves([seed, index], "all", SIZE_M))


def refined_settings(settings: Settings, given: argparse.Namespace) -> Settings:
    """Go on with fewer generated scenes, so that real ground without graves counts for more."""
    data = given.out / "refined"
    for source in sorted(settings.data.root.rglob("*")):
        path = source.relative_to(settings.data.root)
        kind, _, number = path.stem.partition("_")
        is_generated_ground = path.parts[0] == "ground" and kind in ("train", "val")
        is_left_out = kind == "train" and int(number) % 3 > 0
        target = data / path
        if source.is_file() and not (is_generated_ground or is_left_out or target.exists()):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(source)
    chosen = {
        "data.root": data,
        "model.start": RUN,
        "chips.per_epoch": 16 if given.quick else 1024,
        "chips.revisit_share": 0.3,
        "training.learning_rate": 7e-4,
        "training.fine_tuning_factor": 1.0,
        "training.max_time_s": given.refine * 60,
    }
    return with_values(settings, chosen)


def write_plain(data: Path, name: str, path: Path, square: Square) -> None:
    """Write a square of real ground as it is, without elevation."""
    target = data / "ground" / "orthophotos" / f"{name}.tif"
    target.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.moveaxis(read_square(path, square), -1, 0)
    with rasterio.open(path) as file:
        profile = file.profile | {
            "height": square.window.height,
            "width": square.window.width,
            "transform": file.window_transform(square.window),
        }
    with rasterio.open(target, "w", **profile) as file:
        file.write(pixels)


def train(settings: Settings, name: str) -> Bundle:
    try:
        left = find_unfinished(name, settings)
    except TrackingError:  # none was left
        left = None
    began = time.monotonic()
    result = run_training(with_lists(settings), name=name, unfinished=left)
    chips = result.epochs * settings.chips.per_epoch
    print(f"{name}: {chips:,} chips, {time.monotonic() - began:.0f} s with scores", flush=True)
    return resolve_model(name, settings).bundle


def with_lists(settings: Settings) -> Settings:
    """List the cemeteries to train on: without a list, a fifth would be kept for testing."""
    names = sorted(path.stem for path in settings.data.root.glob("orthophotos/*.tif"))
    val = tuple(name for name in names if name.startswith("val_"))
    split = {"val": val, "train": tuple(name for name in names if name not in val)}
    return settings.model_copy(update={"data": settings.data.model_copy(update=split)})


def keep_small_graves(settings: Settings, given: argparse.Namespace) -> Bundle:
    """Settle the trained model with a smallest area that urn graves pass."""
    bundle = resolve_model(REFINED if refines(given) else RUN, settings).bundle
    area = min(MIN_AREA_M2, bundle.card.decoding.min_area_m2)
    val = plan_training(with_lists(settings)).split("val")
    return settle(bundle, area, val, settings, given.out / SETTLED)


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
            cemetery = plan.part.cemetery
            dem = cemetery.dem if with_dem else None
            result = predict_cemetery(cemetery.orthophoto, dem, bundle, engine, settings)
            judged = judge_part(plan, result.polygons, result.column("confidence"))
            hectares = plan.grid.megapixels * plan.grid.gsd_m**2 * 100
            judgements.append(judged)
            yield row(plan.part.name, with_dem, [judged], hectares)
        if len(judgements) > 1:
            yield row(f"{root.name}, all graves", with_dem, judgements, float("nan"))


def false_graves(real: Path, bundle: Bundle, settings: Settings) -> Iterator[list[object]]:
    """Count the graves drawn on real ground without any, in the squares that did not train."""
    engine = open_engine(bundle, settings.prediction)
    counts: dict[tuple[str, str], list[float]] = {}
    for path, squares in real_squares(real, SIZE_M).items():
        folder = path.parent.parent
        dem = folder / "dems" / path.name
        for heights in (None, dem) if dem.exists() else (None,):
            result = predict_cemetery(path, heights, bundle, engine, settings)
            centres = shapely.centroid(result.polygons)
            count = counts.setdefault((folder.name, "yes" if heights else "no"), [0, 0.0])
            for square in squares:
                if not square.trains:
                    count[0] += int(shapely.intersects(shapely.box(*square.bounds), centres).sum())
                    count[1] += SIZE_M**2 / 10_000
    for (name, with_dem), (graves, hectares) in counts.items():
        yield [name, with_dem, graves, hectares, graves / hectares]


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
        scores.get("corner_cm", float("nan")),  # without a matched rectangle
        false / hectares,
        *error_kinds(whole),
    ]


if __name__ == "__main__":
    main()
