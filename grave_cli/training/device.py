"""The device of a training, its number format and its memory."""

from collections.abc import Iterator
from contextlib import contextmanager

from grave_cli.errors import OutOfMemoryError, memory_fault
from grave_cli.model.device import Device, choose_device
from grave_cli.model.device import training_precision as precision_on
from grave_cli.settings.tree import Settings


def training_device(settings: Settings) -> Device:
    """Return the device of a training; auto takes the best available one.

    Raises:
        ModelError: The device is missing.
        SettingsError: It does not train in the precision of the settings.
    """
    device = choose_device(settings.training.device, "set training.device to auto")
    precision_on(settings.training.precision, device)
    return device


def training_precision(settings: Settings) -> str:
    """Return the number format of a training, as Lightning names it.

    Raises:
        ModelError: The device is missing.
        SettingsError: It does not train in the precision of the settings.
    """
    return precision_on(settings.training.precision, training_device(settings))


@contextmanager
def memory_named(batch_size: int) -> Iterator[None]:
    """Name exhausted memory as such while the block runs.

    Args:
        batch_size: Chips in a batch.

    Raises:
        OutOfMemoryError: The memory is exhausted.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if memory_fault(error) is None:
            raise
        raise OutOfMemoryError(
            "not enough memory for the training",
            found=f"batches of {batch_size}",
            remedy="set a smaller chips.batch_size",
        ) from error
