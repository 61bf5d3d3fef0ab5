"""The checks before a training: what would end it at its start, found before pixels are read.

A dry run makes the same checks.
"""

import numpy as np

from grave_cli.dataset.training_data import TrainingPlan
from grave_cli.errors import SettingsError
from grave_cli.learning.checkpoints import read_checkpoint
from grave_cli.model.bundle import Bundle
from grave_cli.progress import Progress
from grave_cli.settings.tree import Settings
from grave_cli.tracking.resuming import check_same_data
from grave_cli.tracking.run_files import check_places
from grave_cli.tracking.unfinished import Unfinished
from grave_cli.training.device import training_device
from grave_cli.training.peers import find_place
from grave_cli.training.start import build_start, parts_known_to, settle_start
from grave_cli.wording import counted, is_or_are, rounded


def check_ready(settings: Settings, plan: TrainingPlan, unfinished: Unfinished | None) -> None:
    """Refuse a training that would fail at its start.

    Args:
        settings: All settings.
        plan: Data of the training.
        unfinished: The run to resume; None for a new one.

    Raises:
        ModelError: The device is missing; the model or the weights to start from are missing,
            damaged or do not fit.
        TrackingError: The store, or the folder for the files of runs, cannot be written; or another
            process works on the run to resume.
        DatasetError: The data of the run to resume has changed.
        SettingsError: The run to resume has trained more epochs than wanted.
    """
    training_device(settings)
    find_place(settings)
    check_places(settings)
    if unfinished is not None:
        unfinished.check_free()
        check_resumption(unfinished, plan.dataset_id, settings)
    resumed = unfinished is not None
    build_start(*settle_start(settings, resumed=resumed), resumed=resumed)


def check_resumption(unfinished: Unfinished, dataset_id: str, settings: Settings) -> None:
    """Refuse to resume a run with other data, or with fewer epochs than it has trained.

    Raises:
        DatasetError: The files have changed.
        SettingsError: The run has trained more epochs than wanted.
    """
    check_same_data(unfinished, dataset_id)
    trained = trained_epochs(unfinished)
    if trained > settings.training.epochs:
        raise SettingsError(
            f"run {unfinished.state.name} has trained more epochs than training.epochs",
            found=settings.training.epochs,
            expected=f"{trained} or more",
        )


def trained_epochs(unfinished: Unfinished) -> int:
    """Return the number of epochs that a run to resume has trained."""
    return int(read_checkpoint(unfinished.checkpoint)["epoch"]) + 1


def note_doubts(
    settings: Settings, start: Bundle | None, plan: TrainingPlan, progress: Progress
) -> None:
    """Warn of scores that will be too good, and of graves that will hardly be mapped.

    Args:
        settings: Settings with the thresholds of the start.
        start: The model to start from; None without one.
        plan: Data of the training.
        progress: Receives the warnings.
    """
    note_known_parts(start, plan, progress)
    note_small_graves(settings, plan, progress)


def note_small_graves(settings: Settings, plan: TrainingPlan, progress: Progress) -> None:
    """Say so if labelled graves are smaller than what the model will map.

    Args:
        settings: Settings with the thresholds of the start.
        plan: The labelled graves.
        progress: Receives the warning.
    """
    least = settings.prediction.decoding.min_area_m2
    areas = np.concatenate([part.areas_m2 for part in plan.parts])
    count = int((areas < least).sum())
    if count:
        progress.warn(
            f"{count} of {counted(len(areas), 'labelled grave')} {is_or_are(count)} smaller than "
            f"prediction.decoding.min_area_m2 = {least:g}, and will hardly be mapped: set it to "
            f"half of the smallest ({rounded(areas.min() / 2, 2)}), or correct the labels"
        )


def note_known_parts(start: Bundle | None, plan: TrainingPlan, progress: Progress) -> None:
    """Say so if a training is scored on what its start or its own thresholds are fitted to."""
    if not plan.split("test"):
        progress.warn(
            "There is no test cemetery: test/… will be scores of the validation cemeteries, for "
            "which epoch and thresholds are chosen, and so too good; list others in data.test"
        )
    known = [] if start is None else parts_known_to(start, [one.part for one in plan.parts])
    if start is not None and known:
        progress.warn(
            f"Scores will be too good: {start.card.name}, which this training starts from, was "
            f"trained on {', '.join(known)}; list other cemeteries in data.val and data.test"
        )
