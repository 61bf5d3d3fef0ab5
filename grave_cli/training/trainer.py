"""The core trainer: settings in; a trained, scored and recorded model out.

The only place a Trainer is built.
"""

import shlex
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lightning.pytorch import Callback, Trainer, seed_everything

from grave_cli.dataset.training_data import TrainingData, plan_training
from grave_cli.errors import TrainingError
from grave_cli.learning.callbacks import (
    AverageWeights,
    FreezeEncoderNorm,
    MeasureSpeed,
    ShowProgress,
    StopAtTime,
)
from grave_cli.learning.checkpoints import KeepCheckpoints, StopEarly, read_checkpoint
from grave_cli.learning.datamodule import GraveDataModule
from grave_cli.learning.hard_examples import MineHardExamples
from grave_cli.learning.task import GraveTask
from grave_cli.model.bundle import Bundle
from grave_cli.model.device import describe_device
from grave_cli.progress import SILENT, Progress
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.tracking.dataset_input import DATASET_TAG, log_dataset
from grave_cli.tracking.keys import best_score
from grave_cli.tracking.models import CHANNELS_TAG, ENCODER_TAG
from grave_cli.tracking.run_files import check_places
from grave_cli.tracking.runs import TrackedRun, resumed_run, tracked_run
from grave_cli.tracking.system_metrics import system_metrics
from grave_cli.tracking.unfinished import CHECKPOINT, Unfinished
from grave_cli.training.chip_workers import count_workers, read_for_workers
from grave_cli.training.device import memory_named, training_device, training_precision
from grave_cli.training.finishing import Fitted, finish_model
from grave_cli.training.readiness import check_resumption, note_known_parts
from grave_cli.training.sample_panels import SamplePanels
from grave_cli.training.shown_places import choose_samples
from grave_cli.training.start import NONE, build_start, settle_start

ORIGIN_TAG = "gravecli.init_from"


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training.

    Args:
        run_id: MLflow run.
        name: Name of the run.
        dataset_id: Id of the training data.
        metrics: Scores of the kept epoch (`val/…`) and of the test cemeteries (`test/…`).
        epochs: Number of trained epochs.
    """

    run_id: str
    name: str
    dataset_id: str
    metrics: dict[str, float]
    epochs: int


def run_training(
    settings: Settings,
    data: TrainingData | None = None,
    callbacks: Sequence[Callback] = (),
    *,
    name: str | None = None,
    parent_run_id: str | None = None,
    unfinished: Unfinished | None = None,
    finish: bool = True,
    progress: Progress = SILENT,
) -> TrainingResult:
    """Train a model, score it and record everything in one MLflow run.

    Args:
        settings: All settings.
        data: Arrays read before, as a study does; None reads them.
        callbacks: Lightning callbacks in addition to the trainer's own (pruning).
        name: Name of the run; None builds one from channels and time.
        parent_run_id: Parent of the run.
        unfinished: A run to resume: its name and parent stay.
        finish: Keep the model and score it on whole test cemeteries; trials do not.
        progress: Receives progress and notes.

    Raises:
        GraveError: Data, settings, model weights or stores cannot be used.
        TrainingError: The training was aborted, or yielded no usable score.
    """
    training_device(settings)  # before anything is recorded
    settings, start = settle_start(settings)
    if data is None:
        check_places(settings)
        data = read_for_workers(plan_training(settings, progress), settings, progress)
    note_known_parts(start, data.plan, progress)
    seed_everything(settings.training.seed, workers=True, verbose=False)
    value_range, resumed = data.features.value_range, unfinished is not None
    recipe, network = build_start(settings, start, value_range, resumed=resumed)
    task = GraveTask(network, settings, fine_tunes=start is not None)
    with _open_run(settings, data, start, unfinished, name, parent_run_id) as run:
        log_dataset(run, data.plan)
        # No pictures in trials: nobody looks at those of forty trials.
        samples = choose_samples(data, recipe, settings.tracking.samples if finish else 0)
        panels = SamplePanels(run, samples, recipe)
        listeners = [*callbacks, ShowProgress(progress)]
        hints = SILENT if parent_run_id else progress  # trials and folds are not resumed by name
        with _saying_how_to_resume(run, hints), system_metrics(run):
            fitted = _fit(task, data, recipe, run, panels, listeners)
        panels.draw(fitted.task, fitted.best_epoch)
        metrics = dict(fitted.metrics)
        if finish:
            metrics |= finish_model(fitted, data.plan, run, progress)
        run.log_metrics(
            {best_score(key.removeprefix("val/")): v for key, v in fitted.metrics.items()}
            | {best_score("epoch"): fitted.best_epoch}
        )
    return TrainingResult(run.run_id, run.name, data.plan.dataset_id, metrics, fitted.epochs)


@contextmanager
def _saying_how_to_resume(run: TrackedRun, progress: Progress) -> Iterator[None]:
    """Say at once that an interrupted training stops, and how it can go on."""
    try:
        yield
    except KeyboardInterrupt:
        if (run.folder / CHECKPOINT).is_file():
            progress.warn(f"Stopping. `gravecli train --resume {shlex.quote(run.name)}` goes on")
        else:
            progress.warn("Stopping. No epoch is finished, so there is nothing to resume")
        raise


def _open_run(
    settings: Settings,
    data: TrainingData,
    start: Bundle | None,
    unfinished: Unfinished | None,
    name: str | None,
    parent_run_id: str | None,
) -> AbstractContextManager[TrackedRun]:
    if unfinished is not None:
        check_resumption(unfinished, data.plan.dataset_id, settings)
        return resumed_run(settings, unfinished.state.run_id)
    tags = {
        DATASET_TAG: data.plan.dataset_id,
        CHANNELS_TAG: settings.data.channels,
        ENCODER_TAG: settings.model.encoder,
    }
    usual = None
    if start is not None:
        # Its thresholds, which come with it, need no mention beside its name.
        thresholds = start.card.decoding.model_dump()
        usual = with_values(Settings(), {"prediction.decoding": thresholds})
        tags |= {
            ORIGIN_TAG: start.card.name,
            f"{ORIGIN_TAG}_run_id": start.card.run_id,
            f"{ORIGIN_TAG}_sha256": start.sha256,
        }
    # The names that MLflow invents repeat once the seed is set.
    name = name or f"{settings.data.channels}-{datetime.now():%Y%m%d-%H%M%S}"
    return tracked_run(settings, name, tags, parent_run_id, usual)


def _fit(
    task: GraveTask,
    data: TrainingData,
    recipe: InputRecipe,
    run: TrackedRun,
    panels: SamplePanels,
    callbacks: Sequence[Callback],
) -> Fitted:
    """Train from the beginning, or from the checkpoint in the folder of an unfinished run."""
    training = run.settings.training
    last, best = run.folder / CHECKPOINT, run.folder / "best.ckpt"
    workers = count_workers(run.settings)
    chips = GraveDataModule(data.train, data.val, recipe, run.settings, workers)
    mine = MineHardExamples(chips.chips.hard_examples)
    keep = KeepCheckpoints(last, best, training.monitor, training.monitor_tolerance)
    trainer = _build_trainer(run, [*callbacks, panels, mine, keep])
    run.tag("gravecli.device", describe_device(training_device(run.settings)))
    with warnings.catch_warnings():
        # The training process prepares the chips unless the settings ask for workers.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        _run_fit(trainer, task, chips, last if last.is_file() else None)
    if not best.is_file():
        raise TrainingError(f"training ended without a value of {training.monitor}")
    panels.draw(task, trainer.current_epoch)  # the last epoch, also after early stopping
    kept = read_checkpoint(best)
    task.load_state_dict(kept["state_dict"])
    return Fitted(
        task=task.cpu().eval(),
        recipe=recipe,
        metrics=kept["scores"],
        epochs=trainer.current_epoch,
        best_epoch=kept["epoch"] + 1,
        checkpoints=(best, last),
    )


def _build_trainer(run: TrackedRun, callbacks: Sequence[Callback]) -> Trainer:
    training, model = run.settings.training, run.settings.model
    extra: list[Callback] = [StopAtTime(), MeasureSpeed()]
    if model.freeze_encoder_norm and model.start != NONE:  # random: no statistics
        extra.append(FreezeEncoderNorm())
    if training.ema_decay > 0:
        extra.append(AverageWeights(training.ema_decay))
    if training.patience > 0:
        extra.append(
            StopEarly(training.monitor, mode="max", patience=training.patience, strict=True)
        )
    return Trainer(
        accelerator=training_device(run.settings),  # "gpu" would be MPS on a Mac
        devices=1,
        precision=training_precision(run.settings),  # type: ignore[arg-type]
        max_epochs=training.epochs,
        min_epochs=0,
        gradient_clip_val=training.gradient_clip or None,
        check_val_every_n_epoch=training.validate_every,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        logger=run.lightning_logger(),
        # After validation the averaging callback swaps the averaged weights out again: callbacks
        # that need them stand before it.
        callbacks=[*callbacks, *extra],
        default_root_dir=run.folder,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _run_fit(
    trainer: Trainer, task: GraveTask, data: GraveDataModule, checkpoint: Path | None
) -> None:
    """Fit, and raise Ctrl-C and SIGTERM, which Lightning turns into an exit, as an interruption."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        with memory_named(data.settings.chips.batch_size):
            trainer.fit(task, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except SystemExit:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, handler)
