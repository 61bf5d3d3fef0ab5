"""A batch of network inputs in, probabilities out: one protocol for all runtimes.

A CPU computes with ONNX Runtime (`onnx_engine.py`), a GPU with torch (`torch_engine.py`), which is
not imported before it is needed. `Symmetries` wraps either.
"""

import ctypes
import platform
import sys
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from grave_cli.model.bundle import Bundle
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.mapping import PredictionSettings

Batch = NDArray[np.float32]


class Engine(Protocol):
    """Computes probabilities."""

    @property
    def name(self) -> str:
        """Runtime and device, as in "ONNX Runtime on cpu"."""
        ...

    @property
    def batch_mpx(self) -> float:
        """Best size of a batch, in megapixels; it bounds the memory."""
        ...

    def probabilities(self, batch: Batch) -> Batch:
        """Compute the probabilities of body, border and contact.

        Shapes:
            batch: (N, C, H, W), H and W multiples of 32; returns: (N, 3, H, W)
        """
        ...


def open_engine(
    bundle: Bundle, settings: PredictionSettings, progress: Progress = SILENT
) -> Engine:
    """Choose an engine for a model, and load the model.

    Args:
        bundle: The model.
        settings: Device (auto takes a GPU if there is one), threads, symmetries.
        progress: Receives a note if only torch can run the model.

    Raises:
        ModelError: The device is missing, or the model's files are damaged or do not fit.
    """
    engine = _open(bundle, settings, progress)
    return engine if settings.tta == 1 else Symmetries(engine, settings.tta)


def _open(bundle: Bundle, settings: PredictionSettings, progress: Progress) -> Engine:
    device: str = settings.device
    if device == "auto" and not _gpu_is_likely():
        device = "cpu"
    if device != "cpu":
        from grave_cli.mapping.torch_engine import TorchEngine, choose_device

        device = choose_device(device)
        if device != "cpu":
            return TorchEngine(bundle, device)
    if bundle.onnx.is_file():
        from grave_cli.mapping.onnx_engine import OnnxEngine

        return OnnxEngine(bundle, settings.threads)
    from grave_cli.mapping.torch_engine import TorchEngine

    progress.note(
        f"Model {bundle.card.name} holds no {bundle.onnx.name}: torch computes it, more slowly"
    )
    return TorchEngine(bundle, device, settings.threads)


def _gpu_is_likely() -> bool:
    """Look for a GPU driver, to spare the import of torch where there is none."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


Count = Literal[4, 8]
"""4: the flips, single and combined. 8: these of the image and of its transpose."""


class Symmetries:
    """Test-time augmentation: the mean of an engine's probabilities over flips and transposes.

    Args:
        engine: The engine.
        count: Number of orientations; multiplies the time.
    """

    def __init__(self, engine: "Engine", count: Count) -> None:
        self._engine = engine
        self._transposed = (False, True) if count == 8 else (False,)
        self.name = f"{engine.name}, mean of {count} orientations"
        self.batch_mpx = engine.batch_mpx

    def probabilities(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute probabilities like `Engine.probabilities`."""
        total = np.zeros((len(batch), 3, *batch.shape[2:]), np.float32)
        for transposed in self._transposed:
            pixels, result = (_turned(array, transposed) for array in (batch, total))
            for axes in ((), (2,), (3,), (2, 3)):
                asked = np.ascontiguousarray(np.flip(pixels, axes))
                result += np.flip(self._engine.probabilities(asked), axes)
        total /= 4 * len(self._transposed)
        return total


def _turned(array: NDArray[np.float32], transposed: bool) -> NDArray[np.float32]:
    """Return a view with rows and columns swapped, or the array itself."""
    return array.swapaxes(2, 3) if transposed else array
