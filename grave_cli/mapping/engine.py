"""A batch of network inputs in, probabilities out: one protocol for all runtimes.

A CPU computes with ONNX Runtime (`onnx_engine.py`), a GPU with torch (`torch_engine.py`), which is
not imported before it is needed. `Symmetries` wraps either.
"""

import ctypes
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from grave_cli.model.bundle import Bundle
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.mapping import PredictionSettings

Batch = NDArray[np.float32]
Result = Callable[[], Batch | NDArray[np.uint8]]
"""Waits for the probabilities of a batch, perhaps already times 255 and rounded."""


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


@runtime_checkable
class StartingEngine(Engine, Protocol):
    """An engine that computes elsewhere, on a GPU, while the caller does something else."""

    def start(self, tiles: Sequence[Batch]) -> Callable[[], NDArray[np.uint8]]:
        """Begin to compute tiles; the result waits for their levels, once.

        Shapes:
            tiles: (C, H, W) each, of one size; the result returns: (N, 3, H, W)
        """
        ...


def start_tiles(engine: Engine, tiles: Sequence[Batch]) -> Result:
    """Begin to compute tiles, (C, H, W) each; an engine that cannot begin computes them at once."""
    if isinstance(engine, StartingEngine):
        return engine.start(tiles)
    results = engine.probabilities(np.stack(tiles))
    return lambda: results


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
    device: str = settings.device
    if device == "auto" and not _gpu_is_likely():
        device = "cpu"
    if device != "cpu":
        from grave_cli.mapping.torch_engine import GpuEngine
        from grave_cli.model.device import choose_device

        device = choose_device(device)
        if device != "cpu":
            return GpuEngine(bundle, device, settings.tta)
    if bundle.onnx.is_file():
        from grave_cli.mapping.onnx_engine import OnnxEngine

        engine = OnnxEngine(bundle, settings.threads)
        return engine if settings.tta == 1 else Symmetries(engine, settings.tta)
    from grave_cli.mapping.torch_engine import TorchEngine

    progress.note(
        f"Model {bundle.card.name} holds no {bundle.onnx.name}: torch computes it, more slowly"
    )
    return TorchEngine(bundle, device, settings.threads, settings.tta)


def _gpu_is_likely() -> bool:
    """Look for a GPU driver, to spare the import of torch where there is none."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if Path("/dev/kfd").exists():  # AMD, which torch calls CUDA too
        return True
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


Count = Literal[4, 8]
"""4: the flips, single and combined. 8: these of the image and of its transpose."""


def orientations(count: int) -> Iterator[tuple[bool, tuple[int, ...]]]:
    """Yield the first orientations: whether rows and columns are swapped, and the flipped axes."""
    for transposed in (False, True)[: max(1, count // 4)]:
        for axes in ((), (2,), (3,), (2, 3))[:count]:
            yield transposed, axes


def with_orientations(name: str, count: int) -> str:
    """Return an engine's name that says over how many orientations it averages."""
    return name if count == 1 else f"{name}, mean of {count} orientations"


class Symmetries:
    """Test-time augmentation: the mean of an engine's probabilities over flips and transposes.

    Args:
        engine: The engine.
        count: Number of orientations; multiplies the time.
    """

    def __init__(self, engine: "Engine", count: Count) -> None:
        self._engine = engine
        self._count = count
        self.name = with_orientations(engine.name, count)
        self.batch_mpx = engine.batch_mpx

    def probabilities(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute probabilities like `Engine.probabilities`."""
        total = np.zeros((len(batch), 3, *batch.shape[2:]), np.float32)
        for transposed, axes in orientations(self._count):
            pixels, result = (_turned(array, transposed) for array in (batch, total))
            asked = np.ascontiguousarray(np.flip(pixels, axes))
            result += np.flip(self._engine.probabilities(asked), axes)
        total /= self._count
        return total


def _turned(array: NDArray[np.float32], transposed: bool) -> NDArray[np.float32]:
    """Return a view with rows and columns swapped, or the array itself."""
    return array.swapaxes(2, 3) if transposed else array
