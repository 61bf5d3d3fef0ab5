"""A network in, its ONNX form out, to be computed by ONNX Runtime without torch.

The ONNX form is kept only if it computes the same probabilities as the network.
"""

import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from grave_cli.errors import ModelError
from grave_cli.model.bundle import ONNX_FILE, WEIGHTS_KEY, Bundle
from grave_cli.model.onnx_runtime import load_onnxruntime

TOLERANCE = 1e-3
"""Largest difference in probability between two engines, at 32-bit precision."""

_OPSET = 17  # supported by both torch 2.6 and ONNX Runtime 1.22
_PROBES = ((2, 64, 96), (1, 160, 64))  # batch, rows, columns; the file must fix none of them
_EXPORTED = (1, 64, 64)


def write_onnx(bundle: Bundle, network: nn.Module) -> None:
    """Export a network with its sigmoid as ONNX into its bundle, and check its probabilities.

    Batch size, height and width stay free. The file records the hash of its weights.

    Args:
        bundle: The bundle of the network.
        network: The network, on the CPU.

    Raises:
        ModelError: The ONNX form computes other probabilities than the network.

    Shapes:
        pixels: (n, channels, height, width); probabilities: (n, 3, height, width)
    """
    import onnx

    whole = nn.Sequential(network, nn.Sigmoid()).eval()
    free = {0: "n", 2: "height", 3: "width"}
    with warnings.catch_warnings():
        # The successor of this exporter needs the package onnxscript.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Tracing fixes decisions that depend on a shape; the probes below show if that matters.
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
    if not difference <= TOLERANCE:  # NaN is refused as well
        raise ModelError(
            f"{ONNX_FILE} computes other probabilities than the network",
            where=bundle.card.name,
            found=f"a difference of {difference:.2g}",
            expected=f"at most {TOLERANCE:g}",
        )


def _difference(bundle: Bundle, network: nn.Module, shape: tuple[int, int, int]) -> float:
    onnxruntime = load_onnxruntime()
    pixels = _probe(bundle, shape)
    session = onnxruntime.InferenceSession(bundle.onnx, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"pixels": pixels.numpy()})
    with torch.inference_mode():
        expected: NDArray[np.float32] = network(pixels).numpy()
    return float(np.abs(answer - expected).max())


def _probe(bundle: Bundle, shape: tuple[int, int, int]) -> torch.Tensor:
    """Make random input in the range of a recipe's output."""
    generator = torch.Generator().manual_seed(0)
    batch, height, width = shape
    channels = bundle.card.architecture.in_channels
    return torch.randn((batch, channels, height, width), generator=generator)
