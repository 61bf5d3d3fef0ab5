"""A network in, the same network as ONNX out: what ONNX Runtime computes without torch.

It is checked against the network before it is kept: both have to say the same.
"""

import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from grave_cli.errors import ModelError
from grave_cli.model.bundle import ONNX_FILE, WEIGHTS_KEY, Bundle

TOLERANCE = 1e-3
"""Largest difference in probability between two engines, in 32 bits."""

_OPSET = 17  # what torch 2.6 and ONNX Runtime 1.22 both know
_PROBES = ((2, 64, 96), (1, 160, 64))  # batch, rows, columns: none of them fixed in the file
_EXPORTED = (1, 64, 64)


def write_onnx(bundle: Bundle, network: nn.Module) -> None:
    """Write a network as ONNX, sigmoid included, into its bundle, and check that it is the same.

    Batch, height and width stay free. The file names the weights it was made from.

    Args:
        bundle: The bundle of the network.
        network: The network, on the CPU.

    Raises:
        ModelError: It does not compute what the network does.

    Shapes:
        pixels: (n, channels, height, width); probabilities: (n, 3, height, width)
    """
    import onnx

    whole = nn.Sequential(network, nn.Sigmoid()).eval()
    free = {0: "n", 2: "height", 3: "width"}
    with warnings.catch_warnings():
        # The exporter that replaces it needs onnxscript.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Decisions that depend on a shape are fixed by tracing: whether that matters is checked.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        torch.onnx.export(
            whole,
            (_probe(bundle, _EXPORTED),),
            bundle.onnx,
            dynamo=False,
            opset_version=_OPSET,
            input_names=["pixels"],
            output_names=["probabilities"],
            dynamic_axes={"pixels": free, "probabilities": free},
        )
    model = onnx.load(bundle.onnx)
    onnx.helper.set_model_props(model, {WEIGHTS_KEY: bundle.sha256})
    onnx.save(model, bundle.onnx)
    difference = max(_difference(bundle, whole, shape) for shape in _PROBES)
    if not difference <= TOLERANCE:
        raise ModelError(
            f"{ONNX_FILE} does not compute what the network does",
            where=bundle.card.name,
            found=f"probabilities that differ by {difference:.2g}",
            expected=f"at most {TOLERANCE:g}",
        )


def _difference(bundle: Bundle, network: nn.Module, shape: tuple[int, int, int]) -> float:
    import onnxruntime

    pixels = _probe(bundle, shape)
    session = onnxruntime.InferenceSession(bundle.onnx, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"pixels": pixels.numpy()})
    with torch.inference_mode():
        expected: NDArray[np.float32] = network(pixels).numpy()
    return float(np.abs(answer - expected).max())


def _probe(bundle: Bundle, shape: tuple[int, int, int]) -> torch.Tensor:
    """Make an input of the range that recipes give."""
    generator = torch.Generator().manual_seed(0)
    batch, height, width = shape
    channels = bundle.card.architecture.in_channels
    return torch.randn((batch, channels, height, width), generator=generator)
