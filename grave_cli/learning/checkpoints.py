"""Checkpoints of a training: the last one, to resume from, and the best one, to keep.

Each is written completely or not at all, and neither needs unpickling.
"""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping

from grave_cli.atomic_writes import whole_file
from grave_cli.errors import ModelError

_KEPT = ("epoch", "global_step", "pytorch-lightning_version", "state_dict", "scores")


class KeepCheckpoints(Checkpoint):
    """Writes a checkpoint after each epoch, and keeps the weights of the best epoch.

    The last checkpoint holds everything needed to resume: optimiser, schedule, moving average,
    early stopping. The best one holds weights, epoch and scores. Epochs within the tolerance of the
    highest score are ties; the latest is kept, because it has been trained longest.

    Args:
        last: File of the last checkpoint.
        best: File of the best checkpoint.
        monitor: Metric to maximise.
        tolerance: Margin below the highest score that counts as a tie.
    """

    def __init__(self, last: Path, best: Path, monitor: str, tolerance: float = 0.0) -> None:
        self._last = last
        self._best = best
        self._monitor = monitor
        self._tolerance = tolerance
        self._best_score = float("-inf")
        self._validated = False

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that the score belongs to this epoch."""
        self._validated = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write both; Lightning runs this after all other callbacks, early stopping included."""
        # A missing or undefined score is NaN, which no comparison makes the best.
        score = float(trainer.callback_metrics.get(self._monitor, float("nan")))
        is_best = self._validated and score >= self._best_score - self._tolerance
        self._validated = False
        if is_best:
            self._best_score = max(score, self._best_score)
        if not trainer.is_global_zero:
            trainer.save_checkpoint(self._last, weights_only=False)  # takes part, writes nothing
            return
        with whole_file(self._last) as new:
            trainer.save_checkpoint(new, weights_only=False)
            # The best one first: a kill in between costs an epoch, and never leaves a best score
            # without its weights.
            if is_best:
                _keep_weights(new, self._best)

    def state_dict(self) -> dict[str, Any]:
        """Return the best score so far."""
        return {"best_score": self._best_score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best score so far."""
        self._best_score = state_dict["best_score"]


class StopEarly(EarlyStopping):
    """Stops a training whose score no longer improves; its patience may change on resume."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore everything but the patience from a checkpoint."""
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop at once if a resumed training has already run out of patience."""
        trainer.should_stop |= self.wait_count >= self.patience


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint into memory, tensors and plain values only.

    Raises:
        ModelError: It is damaged.
    """
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, UnpicklingError) as error:
        reason = (str(error).splitlines() or ["it is empty"])[0]
        raise ModelError(
            f"checkpoint cannot be read: {reason}",
            where=path,
            remedy="train again; `gravecli runs --prune` deletes what the stopped run left",
        ) from None
    return checkpoint


def _keep_weights(checkpoint: Path, path: Path) -> None:
    whole = read_checkpoint(checkpoint)
    with whole_file(path) as new:
        torch.save({key: whole[key] for key in _KEPT}, new)
