"""Accuracy and speed of several networks after the same training time.

    python benchmarks/networks.py                         # sample cemeteries, 5 minutes a training
    python benchmarks/networks.py --data data --train a b --test c

A slow network gets fewer steps in that time. Each is tested on cemeteries that training never saw.
Speeds are from the same run: chips per second of the training, and working Mpx per second of the
engine. Trainings run one after the other; run nothing else meanwhile.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import Variant, describe, full_settings, option_parser, score
from tools.table import print_table

from grave_cli.dataset.training_data import plan_training
from grave_cli.mapping.engine import open_engine
from grave_cli.model.bundle import Bundle
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.tracking.models import resolve_model
from grave_cli.tracking.store import open_client
from grave_cli.training.trainer import run_training

WIDTHS = "model.decoder_channels"
NETWORKS: dict[str, dict[str, Any]] = {
    "decoder 32 to 8": {WIDTHS: (32, 24, 16, 12, 8)},
    "decoder 64 to 16 (default)": {},
    "decoder 128 to 16": {WIDTHS: (128, 96, 64, 32, 16)},
    "fpn": {"model.architecture": "fpn"},
}
TILE_PX = 576


def main() -> None:
    options = option_parser(__doc__, minutes=5.0).parse_args()
    with tempfile.TemporaryDirectory(prefix="gravecli-networks-") as scratch:
        settings = full_settings(options, Path(scratch))
        plan = plan_training(settings)
        print(f"data set {plan.dataset_id}: {describe(plan)}; {options.minutes:g} minutes each")
        rows: list[list[object]] = []
        for name, changes in NETWORKS.items():
            chosen = with_values(settings, changes)
            run_id = run_training(chosen).run_id
            bundle = resolve_model(run_id, chosen).bundle
            card, _ = score(bundle, plan, chosen, Variant())
            speeds = chips_per_second(run_id, chosen), engine_speed(bundle, chosen)
            rows.append([name, megabytes(bundle), *speeds, card.at_50.f1, card.at_75.f1])
    columns = ["network", "MB", "chips/s", "Mpx/s", "F1@0.5", "F1@0.75"]
    print_table("Networks after the same time", columns, rows)


def megabytes(bundle: Bundle) -> float:
    return bundle.onnx.stat().st_size / 1e6


def chips_per_second(run_id: str, settings: Settings) -> float:
    found = open_client(settings).get_metric_history(run_id, "samples_per_second")
    return statistics.median(metric.value for metric in found)


def engine_speed(bundle: Bundle, settings: Settings) -> float:
    engine = open_engine(bundle, settings.prediction)
    tile = np.zeros((1, bundle.card.recipe.channel_count, TILE_PX, TILE_PX), np.float32)
    engine.probabilities(tile)
    start = time.perf_counter()
    for _ in range(5):
        engine.probabilities(tile)
    return 5 * TILE_PX**2 / 1e6 / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
