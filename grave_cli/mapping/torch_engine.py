"""Probabilities by torch: on a GPU, or on a CPU if a model has no ONNX form."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from grave_cli.errors import memory_fault
from grave_cli.mapping.engine import orientations, with_orientations
from grave_cli.mapping.probability_map import LEVELS, Levels
from grave_cli.model.bundle import Bundle

if TYPE_CHECKING:
    from torch import Size, Tensor

_BATCH_MPX = {"cuda": 8.0, "mps": 4.0, "cpu": 1.0}
_TRIAL_PX = 128  # edge of the tile that half precision is tried with


class TorchEngine:
    """Runs a bundle's network with torch, in half precision where the GPU is made for it.

    Args:
        bundle: The model.
        device: cpu, cuda, mps, or auto for the best there is.
        threads: Threads on a CPU; 0: the default of torch.
        tta: Orientations that are averaged.

    Raises:
        ModelError: The device is missing, or the weights do not fit.
    """

    def __init__(
        self, bundle: Bundle, device: str = "auto", threads: int = 0, tta: int = 1
    ) -> None:
        import torch

        from grave_cli.model import device as rule
        from grave_cli.model.export import load_network

        self.device = rule.choose_device(device)
        if threads and self.device == "cpu":
            torch.set_num_threads(threads)
        self._layout = rule.memory_layout(self.device)
        self._network = load_network(bundle).to(memory_format=self._layout).to(self.device)
        self._tta = tta
        trial = torch.zeros((1, bundle.card.architecture.in_channels, _TRIAL_PX, _TRIAL_PX))
        trial = trial.normal_(generator=torch.Generator().manual_seed(0)).to(self.device)
        self.half = rule.suits_half_precision(self.device) and rule.half_precision_agrees(
            self._network, trial.contiguous(memory_format=self._layout)
        )

    @property
    def name(self) -> str:
        """Runtime, device and precision."""
        name = f"torch on {self.device}{' in half precision' if self.half else ''}"
        return with_orientations(name, self._tta)

    @property
    def batch_mpx(self) -> float:
        """Best size of a batch, in megapixels."""
        return _BATCH_MPX[self.device]

    def probabilities(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute probabilities like `Engine.probabilities`."""
        import torch

        with torch.inference_mode():
            pixels = torch.from_numpy(batch).to(self.device)
            result: NDArray[np.float32] = self._compute(pixels).contiguous().cpu().numpy()
            return result

    def _compute(self, pixels: "Tensor") -> "Tensor":
        """Return the mean over the orientations, (N, 3, H, W) of float32 on the device."""
        total: Tensor | float = 0.0
        for transposed, axes in orientations(self._tta):
            turned = pixels.mT if transposed else pixels
            answer = self._once(turned.flip(axes)).flip(axes) if axes else self._once(turned)
            total = total + (answer.mT if transposed else answer)
        assert not isinstance(total, float)  # there is at least one orientation
        return total / self._tta if self._tta > 1 else total

    def _once(self, pixels: "Tensor") -> "Tensor":
        import torch

        mixed = torch.autocast(self.device, torch.float16) if self.half else nullcontext()
        with mixed:
            logits = self._network(pixels.contiguous(memory_format=self._layout))
        return torch.sigmoid(logits.float())


class GpuEngine(TorchEngine):
    """Computes a batch on a GPU while the next one is read, as a `StartingEngine`.

    A batch that is too large for the memory is computed in halves, and so are the next ones.

    Args:
        bundle: The model.
        device: cuda or mps.
        tta: Orientations that are averaged.
    """

    def __init__(self, bundle: Bundle, device: str, tta: int = 1) -> None:
        super().__init__(bundle, device, tta=tta)
        self._most: int | None = None  # tiles of a batch, once the memory has been too small
        self._staging = _Staging() if self.device == "cuda" else None

    def start(self, tiles: Sequence[NDArray[np.float32]]) -> Callable[[], Levels]:
        """Begin to compute tiles like `StartingEngine.start`."""
        most = self._most or len(tiles)
        if len(tiles) > most:
            parts = [self.start(tiles[at : at + most])() for at in range(0, len(tiles), most)]
            return lambda: np.concatenate(parts)
        try:
            return self._start(tiles)
        except RuntimeError as error:
            if len(tiles) == 1 or memory_fault(error) is None:
                raise
        from grave_cli.model.device import empty_cache

        self._most = len(tiles) // 2
        empty_cache(self.device)  # here the failed batch is gone
        return self.start(tiles)

    def _start(self, tiles: Sequence[NDArray[np.float32]]) -> Callable[[], Levels]:
        import torch

        with torch.inference_mode():
            if self._staging is not None:
                return self._staging.start(tiles, self._levels)
            levels = self._levels(torch.from_numpy(np.stack(tiles)).to(self.device))
        return lambda: levels.cpu().numpy()

    def _levels(self, pixels: "Tensor") -> "Tensor":
        """Round probabilities on the device: a quarter of the bytes to copy."""
        import torch

        return (self._compute(pixels) * LEVELS).round().to(torch.uint8).contiguous()


class _Staging:
    """Copies batches to a CUDA device and levels back while the device computes.

    Tiles are stacked in page-locked memory, which the device reads and writes by itself. A stream
    of its own copies a batch while the one before is computed.
    """

    def __init__(self) -> None:
        import torch

        self._upload = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._free: list[_Buffers] = []

    def start(
        self, tiles: Sequence[NDArray[np.float32]], compute: Callable[["Tensor"], "Tensor"]
    ) -> Callable[[], Levels]:
        """Begin to copy and compute a batch; the result waits for its levels and copies them."""
        import torch

        buffers = self._free.pop() if self._free else _Buffers()
        stacked = buffers.pixels(torch.Size((len(tiles), *tiles[0].shape)))
        np.stack(tiles, out=stacked.numpy())
        computing = torch.cuda.current_stream()
        with torch.cuda.stream(self._upload):
            pixels = stacked.to("cuda", non_blocking=True)
        computing.wait_stream(self._upload)
        pixels.record_stream(computing)
        levels = compute(pixels)
        result = buffers.levels(levels.shape)
        result.copy_(levels, non_blocking=True)
        # A blocking event lets the waiting thread sleep: others read pixels meanwhile.
        done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        done.record()

        def collect() -> Levels:
            done.synchronize()
            copied: Levels = result.numpy().copy()
            self._free.append(buffers)
            return copied

        return collect


class _Buffers:
    """Page-locked memory for a batch and its levels; it grows to the largest batch."""

    def __init__(self) -> None:
        import torch

        self._pixels = torch.empty(0, dtype=torch.float32)
        self._levels = torch.empty(0, dtype=torch.uint8)

    def pixels(self, shape: "Size") -> "Tensor":
        """Return room for the pixels of a batch."""
        self._pixels, view = _grown(self._pixels, shape)
        return view

    def levels(self, shape: "Size") -> "Tensor":
        """Return room for its levels."""
        self._levels, view = _grown(self._levels, shape)
        return view


def _grown(buffer: "Tensor", shape: "Size") -> tuple["Tensor", "Tensor"]:
    """Return a page-locked buffer that is large enough, and the view of its begin in a shape."""
    import torch

    if buffer.numel() < shape.numel():
        buffer = torch.empty(shape.numel(), dtype=buffer.dtype, pin_memory=True)
    return buffer, buffer[: shape.numel()].view(shape)
