"""The device of a training, chosen by the rule for predictions."""

from grave_cli.errors import ModelError
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
