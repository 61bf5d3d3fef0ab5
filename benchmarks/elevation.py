"""Does a DEM help? Accuracy with colours alone and with each elevation feature.

    python benchmarks/elevation.py                        # sample cemeteries
    python benchmarks/elevation.py --data teak --set grid.gsd_m=0.1 --steps 300

Every training has the same number of steps, so a busy machine changes only the duration. Finished
rows are written to a file; run the script again to compute the missing ones. The last rows map with
DEMs of which half, or nearly all, is missing.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

import rasterio

from grave_cli.dataset.training_data import plan_training
from grave_cli.evaluation.judgement import join_judgements
from grave_cli.evaluation.scorecard import Scorecard, fill_scorecard
from grave_cli.mapping.engine import open_engine
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.model.bundle import Bundle
from grave_cli.sample_data.write import write_sample_data
from grave_cli.settings.load import load_settings
from grave_cli.settings.tree import Settings
from grave_cli.tracking.models import resolve_model
from grave_cli.training.judged_part import judge_part
from grave_cli.training.trainer import run_training

FEATURES = ("height", "slope", "zscore", "robust_zscore", "percentile")
STEPS_PER_EPOCH = 50
DROPOUT = 0.15  # share of training chips whose heights are removed
MISSING = (0.0, 0.5, 0.95)  # share of the DEM that is removed


def main() -> None:
    options = parse_options()
    with tempfile.TemporaryDirectory(prefix="gravecli-elevation-") as scratch:
        data = options.data or make_samples(Path(scratch))
        for channels, features, dropout, seed in wanted(options):
            key = f"{channels} {','.join(features)} dropout {dropout:g} seed {seed}"
            if key in read_rows(options.out):
                continue
            settings = settings_for(options, data, Path(scratch), channels, features, dropout, seed)
            bundle = resolve_model(run_training(settings).run_id, settings).bundle
            row = {"key": key, "name": f"{channels} {','.join(features)}".strip(), "scores": {}}
            for missing in MISSING if seed == 0 and features == ("height",) else MISSING[:1]:
                card = score(bundle, settings, Path(scratch), missing)
                row["scores"][str(missing)] = [card.at_50.f1, card.at_75.f1, card.mean_f1]
            row["dropout"] = dropout
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(key, row["scores"], flush=True)
        rows = read_rows(options.out).values()
        report(rows)
        if options.picture:
            draw(rows, options.picture)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="data folder; default: sample cemeteries")
    parser.add_argument("--steps", type=int, default=250, help="steps of each training")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of rgb and of height")
    parser.add_argument(
        "--out", type=Path, default=Path("elevation.jsonl"), help="file of finished rows"
    )
    parser.add_argument("--picture", type=Path, help="PNG of the results to write")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="change a setting",
    )
    return parser.parse_args()


def make_samples(scratch: Path) -> Path:
    write_sample_data(scratch / "data", cemeteries=5, size_m=40, seed=7)
    return scratch / "data"


def wanted(options: argparse.Namespace) -> Iterator[tuple[str, tuple[str, ...], float, int]]:
    """List the trainings (channels, features, DEM dropout, seed), the most informative first.

    The best of the other features at the first seed is also trained with the other seeds.
    """
    for seed in range(options.seeds):
        yield "rgb", (), DROPOUT, seed
        yield "rgb+dem", ("height",), DROPOUT, seed
        if seed == 0:
            yield "rgb+dem", ("height",), 0.0, seed
            yield from (("rgb+dem", (name,), DROPOUT, seed) for name in FEATURES[1:])
        else:
            yield "rgb+dem", (best_other(read_rows(options.out)),), DROPOUT, seed


def best_other(rows: dict[str, dict]) -> str:
    scores = {
        name: rows[f"rgb+dem {name} dropout {DROPOUT:g} seed 0"]["scores"]["0.0"][0]
        for name in FEATURES[1:]
    }
    return max(scores, key=lambda name: scores[name])


def settings_for(
    options: argparse.Namespace,
    data: Path,
    scratch: Path,
    channels: str,
    features: tuple[str, ...],
    dropout: float,
    seed: int,
) -> Settings:
    chosen = {
        "data.root": data,
        "data.channels": channels,
        "work_dir": scratch / "runs",
        "chips.dem_dropout": dropout,
        "chips.per_epoch": STEPS_PER_EPOCH * 4,
        "training.epochs": options.steps // STEPS_PER_EPOCH,
        "training.patience": 0,
        "training.seed": seed,
        "tracking.samples": 0,
        "elevation.features": features or None,
    }
    return load_settings(None, options.set, chosen, environ={}).settings


def score(bundle: Bundle, settings: Settings, scratch: Path, missing: float) -> Scorecard:
    engine = open_engine(bundle, settings.prediction)
    judgements = []
    for part in plan_training(settings).final:
        cemetery = part.part.cemetery
        dem = cemetery.dem if bundle.card.recipe.elevation is not None else None
        if dem is not None and missing:
            dem = without_part(dem, missing, scratch / "holed.tif")
        result = predict_cemetery(cemetery.orthophoto, dem, bundle, engine, settings)
        judgements.append(judge_part(part, result.polygons))
    return fill_scorecard(join_judgements(judgements))


def without_part(dem: Path, missing: float, path: Path) -> Path:
    """Copy a DEM and remove the heights of its lower rows."""
    with rasterio.open(dem) as source:
        profile, heights = source.profile | {"nodata": -9999.0}, source.read()
    heights[:, round(heights.shape[1] * (1 - missing)) :] = -9999.0
    with rasterio.open(path, "w", **profile) as target:
        target.write(heights)
    return path


def read_rows(path: Path) -> dict[str, dict]:
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return {row["key"]: row for row in map(json.loads, lines)}


def report(rows: Collection[dict]) -> None:
    print(f"{'':44}{'F1@0.5':>9}{'F1@0.75':>9}{'mean F1':>9}   F1@0.5 min max (seeds)")
    for title, scores in by_title(rows).items():
        means = "".join(f"{statistics.mean(values):9.3f}" for values in zip(*scores, strict=True))
        firsts = [score[0] for score in scores]
        print(f"{title:44}{means}   {min(firsts):.3f} {max(firsts):.3f} ({len(firsts)})")


def draw(rows: Collection[dict], path: Path) -> None:
    """Plot each training's F1 as a dot, and the mean of its seeds as a line."""
    from matplotlib.figure import Figure

    found = by_title(rows)
    figure = Figure((8, 0.6 + 0.32 * len(found)), layout="constrained")
    axes = figure.subplots()
    for place, scores in enumerate(found.values()):
        firsts = [score[0] for score in scores]
        axes.plot(firsts, [place] * len(firsts), "o", color="tab:blue", alpha=0.6)
        axes.plot([statistics.mean(firsts)], [place], "|", color="black", markersize=16)
    axes.set_yticks(range(len(found)), found)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("object F1 at IoU 0.5, a dot for each seed")
    figure.savefig(path, dpi=100)


def by_title(rows: Collection[dict]) -> dict[str, list[list[float]]]:
    """Collect F1@0.5, F1@0.75 and mean F1 of each seed, by training and DEM."""
    found: dict[str, list[list[float]]] = {}
    for row in rows:
        for missing, scores in row["scores"].items():
            title = row["name"] + ("" if row["dropout"] else ", no DEM dropout")
            title += f", {float(missing):.0%} of DEM missing" if float(missing) else ""
            found.setdefault(title, []).append(scores)
    return found


if __name__ == "__main__":
    main()
