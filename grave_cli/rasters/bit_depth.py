"""Bit depth: the values of an orthophoto in, eight bits out.

Everything after reading sees eight bits. Those of a 16-bit orthophoto are scaled by one range for
all bands (colours keep their balance), measured once on the training cemeteries and fixed in the
model's recipe.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from grave_cli.errors import RasterReadError

ValueRange = tuple[float, float]
OWN_RANGE: Final = "own"
"""Scale a 16-bit orthophoto by its own range: good for looking at, not for a network."""

WantedRange = ValueRange | Literal["own"] | None
"""A measured range; the file's own; None where only 8-bit orthophotos are expected."""

DEPTHS = ("uint8", "uint16")
_LEVELS = 65536
_TAIL = 0.001  # share of the values that may lie below, and above, the range


class ValueCounter:
    """Counts the values of 16-bit orthophotos, each orthophoto with the same weight."""

    def __init__(self) -> None:
        self._shares = np.zeros(_LEVELS)

    def feed(self, values: NDArray[np.uint16]) -> None:
        """Add the valid values of one orthophoto.

        Args:
            values: Of all colours, in any shape.
        """
        if values.size:
            self._shares += np.bincount(values.ravel(), minlength=_LEVELS) / values.size

    @property
    def range(self) -> ValueRange:
        """The range that holds all but a thousandth of the values at each end."""
        total = self._shares.sum()
        if total == 0:
            return 0.0, float(_LEVELS - 1)
        cumulated = np.cumsum(self._shares) / total
        low = int(np.searchsorted(cumulated, _TAIL, side="right"))
        high = int(np.searchsorted(cumulated, 1 - _TAIL))
        return float(low), float(max(high, low + 1))


def range_of(values: Iterable[NDArray[np.uint16]]) -> ValueRange:
    """Measure the range of the valid values of some 16-bit orthophotos."""
    counter = ValueCounter()
    for some in values:
        counter.feed(some)
    return counter.range


def to_bytes(values: NDArray[Any], value_range: ValueRange | None) -> NDArray[np.uint8]:
    """Scale to eight bits; what has eight bits stays as it is.

    Args:
        values: uint8 or uint16.
        value_range: What becomes 0 and 255, for uint16.
    """
    if values.dtype == np.uint8 or value_range is None:
        return values.astype(np.uint8, copy=False)
    low, high = value_range
    scaled = (values.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
    return np.asarray(np.rint(np.clip(scaled, 0, 255)), np.uint8)


def refuse_sixteen_bits(where: Path, own: ValueRange) -> RasterReadError:
    """Say that a model trained on eight bits cannot take sixteen."""
    low, high = (f"{value:g}" for value in own)
    return RasterReadError(
        "orthophoto is of another bit depth than those trained on",
        where=where,
        found="uint16",
        expected="uint8",
        remedy=f"`gdal_translate -ot Byte -scale {low} {high} 0 255` makes it 8-bit, "
        "or train with 16-bit orthophotos",
    )
