"""Fine-tuning on few cemeteries: each start of a training, tested on the cemetery left out.

    python benchmarks/fine_tuning.py --data data --out tuned.jsonl --seeds 0 1 2
    python benchmarks/fine_tuning.py --data data --out tuned.jsonl --starts starter --scenes 1

The budget of a training is a number of chips, so that a busy machine changes nothing: two quiet
cores take about 7 a second. Each training and its scores become a line of the file --out; a second
call computes what is missing.
"""

import argparse
import json
import tempfile
from itertools import combinations
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from tools.errors import KINDS, error_kinds
from tools.table import print_table

from grave_cli.dataset.manifest import read_manifest
from grave_cli.dataset.training_data import plan_training
from grave_cli.evaluation.judgement import join_judgements
from grave_cli.evaluation.scorecard import fill_scorecard
from grave_cli.mapping.engine import open_engine
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.settings.load import load_settings
from grave_cli.settings.tree import Settings
from grave_cli.tracking.models import resolve_model
from grave_cli.training.judged_part import judge_part
from grave_cli.training.trainer import run_training

PER_EPOCH = 150
SCORES = ("object_f1", "object_f1_75", "corner_cm")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of three or more cemeteries"
    )
    parser.add_argument("--out", type=Path, required=True, help="file of results, JSON lines")
    parser.add_argument("--starts", nargs="+", default=["starter", "imagenet"], help="model.start")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--chips", type=int, default=900, help="chips of each training")
    parser.add_argument("--tests", nargs="+", default=[], help="cemeteries left out; default: each")
    parser.add_argument(
        "--scenes", type=int, default=0, help="cemeteries to train on; 0: all others"
    )
    parser.add_argument("--channels", default="rgb+dem", help="rgb or rgb+dem")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--keep", type=Path, help="folder for the trained models; default: none")
    given = parser.parse_args()
    for seed in given.seeds:
        for train, test in folds(given.data, given.scenes, given.tests):
            for start in given.starts:
                compute(given, start, seed, train, test)
    report(given)


def folds(root: Path, scenes: int, tests: list[str]) -> list[tuple[tuple[str, ...], str]]:
    names = [cemetery.name for cemetery in read_manifest(root).cemeteries]
    return [
        (train, test)
        for test in tests or names
        for train in combinations([n for n in names if n != test], scenes or len(names) - 1)
    ]


def key_of(given: argparse.Namespace, start: str, seed: int) -> dict[str, Any]:
    return {
        "start": start,
        "data": given.data.name,
        "chips": given.chips,
        "channels": given.channels,
        "set": given.set,
        "scenes": given.scenes,
        "seed": seed,
    }


def results(given: argparse.Namespace) -> list[dict[str, Any]]:
    if not given.out.exists():
        return []
    return [json.loads(line) for line in given.out.read_text(encoding="utf-8").splitlines()]


def compute(
    given: argparse.Namespace, start: str, seed: int, train: tuple[str, ...], test: str
) -> None:
    key = key_of(given, start, seed) | {"train": list(train), "test": test}
    if any(key.items() <= result.items() for result in results(given)):
        return
    name = f"{start}-{test}-{len(train)}-{given.chips}-{seed}"
    with tempfile.TemporaryDirectory(prefix="gravecli-fine-tuning-") as scratch:
        chosen = {
            "data.root": given.data,
            "data.channels": given.channels,
            "data.train": train,  # all of them train, and strips of them validate
            "data.test": (test,),
            "work_dir": given.keep / name if given.keep else Path(scratch),
            "model.start": start,
            "training.seed": seed,
            "chips.per_epoch": PER_EPOCH,
            "training.epochs": max(1, given.chips // PER_EPOCH),
            "training.patience": 0,
            "tracking.samples": 0,
            "tracking.registered_model": "",
        }
        settings = load_settings(None, given.set, chosen, environ={}).settings
        trained = run_training(settings)
        scores = score(trained.run_id, settings)
    line = json.dumps(key | {"epochs": trained.epochs} | scores)
    print(line, flush=True)
    with given.out.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def score(run_id: str, settings: Settings) -> dict[str, Any]:
    bundle = resolve_model(run_id, settings).bundle
    engine = open_engine(bundle, settings.prediction)
    judgements = []
    for part in plan_training(settings).final:
        cemetery = part.part.cemetery
        dem = cemetery.dem if bundle.card.recipe.elevation is not None else None
        result = predict_cemetery(cemetery.orthophoto, dem, bundle, engine, settings)
        judgements.append(judge_part(part, result.polygons, result.column("confidence")))
    whole = join_judgements(judgements)
    metrics = fill_scorecard(whole).metrics()
    errors = dict(zip(KINDS, error_kinds(whole), strict=True))
    # Without a matched rectangle there is no distance of corners.
    return {name: metrics.get(name, float("nan")) for name in SCORES} | errors


def report(given: argparse.Namespace) -> None:
    """Print each fold's mean over the seeds, and the mean and spread over all trainings."""
    rows: list[list[object]] = []
    for start in given.starts:
        keys = [key_of(given, start, seed) for seed in given.seeds]
        found = [r for r in results(given) for key in keys if key.items() <= r.items()]
        for test in sorted({result["test"] for result in found}):
            own = [result for result in found if result["test"] == test]
            rows.append(row(start, test, own))
        rows.append(row(start, "all", found))
    columns = ["start", "tested on", "trainings", "F1@0.5", "±", "F1@0.75", "corners, cm", *KINDS]
    print_table(f"{given.data.name}, {given.chips:,} chips a training", columns, rows)


def row(start: str, test: str, found: list[dict[str, Any]]) -> list[object]:
    values = {name: [result[name] for result in found] for name in (*SCORES, *KINDS)}
    spread = stdev(values["object_f1"]) if len(found) > 1 else 0.0
    means = {name: mean(numbers) for name, numbers in values.items()}
    first, *others = (means[name] for name in SCORES)
    return [start, test, len(found), first, spread, *others, *(means[name] for name in KINDS)]


if __name__ == "__main__":
    main()
