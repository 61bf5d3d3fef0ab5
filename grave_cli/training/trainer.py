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
from lightning.pytorch.loggers import Logger

from grave_cli.dataset.training_data import TrainingData, plan_training
from grave_cli.errors import SettingsError, TrainingError
from grave_cli.learning import ranks
from grave_cli.learning.callbacks import (
    AverageWeights,
    FreezeEncoderNorm,
    MeasureSpeed,
    SameData,
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
from grave_cli.training.peers import Place, find_place, make_strategy, sharing_cores, with_peers
from grave_cli.training.readiness import check_resumption, note_doubts
from grave_cli.training.sample_panels import SamplePanels
from grave_cli.training.shown_places import choose_samples
from grave_cli.training.start import NONE, build_start, settle_start

ORIGIN_TAG = "gravecli.init_from"
_BEST = "best.ckpt"


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
    # A pruned trial could not tell other processes, and folds have a run of their own each.
    place = Place() if callbacks or parent_run_id else find_place(settings)
    if place.node:
        raise SettingsError("only machine 0 keeps a run", found=f"NODE_RANK {place.node}")
    settings, start = settle_start(settings, resumed=unfinished is not None)
    if data is None:
        check_places(settings)
        data = read_for_workers(plan_training(settings, progress), settings, progress)
    note_doubts(settings, start, data.plan, progress)
    task, recipe = _build_task(settings, start, data, resumed=unfinished is not None)
    with _open_run(settings, data, start, unfinished, name, parent_run_id) as run:
        log_dataset(run, data.plan)
        # No pictures in trials: nobody looks at those of forty trials.
        samples = choose_samples(data, recipe, settings.tracking.samples if finish else 0)
        panels = SamplePanels(run, samples, recipe)
        listeners = [*callbacks, ShowProgress(progress)]
        hints = SILENT if parent_run_id else progress  # trials and folds are not resumed by name
        with _saying_how_to_resume(run, hints), system_metrics(run):
            fitted = _fit(task, data, recipe, run, panels, listeners, place)
        panels.draw(fitted.task, fitted.best_epoch)
        metrics = dict(fitted.metrics)
        if finish:
            metrics |= finish_model(fitted, data.plan, run, progress)
        run.log_metrics(
            {best_score(key.removeprefix("val/")): v for key, v in fitted.metrics.items()}
            | {best_score("epoch"): fitted.best_epoch}
        )
    return TrainingResult(run.run_id, run.name, data.plan.dataset_id, metrics, fitted.epochs)


def follow_training(
    place: Place, settings: Settings, data: TrainingData, checkpoint: Path | None
) -> None:
    """Train along with process 0 until it stops; nothing is recorded here.

    Args:
        place: Place of this process.
        settings: All settings, as in process 0.
        data: The same data.
        checkpoint: Checkpoint of a training that is resumed; None for a new one.

    Raises:
        GraveError: Data, settings or model weights cannot be used.
        TrainingError: Another process failed, or trains on something else.
    """
    settings, start = settle_start(settings, resumed=checkpoint is not None)
    task, recipe = _build_task(settings, start, data, resumed=checkpoint is not None)
    chips = _batches(data, recipe, settings)
    # Reading the scores of an epoch adds them up over the processes, so all must read them.
    readers = [ShowProgress(SILENT), SameData(data.plan.dataset_id)]
    trainer = _build_trainer(settings, settings.work_dir, chips, readers, place)
    with with_peers(place, follow_training, settings, data, checkpoint):
        _run_fit(trainer, task, chips, checkpoint, place)


def _build_task(
    settings: Settings, start: Bundle | None, data: TrainingData, *, resumed: bool
) -> tuple[GraveTask, InputRecipe]:
    """Build the network as every process of a training does, from the seed or from a model."""
    seed_everything(settings.training.seed, workers=True, verbose=False)
    recipe, network = build_start(settings, start, data.features.value_range, resumed=resumed)
    return GraveTask(network, settings, fine_tunes=start is not None), recipe


def _batches(data: TrainingData, recipe: InputRecipe, settings: Settings) -> GraveDataModule:
    workers = count_workers(settings)
    return GraveDataModule(data.train, data.val, recipe, settings, workers, data.generated)


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
        return resumed_run(settings, unfinished.state.run_id, from_checkpoint=True)
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
    place: Place,
) -> Fitted:
    """Train from the beginning, or from the checkpoint in the folder of an unfinished run."""
    training = run.settings.training
    last, best = run.folder / CHECKPOINT, run.folder / _BEST
    chips = _batches(data, recipe, run.settings)
    logger = run.lightning_logger()
    listeners = [*callbacks, panels, SameData(data.plan.dataset_id)]
    trainer = _build_trainer(run.settings, run.folder, chips, listeners, place, logger)
    checkpoint = last if last.is_file() else None
    run.tag("gravecli.device", describe_device(training_device(run.settings)))
    with warnings.catch_warnings():
        # The training process prepares the chips unless the settings ask for workers.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        with with_peers(place, follow_training, run.settings, data, checkpoint):
            _run_fit(trainer, task, chips, checkpoint, place)
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


def _build_trainer(
    settings: Settings,
    folder: Path,
    chips: GraveDataModule,
    callbacks: Sequence[Callback],
    place: Place,
    logger: Logger | None = None,
) -> Trainer:
    training, model = settings.training, settings.model
    last, best = folder / CHECKPOINT, folder / _BEST
    extra: list[Callback] = [
        MineHardExamples(chips.chips.hard_examples),
        KeepCheckpoints(last, best, training.monitor, training.monitor_tolerance),
        StopAtTime(),
        MeasureSpeed(),
    ]
    if model.freeze_encoder_norm and model.start != NONE:  # random: no statistics
        extra.append(FreezeEncoderNorm())
    if training.ema_decay > 0:
        extra.append(AverageWeights(training.ema_decay))
    if training.patience > 0:
        extra.append(
            StopEarly(training.monitor, mode="max", patience=training.patience, strict=True)
        )
    return Trainer(
        accelerator=training_device(settings),  # "gpu" would be MPS on a Mac
        devices=place.devices,
        num_nodes=place.nodes,
        strategy=make_strategy(settings, place),
        use_distributed_sampler=False,  # ours knows the processes
        sync_batchnorm=place.count > 1 and training_device(settings) == "cuda",
        precision=training_precision(settings),  # type: ignore[arg-type]
        max_epochs=training.epochs,
        min_epochs=0,
        gradient_clip_val=training.gradient_clip or None,
        check_val_every_n_epoch=training.validate_every,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        logger=logger or False,
        # After validation the averaging callback swaps the averaged weights out again: callbacks
        # that need them stand before it.
        callbacks=[*callbacks, *extra],
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _run_fit(
    trainer: Trainer,
    task: GraveTask,
    data: GraveDataModule,
    checkpoint: Path | None,
    place: Place,
) -> None:
    """Fit, and raise Ctrl-C and SIGTERM, which Lightning turns into an exit, as an interruption."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        with sharing_cores(place), memory_named(data.settings.chips.batch_size):
            trainer.fit(task, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except SystemExit:
        raise KeyboardInterrupt from None
    finally:
        ranks.leave()
        signal.signal(signal.SIGINT, handler)
