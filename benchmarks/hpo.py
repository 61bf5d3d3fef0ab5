"""The overhead of a study: a trial against a training alone.

Trials of one epoch each against the same number of trainings with the same settings. All are
recorded in MLflow, none has a final score. Reports the seconds of each trial, and the pause between
the end of one trial's run and the start of the next.

    python benchmarks/hpo.py [--quick]
"""

import argparse
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import mean

from tools.table import print_table

from grave_cli.dataset.training_data import plan_training, read_training_data
from grave_cli.sample_data.write import write_sample_data
from grave_cli.settings.load import load_settings
from grave_cli.settings.tree import Settings
from grave_cli.tracking.store import all_runs, experiment_id, open_client
from grave_cli.training.trainer import run_training
from grave_cli.tuning.study import StudyRequest, run_study

SPACE = "hpo.studies.bench.search_space"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two trials with small chips")
    quick = parser.parse_args().quick
    trials = 2 if quick else 8
    with tempfile.TemporaryDirectory() as name:
        write_sample_data(Path(name, "data"), cemeteries=3, size_m=20)
        options = {
            "data.root": Path(name, "data"),
            "work_dir": Path(name, "runs"),
            "training.epochs": 1,
            "chips.per_epoch": 8 if quick else 64,
            "chips.size_px": 64 if quick else 256,
            SPACE: {"training.learning_rate": {"low": 0.00099, "high": 0.001}},
        }
        settings = load_settings(options=options, environ={}).settings
        data = read_training_data(plan_training(settings), settings)
        run_training(settings, data, finish=False)  # warm-up: imports, creates the stores
        start = time.perf_counter()
        for _ in range(trials):
            run_training(settings, data, finish=False)
        alone = (time.perf_counter() - start) / trials
        start = time.perf_counter()
        run_study(settings, StudyRequest("bench", trials=trials))
        studied = (time.perf_counter() - start) / trials
        pauses = pauses_between_trials(settings)
    rows: list[list[object]] = [
        ["training alone", alone, 1.0],
        ["trial of a study", studied, studied / alone],
        ["overhead", studied - alone, (studied - alone) / alone],
        ["pause between trials, mean", mean(pauses), mean(pauses) / alone],
        ["pause between trials, longest", max(pauses), max(pauses) / alone],
    ]
    print_table("Studies", ["", "seconds", "relative to a training"], rows)


def pauses_between_trials(settings: Settings) -> list[float]:
    """Compute the seconds between the end of each trial's run and the start of the next."""
    client = open_client(settings)
    runs = all_runs(client, experiment_id(client, settings), "tags.`optuna.state` = 'COMPLETE'")
    times = [(run.info.start_time, run.info.end_time) for run in reversed(list(runs))]
    return [(begun - ended) / 1000 for (_, ended), (begun, _) in pairwise(times)]


if __name__ == "__main__":
    main()
