"""A trained network to a bundle on disk, with its ONNX form, and back."""

import json
from pathlib import Path

import safetensors.torch
from torch import nn

from grave_cli.errors import ModelError
from grave_cli.model.architecture import Architecture
from grave_cli.model.bundle import Bundle, ModelCard
from grave_cli.model.network import build_network
from grave_cli.model.onnx_form import write_onnx
from grave_cli.model.weight_fitting import fit_tensor
from grave_cli.rasters.recipe import InputRecipe


def write_network(folder: Path, network: nn.Module, card: ModelCard) -> Bundle:
    """Write the weights of a network and its ONNX form into a folder.

    The folder becomes a model when `write_card` adds the description.

    Args:
        folder: Created if missing.
        network: The network, on the CPU.
        card: Its description; scores and thresholds may still change.

    Raises:
        ModelError: The ONNX form computes other probabilities than the network.
    """
    folder.mkdir(parents=True, exist_ok=True)
    bundle = Bundle(folder=folder, card=card)
    # safetensors refuses tensors in channels-last order.
    weights = {name: value.contiguous().cpu() for name, value in network.state_dict().items()}
    safetensors.torch.save_file(weights, bundle.weights)
    write_onnx(bundle, network)
    return bundle


def load_network(bundle: Bundle) -> nn.Module:
    """Build the network of a bundle and load its weights, ready to predict.

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


def continue_from(bundle: Bundle, architecture: Architecture, recipe: InputRecipe) -> nn.Module:
    """Build a network that starts with the weights of a model, to fine-tune it.

    A model for rgb can start one for rgb+dem: with zero elevation, its predictions do not change.

    Args:
        bundle: The model to start from.
        architecture: The network to build.
        recipe: Preprocessing of its input.

    Raises:
        ModelError: The model has another architecture, another normalisation or other channels, or
            its weights are damaged.
    """
    card = bundle.card
    _check_alike(card.architecture, architecture, card.name)
    if (card.recipe.mean, card.recipe.std) != (recipe.mean, recipe.std):
        raise ModelError(
            "the model to start from normalises colours differently",
            where=card.name,
            found=f"mean {card.recipe.mean}",
            expected=recipe.mean,
            remedy="set model.encoder_weights as in its training",
        )
    if card.recipe.features not in ((), recipe.features):
        raise ModelError(
            "the model to start from has other input channels",
            where=card.name,
            found=f"rgb and {', '.join(card.recipe.features)}",
            expected=f"rgb and {', '.join(recipe.features)}" if recipe.features else "rgb",
        )
    network = build_network(architecture)
    kept, channels = load_network(bundle).state_dict(), architecture.in_channels
    network.load_state_dict(
        {
            name: fit_tensor(kept[name], tensor, channels, f"{card.name}: {name}")
            for name, tensor in network.state_dict().items()
        }
    )
    return network


def _check_alike(found: Architecture, wanted: Architecture, name: str) -> None:
    # Further input channels are no obstacle: `fit_tensor` extends the first convolution.
    for key, value in wanted.model_dump(exclude={"in_channels"}).items():
        own = getattr(found, key)
        if own != value:
            setting = "architecture" if key == "name" else key
            raise ModelError(
                "the model to start from has another network",
                where=name,
                found=f"model.{setting} {own}",
                expected=value,
                remedy=f"add --set model.{setting}={json.dumps(own)}",
            )
