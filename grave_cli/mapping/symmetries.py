"""Test-time augmentation: an engine that asks another in several orientations and averages.

A grave is a grave from whatever side it is looked at; the average of what a network says to all
sides turns with the picture exactly, and is a little better than each of them.
"""

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from grave_cli.mapping.engine import Engine

Count = Literal[4, 8]
"""4: the flips, and both at once. 8: these, and the same of the transposed picture."""


class Symmetries:
    """Averages an engine's probabilities over the symmetries of a square.

    Args:
        engine: What computes.
        count: How many orientations it is asked in; the time it takes is as many times longer.
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
    """Return a view of an array with rows and columns swapped, or the array itself."""
    return array.swapaxes(2, 3) if transposed else array
