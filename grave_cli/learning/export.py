"""A trained network to a bundle on disk, and back."""

from pathlib import Path

import safetensors.torch
from torch import nn

from grave_cli.bundle import WEIGHTS_FILE, Bundle, ModelCard, write_card
from grave_cli.errors import ModelError
from grave_cli.learning.network import build_network


def write_bundle(folder: Path, network: nn.Module, card: ModelCard) -> None:
    """Write a network and its description into a folder.

    Args:
        folder: Is made when it is missing.
        network: The network whose weights are kept.
        card: Its description.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.contiguous().cpu() for name, value in network.state_dict().items()}
    safetensors.torch.save_file(weights, folder / WEIGHTS_FILE)
    write_card(folder, card)


def load_network(bundle: Bundle) -> nn.Module:
    """Build the network of a bundle, with its weights, ready to predict.

    Raises:
        ModelError: The weights are damaged or do not fit the description.
    """
    network = build_network(bundle.card.architecture)
    try:
        network.load_state_dict(safetensors.torch.load_file(bundle.weights))
    except (safetensors.SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"weights cannot be loaded: {reason}", where=bundle.weights) from None
    return network.eval()
