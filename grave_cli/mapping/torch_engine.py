"""Probabilities by torch: on a GPU, or on a CPU if a model has no ONNX form."""

import numpy as np
from numpy.typing import NDArray

from grave_cli.errors import ModelError
from grave_cli.model.bundle import Bundle

_BATCH_MPX = {"cuda": 8.0, "mps": 4.0, "cpu": 1.0}


class TorchEngine:
    """Runs a bundle's network with torch.

    Args:
        bundle: The model.
        device: cpu, cuda, mps, or auto for the best there is.
        threads: Threads on a CPU; 0: the default of torch.

    Raises:
        ModelError: The device is missing, or the weights do not fit.
    """

    def __init__(self, bundle: Bundle, device: str = "auto", threads: int = 0) -> None:
        import torch

        from grave_cli.model.export import load_network

        self.device = choose_device(device)
        if threads and self.device == "cpu":
            torch.set_num_threads(threads)
        network = load_network(bundle).to(self.device)
        self._network = network.to(memory_format=torch.channels_last)

    @property
    def name(self) -> str:
        """Runtime and device."""
        return f"torch on {self.device}"

    @property
    def batch_mpx(self) -> float:
        """Best size of a batch, in megapixels."""
        return _BATCH_MPX[self.device]

    def probabilities(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute probabilities like `Engine.probabilities`; on CUDA in mixed precision."""
        import torch

        mixed = torch.autocast("cuda", enabled=self.device == "cuda")
        with torch.inference_mode(), mixed:
            pixels = torch.from_numpy(batch)
            if self.device == "cuda":
                pixels = pixels.pin_memory()
            pixels = pixels.to(self.device, memory_format=torch.channels_last, non_blocking=True)
            logits = self._network(pixels).float()
            result: NDArray[np.float32] = torch.sigmoid(logits).contiguous().cpu().numpy()
            return result


def choose_device(device: str) -> str:
    """Return the device of the computation; auto takes the best available one.

    Raises:
        ModelError: The device is missing.
    """
    import torch

    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present.get(device, False):
        found = ", ".join(name for name, there in present.items() if there)
        raise ModelError(
            f"device {device} is not available", found=found, remedy="use --device auto"
        )
    return device
