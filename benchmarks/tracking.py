"""The share of a training spent on tracking: parameters, metrics, pictures, checkpoints.

    python benchmarks/tracking.py [epochs] [images_every]

Trains for two epochs (a minute on 2 cores) on sample cemeteries and sums up the wall-clock time of
every call into the run, of the logger and of the callback that draws; nested calls count once. The
last line projects this to a whole training at default settings. Goal: at most 3 % for tracking.
Checkpoints, which make a killed training resumable, are reported separately.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grave_cli.dataset.training_data import plan_training, read_training_data
from grave_cli.learning import checkpoints
from grave_cli.sample_data.write import write_sample_data
from grave_cli.settings.load import load_settings
from grave_cli.settings.tree import Settings
from grave_cli.tracking import dataset_input, runs, store
from grave_cli.training import sample_panels, trainer

DEFAULT = Settings()


class Clock:
    """Sums up the time spent in wrapped functions."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.sets = 0
        self.by_name: dict[str, float] = {}
        self._depth = 0

    @contextmanager
    def count(self, name: str):
        start = time.perf_counter()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            spent = time.perf_counter() - start
            self.by_name[name] = self.by_name.get(name, 0.0) + spent
            if not self._depth:
                self.seconds += spent
            self.sets += name == "SamplePanels.draw" and spent > 0.05  # without cached ones

    def wrap(self, owner: Any, name: str) -> None:
        inner: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.count(f"{getattr(owner, '__name__', owner)}.{name}"):
                return inner(*args, **kwargs)

        setattr(owner, name, timed)


def main() -> None:
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    every = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    clock = Clock()
    store.silence_mlflow()
    from lightning.pytorch.loggers import MLFlowLogger
    from mlflow import MlflowClient

    for name in ("log_batch", "log_param", "log_metric", "log_image", "log_inputs", "set_tag"):
        clock.wrap(MlflowClient, name)
    for name in ("create_run", "set_terminated", "create_experiment", "get_run"):
        clock.wrap(MlflowClient, name)
    for name in ("log_artifact", "log_artifacts", "create_model_version"):
        clock.wrap(MlflowClient, name)
    clock.wrap(MLFlowLogger, "log_metrics")
    clock.wrap(sample_panels.SamplePanels, "draw")
    clock.wrap(checkpoints.KeepCheckpoints, "on_train_epoch_end")
    for name in ("predict_samples", "combined", "part_picture", "decode"):
        clock.wrap(sample_panels, name)
    clock.wrap(trainer, "choose_samples")
    finishing = Clock()
    finishing.wrap(trainer, "finish_model")
    clock.wrap(dataset_input, "dataset_table")
    clock.wrap(runs, "open_client")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "data")
        write_sample_data(root, cemeteries=3, seed=0)
        options = {
            "data.root": root,
            "data.channels": "rgb+dem",
            "work_dir": Path(folder, "runs"),
            "training.epochs": epochs,
            "tracking.images_every": every,
        }
        settings = load_settings(options=options, environ={}).settings
        data = read_training_data(plan_training(settings), settings)
        start = time.perf_counter()
        trainer.run_training(settings, data)
        whole = time.perf_counter() - start
    for name, seconds in sorted(clock.by_name.items(), key=lambda item: -item[1]):
        print(f"{seconds:7.2f} s  {name}")
    print(f"{epochs} epochs in {whole:.1f} s, tracking {clock.seconds:.1f} s: ", end="")
    print(f"{clock.seconds / whole:.1%}")
    project(clock, finishing.seconds, whole, epochs)


def project(clock: Clock, finish: float, whole: float, epochs: int) -> None:
    """Project the measured times to a whole training at default settings."""
    names = clock.by_name
    a_set = names["SamplePanels.draw"] / clock.sets
    metrics = names["MLFlowLogger.log_metrics"] / epochs
    written = names["KeepCheckpoints.on_train_epoch_end"] / epochs
    once = clock.seconds - a_set * clock.sets - (metrics + written) * epochs
    epoch = (whole - finish - clock.seconds) / epochs
    usual = DEFAULT.training.epochs
    sets = 2 + usual // DEFAULT.tracking.images_every  # the first, each fifth, the best
    tracked = once + a_set * sets + (metrics + written) * usual
    share = tracked / (tracked + epoch * usual + finish)
    print(
        f"pictures {a_set:.2f} s a set, metrics {metrics:.2f} s and checkpoints {written:.2f} s "
        f"an epoch, {once:.1f} s once; ",
        end="",
    )
    print(f"an epoch itself {epoch:.1f} s")
    resume = written * usual / (tracked + epoch * usual + finish)
    print(
        f"{usual} epochs with {sets} sets of pictures: {share - resume:.1%} for tracking, "
        f"{resume:.1%} for checkpoints"
    )


if __name__ == "__main__":
    main()
