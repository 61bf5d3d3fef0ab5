"""Report a training to its trial: its run, its score after each epoch, and its pruning."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from lightning.pytorch import LightningModule, Trainer
from optuna import Trial, TrialPruned
from optuna_integration import PyTorchLightningPruningCallback

from grave_cli.settings.tree import Settings
from grave_cli.tracking.studies import log_searched, mark_trial
from grave_cli.tuning.result import RUN_ID


class PrunedTraining(TrialPruned):
    """Ends a hopeless training; its run counts as killed, not as failed."""

    run_status = "KILLED"


class TrialCallback(PyTorchLightningPruningCallback):  # type: ignore[misc]
    """Reports a training's score to its trial, and ends the training if the trial is pruned.

    Args:
        trial: The trial.
        metric: Score to report.
        settings: Settings of the trial.
        searched: Keys of the settings that the study varies.
    """

    def __init__(
        self, trial: Trial, metric: str, settings: Settings, searched: Collection[str]
    ) -> None:
        super().__init__(trial, metric)
        self._settings = settings
        self._searched = searched
        self.run_id: str | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the run of the training, and in it the values of the trial."""
        super().on_fit_start(trainer, pl_module)
        assert trainer.logger is not None  # the trainer always gives one
        self.run_id = str(trainer.logger.version)
        self._trial.set_user_attr(RUN_ID, self.run_id)
        log_searched(self._settings, self.run_id, self._searched)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the score of the epoch.

        Raises:
            PrunedTraining: The pruner gives the trial up.
        """
        try:
            super().on_validation_end(trainer, pl_module)
        except TrialPruned as pruned:
            raise PrunedTraining(str(pruned)) from None


@contextmanager
def reporting_to(
    trial: Trial, metric: str, settings: Settings, searched: Collection[str]
) -> Iterator[TrialCallback]:
    """Yield a callback for the training in the block, and tag its run with the trial's state.

    Args:
        trial: The trial.
        metric: Score to report.
        settings: Settings of the trial, with the location of the tracking store.
        searched: Keys of the settings that the study varies.
    """
    callback, state = TrialCallback(trial, metric, settings, searched), "FAIL"
    try:
        yield callback
        state = "COMPLETE"
    except TrialPruned:
        state = "PRUNED"
        raise
    finally:
        if callback.run_id is not None:
            mark_trial(settings, callback.run_id, trial.number, state)
