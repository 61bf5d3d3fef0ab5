"""A batch of network inputs in, probabilities out: one protocol, whatever computes them."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from grave_cli.bundle import Bundle
from grave_cli.errors import ModelError

Batch = NDArray[np.float32]


class Engine(Protocol):
    """Computes probabilities."""

    @property
    def name(self) -> str:
        """What computes, and where ("torch on cpu")."""
        ...

    def probabilities(self, batch: Batch) -> Batch:
        """Compute the probabilities of body, border and contact.

        Shapes:
            batch: (N, C, H, W), H and W multiples of 32; returns: (N, 3, H, W)
        """
        ...


class TorchEngine:
    """Runs a bundle's network with torch.

    Args:
        bundle: The model.
        device: cpu, cuda, mps, or auto for the best there is.

    Raises:
        ModelError: The device is not there, or the weights do not fit.
    """

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        import torch

        from grave_cli.learning.export import load_network

        self.device = _choose_device(device)
        network = load_network(bundle).to(self.device)
        self._network = network.to(memory_format=torch.channels_last)

    @property
    def name(self) -> str:
        """What computes, and where."""
        return f"torch on {self.device}"

    def probabilities(self, batch: Batch) -> Batch:
        """Compute probabilities like `Engine.probabilities`."""
        import torch

        with torch.inference_mode():
            tensor = torch.from_numpy(batch).to(self.device, memory_format=torch.channels_last)
            result: Batch = torch.sigmoid(self._network(tensor)).cpu().numpy()
            return result


def _choose_device(device: str) -> str:
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
        raise ModelError(f"device {device} is not there", found=found, remedy="use --device auto")
    return device
