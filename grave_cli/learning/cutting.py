"""Windows of cemetery arrays: chips before they become network input."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grave_cli.dataset.cemetery_arrays import CemeteryArrays
from grave_cli.rasters.grid import Window


@dataclass(frozen=True)
class Chip:
    """Arrays in one window; pixels beyond the cemetery's edge are not valid.

    Args:
        rgb: Colours, 0 to 255.
        valid: True where the orthophoto has pixels.
        scored: True where the ground truth is known; loss and metrics count only there.
        elevation: Elevation features in their own units, NaN where unknown; None for rgb.
        instances: Grave ids from 1; 0 is background.

    Shapes:
        rgb: (3, H, W); valid: (H, W); scored: (H, W); elevation: (features, H, W);
            instances: (H, W)
    """

    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    scored: NDArray[np.bool_]
    elevation: NDArray[np.float32] | None
    instances: NDArray[np.int32]


def cut_chip(arrays: CemeteryArrays, window: Window) -> Chip:
    """Cut a window out of the arrays; it may reach beyond their edges."""
    height, width = arrays.grid.shape
    rows, above = _overlap(int(window.row_off), int(window.height), height)
    columns, beside = _overlap(int(window.col_off), int(window.width), width)
    margins = (above, beside)

    def cut(array: NDArray[Any], fill: float = 0) -> NDArray[Any]:
        inside = array[..., rows, columns]
        if margins == ((0, 0), (0, 0)):
            return np.asarray(inside)  # a view: most windows lie inside
        around = ((0, 0),) * (array.ndim - 2) + margins
        return np.pad(inside, around, constant_values=fill)

    valid = cut(arrays.valid)
    elevation = None if arrays.elevation is None else cut(arrays.elevation, np.nan)
    labelled = True if arrays.labelled is None else cut(arrays.labelled)
    return Chip(cut(arrays.rgb), valid, valid & labelled, elevation, cut(arrays.instances))


def _overlap(start: int, size: int, length: int) -> tuple[slice, tuple[int, int]]:
    """Clip a range to [0, length), and count the missing pixels before and after it.

    Start -2, size 5, length 10: 0 to 3, 2 missing before. Start 12: nothing, 5 missing after.
    """
    first, last = (min(max(edge, 0), length) for edge in (start, start + size))
    before = min(max(-start, 0), size)
    return slice(first, last), (before, size - before - (last - first))
