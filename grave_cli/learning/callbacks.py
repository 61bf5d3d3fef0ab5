"""What happens beside the training: progress for the onlooker, and the end of the time allowed."""

import resource
import sys
import time
from contextlib import ExitStack
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor, nn

from grave_cli.learning.task import GraveTask
from grave_cli.progress import Advance, Progress

_SHOWN = {
    "train/loss": "loss",
    "val/loss": "val loss",
    "val/dice": "dice",
    "val/object_f1": "object F1",
}


class AverageWeights(WeightAveraging):
    """Validates and keeps a running average of the weights.

    The decay starts low and rises to its end, so that the random start is soon forgotten:
    decay_n = min(decay, (1 + n) / (10 + n)) after n updates.

    Source: the `num_updates` rule of TensorFlow's ExponentialMovingAverage.

    Args:
        decay: Per step, in the end.
    """

    def __init__(self, decay: float) -> None:
        def average(kept: Tensor, new: Tensor, updates: Tensor | int) -> Tensor:
            if not kept.is_floating_point():  # a counter of batch normalisation
                return new
            count = float(updates)
            return kept.lerp(new, 1 - min(decay, (1 + count) / (10 + count)))

        super().__init__(avg_fn=average)


class FreezeEncoderNorm(Callback):
    """Keeps the statistics of the encoder's batch normalisation as they were before the training.

    Those of a few chips differ much: measured on 192 chips, or on other 192, the same network
    had an object F1 of 0.54 to 0.62 on a sample cemetery.
    """

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let it use them, instead of those of the batch, and leave them alone."""
        assert isinstance(pl_module, GraveTask)
        for module in pl_module.network.get_submodule("encoder").modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


class StopAtTime(Callback):
    """Ends the training when its wall clock has run out; the last epoch is still validated."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave a resumed training that had come to its end there."""
        assert isinstance(pl_module, GraveTask)
        trainer.should_stop |= pl_module.schedule.time_is_up()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Look at the clock."""
        assert isinstance(pl_module, GraveTask)
        if pl_module.schedule.time_is_up():
            trainer.should_stop = True


class MeasureSpeed(Callback):
    """Reports `epoch_seconds`, `samples_per_second` and `peak_memory_gb` of each epoch.

    An epoch's seconds are all of it, validation included; samples per second are those of its
    training steps. The memory is the GPU's while one is used, else that of the process.
    """

    def __init__(self) -> None:
        self._start = self._trained = 0.0
        self._samples = 0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._start = self._trained = time.monotonic()
        self._samples = 0

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: dict[str, Tensor],
        batch_idx: int,
    ) -> None:
        """Count the chips."""
        self._samples += len(batch["input"])
        self._trained = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report."""
        training_s = max(self._trained - self._start, 1e-9)
        values = {
            "epoch_seconds": time.monotonic() - self._start,
            "samples_per_second": self._samples / training_s,
            "peak_memory_gb": _peak_memory_gb(pl_module.device),
        }
        pl_module.log_dict(values)


class ShowProgress(Callback):
    """Tells the onlooker of each chip, and of each epoch's scores."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stack = ExitStack()
        self._advance: Advance | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar."""
        assert isinstance(pl_module, GraveTask)
        steps = pl_module.schedule.total_steps
        self._advance = self._stack.enter_context(self._progress.task("Training", steps, "steps"))
        self._advance(trainer.global_step)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Advance the bar by a step."""
        if self._advance is not None:
            self._advance(1)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say how the epoch went."""
        values = trainer.callback_metrics
        scores = ", ".join(
            f"{label} {float(values[name]):.3f}" for name, label in _SHOWN.items() if name in values
        )
        self._progress.note(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: {scores}")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar."""
        self._stack.close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Close the bar."""
        self._stack.close()


def _peak_memory_gb(device: torch.device) -> float:
    """Largest memory so far: of the GPU, else of the whole process."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device)) / 1e9
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes there, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
