"""Training speed, relative to a bare loop of forward, loss, backward and step.

Chips per second of the training steps, without validation, and of the same network, loss and
optimiser in a loop over one prepared batch. The first epoch does not count.

    python benchmarks/train.py [--quick]
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from lightning.pytorch import Callback
from tools.table import print_table

from grave_cli.dataset.training_data import plan_training, read_training_data
from grave_cli.learning.callbacks import FreezeEncoderNorm
from grave_cli.learning.task import GraveTask
from grave_cli.sample_data.write import write_sample_data
from grave_cli.settings.load import load_settings
from grave_cli.training.trainer import run_training


class Watch(Callback):
    """Measures the chips per second of each epoch, and keeps a batch for the bare loop."""

    def __init__(self) -> None:
        self.speeds: list[float] = []
        self.task: GraveTask | None = None
        self.batch: dict[str, torch.Tensor] = {}
        self._start = self._last = 0.0
        self._chips = 0

    def on_train_epoch_start(self, trainer, task) -> None:  # type: ignore[no-untyped-def]
        self._start, self._chips = time.perf_counter(), 0

    def on_train_batch_end(self, trainer, task, outputs, batch, index) -> None:  # type: ignore[no-untyped-def]
        self.task, self.batch = task, batch
        self._last = time.perf_counter()
        self._chips += len(batch["input"])

    def on_train_epoch_end(self, trainer, task) -> None:  # type: ignore[no-untyped-def]
        self.speeds.append(self._chips / (self._last - self._start))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small chips, two epochs of 8")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as name:
        write_sample_data(Path(name, "data"), cemeteries=3, size_m=20 if quick else 40)
        options = {
            "data.root": Path(name, "data"),
            "data.channels": "rgb+dem",
            "work_dir": Path(name, "runs"),
            "training.epochs": 2 if quick else 5,
            "chips.per_epoch": 8 if quick else 128,
            "chips.size_px": 128 if quick else 256,
        }
        settings = load_settings(options=options, environ={}).settings
        data = read_training_data(plan_training(settings), settings)
        watch = Watch()
        run_training(settings, data, [watch], finish=False)
    trained = sorted(watch.speeds[1:])[len(watch.speeds[1:]) // 2]
    bare = bare_loop(watch, steps=3 if quick else 20)
    columns = ["loop", "chips/s", "relative to the bare loop"]
    rows: list[list[object]] = [["training", trained, trained / bare], ["bare", bare, 1.0]]
    print_table("Training steps", columns, rows)


def bare_loop(watch: Watch, steps: int) -> float:
    """Measure chips per second without data loading and logging."""
    task, batch = watch.task, watch.batch
    assert task is not None  # at least one step ran
    device = batch["input"].device
    task = task.to(device).train()
    FreezeEncoderNorm().on_train_epoch_start(None, task)  # type: ignore[arg-type]  # as in training
    fused = device.type == "cpu"  # as in training
    optimiser = torch.optim.AdamW(task.parameters(), lr=1e-4, fused=fused)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        loss = task.loss(task(batch["input"]), batch["targets"], batch["scored"])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(task.parameters(), 1.0)
        optimiser.step()

    step()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return steps * len(batch["input"]) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
