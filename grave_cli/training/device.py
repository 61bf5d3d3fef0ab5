"""The device of a training, chosen by the rule for predictions, and its memory."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from grave_cli.errors import ModelError, OutOfMemoryError
from grave_cli.mapping.torch_engine import choose_device
from grave_cli.settings.tree import Settings


def training_device(settings: Settings) -> str:
    """Return the device of a training; auto takes the best available one.

    Raises:
        ModelError: The device is missing.
    """
    try:
        return choose_device(settings.training.device)
    except ModelError as error:
        raise ModelError(
            error.what, found=error.found, remedy="set training.device to auto"
        ) from None


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
        if not _is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            "not enough memory for the training",
            found=f"batches of {batch_size}",
            remedy="set a smaller chips.batch_size",
        ) from error


def _is_out_of_memory(error: Exception) -> bool:
    """Recognise exhausted memory; torch has no exception class for that of a CPU."""
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or "can't allocate memory" in str(error)
