"""Callbacks of a training: averaged weights, frozen statistics, time limit, speed, progress."""

import sys
import time
from contextlib import ExitStack
from itertools import compress
from typing import Any

import psutil
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor, nn

from grave_cli.errors import TrainingError
from grave_cli.learning import ranks
from grave_cli.learning.task import GraveTask
from grave_cli.progress import Advance, Progress
from grave_cli.wording import duration

_SHOWN = {
    "train/loss": "loss",
    "val/loss": "val loss",
    "val/dice": "dice",
    "val/object_f1": "object F1",
}


class AverageWeights(WeightAveraging):
    """Validates and saves a moving average of the weights.

    The decay rises from a low start to its final value, so that the random initial weights are
    soon forgotten: decay_n = min(decay, (1 + n) / (10 + n)) after n updates.

    Source: the `num_updates` rule of TensorFlow's ExponentialMovingAverage.

    Args:
        decay: Final decay per step.
    """

    def __init__(self, decay: float) -> None:
        super().__init__()
        self._decay = decay
        self._updates = 0  # the average's own counter would have to be fetched from the GPU
        self._pairs: list[tuple[list[Tensor], list[Tensor]]] = []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Move the average to the device of the training, which was unknown when it was made."""
        assert self._average_model is not None
        self._average_model.module.to(pl_module.device)
        self._updates = int(self._average_model.n_averaged)
        self._pairs = []

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Average the weights after a step; the first average is a copy."""
        if trainer.global_step <= self._latest_update_step:
            return
        self._latest_update_step = trainer.global_step
        average = self._average_model
        assert average is not None
        if not self._pairs:  # collected once: it takes as long as the averaging
            self._pairs = _by_kind(average.module, pl_module)
        (kept, new), (kept_counters, new_counters) = self._pairs
        rise = (1 + self._updates) / (10 + self._updates) if self._updates else 0.0
        torch._foreach_lerp_(kept, new, 1 - min(self._decay, rise))
        torch._foreach_copy_(kept_counters, new_counters)
        self._updates += 1
        average.n_averaged += 1


def _by_kind(kept: nn.Module, new: nn.Module) -> list[tuple[list[Tensor], list[Tensor]]]:
    """Pair the tensors of two equal networks: weights and statistics, then counters."""
    mine, other = ([*module.parameters(), *module.buffers()] for module in (kept, new))
    is_float = [one.is_floating_point() for one in mine]
    is_counter = [not one for one in is_float]
    return [
        (list(compress(mine, chosen)), list(compress(other, chosen)))
        for chosen in (is_float, is_counter)
    ]


class FreezeEncoderNorm(Callback):
    """Keeps the encoder's batch-normalisation statistics as they were before training.

    A few chips estimate them badly: with statistics from one set of 192 chips or another, the same
    network reached an object F1 between 0.54 and 0.62 on a sample cemetery.
    """

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Normalise by the stored statistics, and stop updating them."""
        assert isinstance(pl_module, GraveTask)
        for module in pl_module.network.get_submodule("encoder").modules():
            if isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm):
                module.eval()


class StopAtTime(Callback):
    """Stops training at the time limit; the last epoch is validated, whatever the interval."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop at once if a resumed training has already used up its time."""
        assert isinstance(pl_module, GraveTask)
        pl_module.share_clock()
        trainer.should_stop |= pl_module.schedule.time_is_up()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Go by one clock in this step, for its learning rate and its end."""
        assert isinstance(pl_module, GraveTask)
        pl_module.share_clock()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Validate after the last of all epochs."""
        if trainer.current_epoch + 1 == trainer.max_epochs:
            trainer.check_val_every_n_epoch = 1

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Check the time limit."""
        assert isinstance(pl_module, GraveTask)
        if pl_module.schedule.time_is_up():
            trainer.should_stop = True
            trainer.check_val_every_n_epoch = 1


class SameData(Callback):
    """Refuses to train in several processes that have different data.

    Args:
        dataset_id: Id of the data of this process.
    """

    def __init__(self, dataset_id: str) -> None:
        self._dataset_id = dataset_id

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare the ids of all processes."""
        found = set(ranks.gathered(self._dataset_id))
        if len(found) > 1:
            raise TrainingError(
                "the machines of this training have different data sets",
                found=", ".join(sorted(found)),
                remedy="copy the data folder with its times (`rsync -t`), or share it",
            )


class MeasureSpeed(Callback):
    """Logs `epoch_seconds`, `samples_per_second` and `peak_memory_gb` of each epoch.

    The seconds include validation; samples per second cover the training steps alone. The memory is
    the GPU's if CUDA is used, otherwise the process's.
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
        self._trained = time.monotonic()  # validation follows the last batch

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the figures of the epoch."""
        training_s = max(self._trained - self._start, 1e-9)
        values = {
            "epoch_seconds": time.monotonic() - self._start,
            "samples_per_second": self._samples * ranks.world_size() / training_s,
            "peak_memory_gb": _peak_memory_gb(pl_module.device),
        }
        pl_module.log_dict(values, sync_dist=True)


class ShowProgress(Callback):
    """Reports each training step and the scores of each epoch.

    Args:
        progress: Progress listener.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stack = ExitStack()
        self._advance: Advance | None = None
        self._total, self._shown = 0, 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar, at the step that a resumed training has reached."""
        assert isinstance(pl_module, GraveTask)
        schedule = pl_module.schedule
        schedule.start(trainer.global_step)
        # With a time limit, the number of steps is unknown.
        limited = schedule.max_time_s > 0
        self._total, unit = (100, "%") if limited else (schedule.total_steps, "steps")
        self._shown = 0.0
        self._advance = self._stack.enter_context(
            self._progress.task("Training", self._total, unit)
        )
        self._show(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Advance the bar by a step."""
        self._show(trainer, pl_module)

    def _show(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, GraveTask)
        done = self._total * pl_module.schedule.done(trainer.global_step)
        if self._advance is not None:
            self._advance(done - self._shown)
            self._shown = done

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the scores of the epoch."""
        values = trainer.callback_metrics
        scores = ", ".join(
            f"{label} {float(values[name]):.3f}" for name, label in _SHOWN.items() if name in values
        )
        assert isinstance(pl_module, GraveTask)
        left_s = pl_module.schedule.left_s(trainer.global_step)
        left = f", about {duration(left_s)} left" if left_s else ""
        epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        self._progress.note(f"{epoch}: {scores}{left}")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar."""
        self._stack.close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Close the bar."""
        self._stack.close()


def _peak_memory_gb(device: torch.device) -> float:
    """Largest memory so far: of the GPU under CUDA, otherwise of the process."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device)) / 1e9
    return _peak_process_bytes() / 1e9


def _peak_process_bytes() -> int:
    """Largest resident memory of the process so far; psutil knows it on Windows only."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource  # Windows has no such module

    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
