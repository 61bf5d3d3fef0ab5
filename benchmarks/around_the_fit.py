"""Time that a training of the demo spends before and after the fit, against another checkout.

Preparing runs from the start of the command to the opening of the MLflow run: imports, plan,
reading. Finishing runs from the scores of the last epoch to the end of the run: thresholds,
calibration, final score, pictures, model. Both come from timestamps in the store, so that any
version of the program can be compared. The checkouts take turns.

    git worktree add --detach ../before COMMIT
    python benchmarks/around_the_fit.py --against ../before
"""

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from tools.table import print_table

HERE = Path(__file__).resolve().parents[1]
PROGRAM = "from grave_cli.cli.app import main; main()"
TRAIN = (
    *("train", "--channels", "rgb+dem", "--epochs", "1", "--name", "timed"),
    *("--set", "chips.per_epoch=64", "--set", 'data.test=["sample_04"]'),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, help="checkout of the version to compare with")
    parser.add_argument("--rounds", type=int, default=3, help="trainings per version")
    given = parser.parse_args()
    checkouts = {"this version": HERE} | ({"other": given.against} if given.against else {})
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in checkouts}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        run(HERE, ["sample-data", str(data), "--cemeteries", "4", "--seed", "0"], Path(folder))
        for number in range(given.rounds):
            for name, checkout in checkouts.items():
                work = Path(folder, f"{number}-{name.split()[0]}")
                work.mkdir()
                seconds[name].append(train(checkout.resolve(), data, work))
    rows: list[list[object]] = [
        [name, *(median(values) for values in zip(*found, strict=True))]
        for name, found in seconds.items()
    ]
    columns = ["version", "preparing, s", "finishing, s"]
    print_table(f"Around the fit of the demo, median of {given.rounds}", columns, rows)


def train(checkout: Path, data: Path, work: Path) -> tuple[float, float]:
    """Train for one epoch; return the seconds before and after the fit."""
    started = time.time()
    run(checkout, [*TRAIN, "--data", str(data)], work)
    with closing(sqlite3.connect(work / "runs" / "mlflow.db")) as store:
        (opened_ms, ended_ms) = store.execute("select start_time, end_time from runs").fetchone()
        query = "select max(timestamp) from metrics where key = 'val/dice'"
        (scored_ms,) = store.execute(query).fetchone()
    return opened_ms / 1e3 - started, (ended_ms - scored_ms) / 1e3


def run(checkout: Path, arguments: list[str], work: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    subprocess.run(command, cwd=work, env=environment, check=True, capture_output=True)


if __name__ == "__main__":
    main()
