"""The core trainer: settings in, a trained, scored and recorded model out.

The only place a Trainer is built.
"""

import signal
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from grave_cli.errors import TrainingError
from grave_cli.finishing import Fitted, finish_model
from grave_cli.inputs.recipe import InputRecipe
from grave_cli.inputs.training_data import TrainingData, plan_training, read_training_data
from grave_cli.learning.callbacks import (
    AverageWeights,
    MeasureSpeed,
    ShowProgress,
    StopAtTime,
)
from grave_cli.learning.confusion import RememberConfusion
from grave_cli.learning.datamodule import GraveDataModule
from grave_cli.learning.network import architecture_for, build_pretrained, encoder_normalisation
from grave_cli.learning.samples import choose_samples
from grave_cli.learning.task import GraveTask
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.tree import Settings
from grave_cli.tracking.callbacks import SamplePanels
from grave_cli.tracking.dataset_input import log_dataset
from grave_cli.tracking.models import CHANNELS_TAG
from grave_cli.tracking.runs import TrackedRun, tracked_run
from grave_cli.tracking.system_metrics import system_metrics

DATASET_TAG = "dataset_id"


@dataclass(frozen=True)
class TrainingResult:
    """What a training yielded.

    Args:
        run_id: MLflow run.
        name: Name of the run.
        dataset_id: Data it was trained on.
        metrics: Scores of the kept epoch (`val/…`) and of the test cemeteries (`test/…`).
        epochs: Epochs that were trained.
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
    finish: bool = True,
    progress: Progress = SILENT,
) -> TrainingResult:
    """Train a model, score it and record everything in one MLflow run.

    Args:
        settings: Everything that can be set.
        data: Arrays prepared before (a study does); None reads them.
        callbacks: Lightning callbacks besides the trainer's own (pruning).
        name: Name of the run; None makes one of channels and time.
        parent_run_id: Run that this one belongs to.
        finish: Keep the model and score it on whole test cemeteries; trials leave that out.
        progress: Is told how far it is.

    Raises:
        GraveError: Data, settings, model weights or stores cannot be used.
        TrainingError: The training broke off, or yielded no usable score.
    """
    if data is None:
        data = read_training_data(plan_training(settings, progress), settings, progress)
    mean, std = encoder_normalisation(settings.model.encoder, settings.model.encoder_weights)
    recipe = InputRecipe.from_settings(settings, mean, std, data.features.value_range)
    seed_everything(settings.training.seed, workers=True, verbose=False)
    network = build_pretrained(architecture_for(settings, recipe), settings.model.encoder_weights)
    task = GraveTask(network, settings)
    tags = {
        DATASET_TAG: data.plan.dataset_id,
        CHANNELS_TAG: settings.data.channels,
        "gravecli.encoder": settings.model.encoder,
    }
    with (
        tempfile.TemporaryDirectory(prefix="gravecli-") as folder,
        tracked_run(settings, name or _run_name(settings), tags, parent_run_id) as run,
    ):
        run.client.log_param(run.run_id, DATASET_TAG, data.plan.dataset_id)
        log_dataset(run, data.plan)
        # Trials go without pictures: nobody looks at those of forty trials.
        samples = choose_samples(data, recipe, settings.tracking.samples if finish else 0)
        panels = SamplePanels(run, samples, recipe)
        with system_metrics(run):
            shown = [*callbacks, panels, ShowProgress(progress)]
            fitted = _fit(task, data, recipe, run, Path(folder), shown)
        panels.draw(fitted.task, fitted.best_epoch)
        metrics = dict(fitted.metrics)
        if finish:
            metrics |= finish_model(fitted, data, run, Path(folder), progress)
        run.log_metrics(
            {f"best/{key.removeprefix('val/')}": v for key, v in fitted.metrics.items()}
            | {"best/epoch": fitted.best_epoch}
        )
    return TrainingResult(run.run_id, run.name, data.plan.dataset_id, metrics, fitted.epochs)


def _run_name(settings: Settings) -> str:
    """Name a run by channels and time: MLflow's own names repeat once the seed is set."""
    return f"{settings.data.channels}-{datetime.now():%Y%m%d-%H%M%S}"


def _fit(
    task: GraveTask,
    data: TrainingData,
    recipe: InputRecipe,
    run: TrackedRun,
    folder: Path,
    callbacks: Sequence[Callback],
) -> Fitted:
    settings = task.settings
    checkpoint = ModelCheckpoint(
        dirpath=folder / "checkpoints",
        filename="best",
        monitor=settings.training.monitor,
        mode="max",
    )
    module = GraveDataModule(data.train, data.val, recipe, settings)
    remember = RememberConfusion(module.chips.confused)
    trainer = _build_trainer(settings, run, folder, [*callbacks, checkpoint, remember])
    with warnings.catch_warnings():
        # Chips are prepared by the training itself unless the settings ask for workers.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        _run_fit(trainer, task, module)
    if checkpoint.best_model_score is None or not checkpoint.best_model_path:
        raise TrainingError(f"training ended without a value of {settings.training.monitor}")
    state = torch.load(checkpoint.best_model_path, map_location="cpu", weights_only=True)
    task.load_state_dict(state["state_dict"])
    scores, best_epoch = state["scores"], state["epoch"] + 1
    return Fitted(task.cpu().eval(), recipe, scores, trainer.current_epoch, best_epoch)


def _build_trainer(
    settings: Settings, run: TrackedRun, folder: Path, callbacks: Sequence[Callback]
) -> Trainer:
    training = settings.training
    extra: list[Callback] = [StopAtTime(), MeasureSpeed()]
    if training.ema_decay > 0:
        extra.append(AverageWeights(training.ema_decay))
    if training.patience > 0:
        extra.append(
            EarlyStopping(training.monitor, mode="max", patience=training.patience, strict=True)
        )
    return Trainer(
        accelerator={"cuda": "gpu"}.get(training.device, training.device),
        devices=1,
        precision=_precision(settings),  # type: ignore[arg-type]
        max_epochs=training.epochs,
        min_epochs=0,
        gradient_clip_val=training.gradient_clip or None,
        check_val_every_n_epoch=training.validate_every,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        log_every_n_steps=1,
        logger=run.lightning_logger(),
        # The average of the weights is taken out again when its callback's turn comes: those that
        # want to see it stand before it.
        callbacks=[*callbacks, *extra],
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _run_fit(trainer: Trainer, task: GraveTask, data: GraveDataModule) -> None:
    """Fit; Lightning turns Ctrl-C and SIGTERM into an exit, which is made an interruption again."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(task, datamodule=data)
    except SystemExit:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, handler)


def _precision(settings: Settings) -> str:
    training = settings.training
    if training.precision != "auto":
        return training.precision
    on_gpu = training.device in ("auto", "cuda") and torch.cuda.is_available()
    return "bf16-mixed" if on_gpu and torch.cuda.is_bf16_supported() else "32-true"
