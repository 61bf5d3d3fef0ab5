"""What ties a training to its trial: its run, its score after each epoch, and its early end."""

from collections.abc import Iterator
from contextlib import contextmanager

from lightning.pytorch import LightningModule, Trainer
from optuna import Trial, TrialPruned
from optuna_integration import PyTorchLightningPruningCallback

from grave_cli.settings.tree import Settings
from grave_cli.tracking.studies import mark_trial
from grave_cli.tuning.result import RUN_ID


class PrunedTraining(TrialPruned):
    """Ends a training that does worse than others did; its run was stopped, it did not fail."""

    run_status = "KILLED"


class TrialTraining(PyTorchLightningPruningCallback):  # type: ignore[misc]
    """Reports a training's score to its trial, and ends it when that is hopeless.

    Args:
        trial: The trial.
        metric: Score that is reported.
    """

    def __init__(self, trial: Trial, metric: str) -> None:
        super().__init__(trial, metric)
        self.run_id: str | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the run."""
        super().on_fit_start(trainer, pl_module)
        assert trainer.logger is not None  # the trainer always gives one
        self.run_id = str(trainer.logger.version)
        self._trial.set_user_attr(RUN_ID, self.run_id)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the epoch.

        Raises:
            PrunedTraining: The trial is hopeless.
        """
        try:
            super().on_validation_end(trainer, pl_module)
        except TrialPruned as pruned:
            raise PrunedTraining(str(pruned)) from None


@contextmanager
def training_of(trial: Trial, metric: str, settings: Settings) -> Iterator[TrialTraining]:
    """Yield the callback for the training in the block, and mark its run with the outcome.

    Args:
        trial: The trial.
        metric: Score that is reported.
        settings: Store of the run.
    """
    callback, state = TrialTraining(trial, metric), "FAIL"
    try:
        yield callback
        state = "COMPLETE"
    except TrialPruned:
        state = "PRUNED"
        raise
    finally:
        if callback.run_id is not None:
            mark_trial(settings, callback.run_id, trial.number, state)
