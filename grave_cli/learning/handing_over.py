"""Objects for other processes, in shared memory, so that the processes start side by side.

A process that starts is sent its work through a pipe, which takes 64 kB before the process reads.
Beyond that, each process would be waited for until it has imported torch, one after the other.
"""

import pickle
from typing import Any

import torch
from torch import Tensor


class SharedState:
    """A base class: the state of an object lies in shared memory when it is sent to a process.

    It is packed once. An object must not change after it has been sent, and holds no tensors.
    """

    _packed: Tensor | None = None

    def __getstate__(self) -> dict[str, Tensor]:
        """Return the packed state."""
        if self._packed is None:
            packed = torch.frombuffer(bytearray(pickle.dumps(vars(self))), dtype=torch.uint8)
            packed.share_memory_()  # type: ignore[no-untyped-call]
            self._packed = packed
        return {"_packed": self._packed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Unpack the state."""
        vars(self).update(pickle.loads(state["_packed"].numpy()))
