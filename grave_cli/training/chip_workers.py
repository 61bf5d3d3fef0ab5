"""The processes that prepare chips beside a training, and arrays that they can open."""

from grave_cli.dataset.training_data import TrainingData, TrainingPlan, read_training_data
from grave_cli.processes import usable_cores
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.tree import Settings
from grave_cli.training.device import training_device

_MAX_WORKERS = 16


def count_workers(settings: Settings) -> int:
    """Return the number of processes that prepare chips; -1 in the settings is resolved.

    On a CPU, the training itself needs all cores. A GPU takes more chips than one core prepares.

    Raises:
        ModelError: The device is missing.
    """
    workers = settings.training.workers
    if workers >= 0:
        return workers
    if training_device(settings) == "cpu":
        return 0
    cores = usable_cores() // settings.training.devices
    return max(1, min(_MAX_WORKERS, cores - 1))


def read_for_workers(
    plan: TrainingPlan, settings: Settings, progress: Progress = SILENT
) -> TrainingData:
    """Read the data of a training, into files if other processes open it.

    See `read_training_data`.
    """
    in_files = count_workers(settings) > 0 or settings.training.devices > 1
    return read_training_data(plan, settings, progress, in_files=in_files)
