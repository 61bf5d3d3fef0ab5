"""A trained network to a bundle on disk, with its ONNX form, and back."""

from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from grave_cli.errors import ModelError
from grave_cli.model.architecture import Architecture
from grave_cli.model.bundle import Bundle, ModelCard
from grave_cli.model.network import build_network
from grave_cli.model.onnx_form import write_onnx
from grave_cli.model.weight_fitting import rearrange_stem
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.inputs import ElevationFeature


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
    # Not `save_file`: it makes a file that only its owner can read.
    bundle.weights.write_bytes(safetensors.torch.save(weights))
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

    The model may have other elevation features. One for rgb can start one for rgb+dem: with zero
    elevation, its predictions do not change. One for rgb+dem can start one for rgb. If the recipes
    scale heights differently, the weights make up for it: a metre stays a metre.

    Args:
        bundle: The model to start from.
        architecture: The network to build; it differs from the model's in the input channels only.
        recipe: The input of the network to build.

    Raises:
        ModelError: The model's weights are damaged.
    """
    network = build_network(architecture)
    weights = load_network(bundle).state_dict()
    before = bundle.card.recipe
    scales = torch.tensor([_scale(name, recipe, before) for name in recipe.features])
    is_changed = before.features != recipe.features or bool((scales != 1).any())
    for name in _stems(network, architecture) if is_changed else ():
        weights[name] = rearrange_stem(weights[name], before.features, recipe.features)
        weights[name][:, 3:] *= scales[:, None, None]
    network.load_state_dict(weights)
    return network


def _scale(name: ElevationFeature, recipe: InputRecipe, before: InputRecipe) -> float:
    """Return how much smaller a recipe makes a feature than one before; 1 for a new feature."""
    if name not in before.features:
        return 1.0
    return recipe.feature_scale(name)[-1] / before.feature_scale(name)[-1]


def _stems(network: nn.Module, architecture: Architecture) -> list[str]:
    """Name the weights that read the input: those of MobileOne, FastViT and RepVGG are several.

    A network with one more input channel tells them by their shape.
    """
    wider = build_network(
        architecture.model_copy(update={"in_channels": architecture.in_channels + 1})
    )
    shapes = {name: tensor.shape for name, tensor in wider.state_dict().items()}
    return [name for name, tensor in network.state_dict().items() if tensor.shape != shapes[name]]
