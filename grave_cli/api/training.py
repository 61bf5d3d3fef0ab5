"""The settings of a training in, a trained and recorded model out.

The command and the Python function `train` share these steps.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from grave_cli.progress import Progress
from grave_cli.settings.load import LoadedSettings
from grave_cli.settings.tree import Settings
from grave_cli.wording import counted, duration

if TYPE_CHECKING:
    from grave_cli.dataset.plans import PartPlan
    from grave_cli.tracking.unfinished import Unfinished
    from grave_cli.training.dry_run import Estimate
    from grave_cli.training.trainer import TrainingResult

_NAMED = 5  # parts of a split


def check_names(name: str | None, resume: str | None, init_from: str | None) -> None:
    """Refuse names that do not go together.

    Args:
        name: Name of a new run.
        resume: Name of a run to continue.
        init_from: Name of a model to start from.

    Raises:
        SettingsError: They do not, or the name is taken.
    """
    from grave_cli.errors import SettingsError
    from grave_cli.model.shipped import STARTER

    if resume is not None and (init_from is not None or name is not None):
        raise SettingsError("--resume cannot be combined with --init-from or --name")
    if name is not None and not name.strip():
        raise SettingsError("--name is empty", found=repr(name), expected="a name")
    if name == STARTER:
        raise SettingsError("a run cannot be named starter", remedy="choose another --name")


def begin_training(
    loaded: LoadedSettings, resume: str | None, progress: Progress
) -> tuple[Settings, "Unfinished | None"]:
    """Find the start of a new training, or the run to resume, which brings its own settings.

    Args:
        loaded: The settings.
        resume: Name of a run to continue; None for a new one.
        progress: Receives notes.

    Raises:
        GraveError: There is no such run, or it cannot be continued with these settings.
    """
    from grave_cli.tracking.resuming import find_unfinished, resumed_settings
    from grave_cli.training.start import settle_start

    if resume is None:
        return settle_start(loaded.settings, progress)[0], None
    left = find_unfinished(resume, loaded.settings)
    return resumed_settings(left, loaded), left


def train_model(
    settings: Settings, unfinished: "Unfinished | None", name: str | None, progress: Progress
) -> "TrainingResult":
    """Check the data, report the plan, and train.

    Args:
        settings: All settings.
        unfinished: A run to continue; None for a new one.
        name: Name of the run; None builds one from channels and time.
        progress: Receives progress and notes.

    Raises:
        GraveError: Data, settings, model weights or stores cannot be used, or the training failed.
    """
    from grave_cli.dataset.splits import SPLITS
    from grave_cli.dataset.training_data import plan_training

    # Unusable data is reported before torch is loaded, which takes seconds.
    plan = plan_training(settings, progress)
    for split in SPLITS:
        if parts := plan.split(split):
            progress.note(f"{split}: {_list_parts(parts)}")
    from grave_cli.training.readiness import check_ready

    check_ready(settings, plan, unfinished)
    if unfinished is None:
        from grave_cli.training.dry_run import estimate_plan

        progress.note(f"estimate: {_in_words(estimate_plan(plan, settings))}")
    from grave_cli.training.chip_workers import read_for_workers
    from grave_cli.training.trainer import run_training

    data = read_for_workers(plan, settings, progress)
    return run_training(settings, data, name=name, unfinished=unfinished, progress=progress)


def follow_machine(settings: Settings, unfinished: "Unfinished | None", progress: Progress) -> int:
    """Train along with machine 0, unless this is it; machine 0 keeps the run.

    Args:
        settings: All settings, as on machine 0.
        unfinished: A run to continue; None for a new one.
        progress: Receives progress and notes.

    Returns:
        Number of this machine. If it is 0, nothing has been done.

    Raises:
        GraveError: Data, settings or model weights cannot be used, or the training failed.
    """
    from grave_cli.dataset.training_data import plan_training
    from grave_cli.training.chip_workers import read_for_workers
    from grave_cli.training.peers import find_place
    from grave_cli.training.trainer import follow_training

    place = find_place(settings)
    if place.node:
        data = read_for_workers(plan_training(settings, progress), settings, progress)
        follow_training(place, settings, data, unfinished.checkpoint if unfinished else None)
    return place.node


def _list_parts(parts: "Sequence[PartPlan]") -> str:
    graves = sum(len(part.graves) for part in parts)
    names = ", ".join(part.part.name for part in parts[:_NAMED])
    more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
    return f"{names}{more} ({counted(graves, 'grave')})"


def _in_words(estimate: "Estimate") -> str:
    return (
        f"{counted(estimate.epochs, 'epoch')} of {counted(estimate.steps_per_epoch, 'step')}, "
        f"about {duration(estimate.seconds)} at most, {estimate.memory_gb:.1f} GB, "
        f"on {estimate.device}"
    )
