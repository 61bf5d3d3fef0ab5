"""Probabilities by ONNX Runtime on a CPU: no torch, and 1.5 to 2 times as fast."""

import numpy as np
from numpy.typing import NDArray

from grave_cli.errors import ModelError
from grave_cli.model.bundle import WEIGHTS_KEY, Bundle
from grave_cli.model.onnx_runtime import load_onnxruntime

_BATCH_MPX = 0.6  # the default network then takes 0.4 GB; larger batches are no faster


class OnnxEngine:
    """Runs the ONNX form of a bundle's network.

    Args:
        bundle: The model; it has an ONNX form.
        threads: Number of threads; 0: one per physical core.

    Raises:
        ModelError: The file is damaged, or was not made from the bundle's weights.
    """

    batch_mpx = _BATCH_MPX

    def __init__(self, bundle: Bundle, threads: int = 0) -> None:
        onnxruntime = load_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors
        # Spinning threads would take the cores from the threads that read the next pixels.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # By default the memory arena doubles with each request, far beyond the need.
        arena = {"arena_extend_strategy": "kSameAsRequested"}
        providers = [("CPUExecutionProvider", arena)]
        try:
            self._session = onnxruntime.InferenceSession(bundle.onnx, options, providers=providers)
        except Exception as error:  # onnxruntime has no common base of its own
            reason = str(error).splitlines()[0]
            raise ModelError(f"network cannot be loaded: {reason}", where=bundle.onnx) from None
        made_from = self._session.get_modelmeta().custom_metadata_map.get(WEIGHTS_KEY)
        if made_from != bundle.sha256:
            raise ModelError(
                "the ONNX file was not made from the weights beside it",
                where=bundle.onnx,
                found=f"weights {made_from}",
                expected=bundle.sha256,
                remedy=f"delete {bundle.onnx.name}: torch then computes from the weights",
            )

        channels = self._session.get_inputs()[0].shape[1]
        expected = bundle.card.architecture.in_channels
        if channels != expected:
            raise ModelError(
                "the ONNX file has other input channels than the model's description",
                where=bundle.onnx,
                found=channels,
                expected=expected,
            )

    @property
    def name(self) -> str:
        """Runtime and device."""
        return "ONNX Runtime on cpu"

    def probabilities(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute probabilities like `Engine.probabilities`."""
        result: NDArray[np.float32] = self._session.run(None, {"pixels": batch})[0]
        return result
