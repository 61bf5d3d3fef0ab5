"""Bit depth: 16-bit orthophotos are scaled to eight bits.

Everything after reading sees eight bits. One range for all bands keeps the colour balance; it is
measured once on the training cemeteries and fixed in the model's recipe.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from grave_cli.errors import RasterReadError
from grave_cli.wording import quoted

ValueRange = tuple[float, float]
OWN_RANGE: Final = "own"
"""Scale a 16-bit orthophoto by its own range: good for pictures, not for a network."""

WantedRange = ValueRange | Literal["own"] | None
"""A measured range, the file's own, or None where only 8-bit orthophotos are expected."""

FOREIGN_RATIO = 4.0
"""From this `range_ratio` on, what one range shows well is black or white in the other."""

DEPTHS = ("uint8", "uint16")
_LEVELS = 65536
_FULL = 255
_TAIL = 0.001  # share of the values below the range, and share above it


def range_of(values: Iterable[NDArray[np.uint16]]) -> ValueRange:
    """Measure the common range of 16-bit orthophotos, each with the same weight.

    It holds all but a thousandth of the values at each end.

    Args:
        values: Valid values of each orthophoto, of all colours, in any shape.
    """
    shares = np.zeros(_LEVELS)
    for one in values:
        if one.size:
            shares += np.bincount(one.ravel(), minlength=_LEVELS) / one.size
    total = shares.sum()
    if total == 0:
        return 0.0, float(_LEVELS - 1)
    cumulated = np.cumsum(shares) / total
    low = int(np.searchsorted(cumulated, _TAIL, side="right"))
    high = int(np.searchsorted(cumulated, 1 - _TAIL))
    return float(low), float(max(high, low + 1))


def range_ratio(own: ValueRange, known: ValueRange) -> float:
    """Compare the widths and the upper ends of two ranges; 1 means equal."""
    widths = (own[1] - own[0]) / (known[1] - known[0])
    tops = own[1] / known[1]
    return max(widths, 1 / widths, tops, 1 / tops)


def to_bytes(values: NDArray[Any], value_range: ValueRange | None) -> NDArray[np.uint8]:
    """Scale 16-bit values to eight bits; 8-bit values are returned unchanged.

    Args:
        values: uint8 or uint16.
        value_range: The uint16 values that become 0 and 255.
    """
    if values.dtype == np.uint8 or value_range is None:
        return values.astype(np.uint8, copy=False)
    low, high = value_range
    scaled = (values.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
    return np.asarray(np.rint(np.clip(scaled, 0, 255)), np.uint8)


def range_of_floats(values: NDArray[Any]) -> ValueRange:
    """Measure the range of values of any type, without a thousandth of them at each end.

    Args:
        values: Any numbers; infinite ones and NaN do not count.
    """
    finite = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        return 0.0, 1.0
    low, high = np.quantile(finite, (_TAIL, 1 - _TAIL))
    return float(low), float(high if high > low else low + 1)


def to_eight_bits(
    low: float, high: float, *, marker: float | None = None, alpha: tuple[int, float] | None = None
) -> str:
    """Write the options of gdal_translate that scale an orthophoto to eight bits.

    Args:
        low: Value that becomes black.
        high: Value that becomes white.
        marker: The nodata value; None without one.
        alpha: Band of the alpha channel and its largest value; None without one.
    """
    whole = (0.0, float(_FULL))
    if marker is None and alpha is not None and alpha[1] > high:
        alpha = None  # scaled like a colour, it still reaches from 0 to 255
    return f"-ot Byte {scaling((low, high), whole, _FULL, marker=marker, alpha=alpha)}"


def scaling(
    own: ValueRange,
    wanted: ValueRange,
    most: int,
    *,
    marker: float | None = None,
    alpha: tuple[int, float] | None = None,
) -> str:
    """Write the options of gdal_translate that bring the colours of an orthophoto to a range.

    A nodata value would otherwise be lost, or be scaled like a colour: it becomes 0 or the largest
    value, and the colours keep off that value. gdal_translate does not clip to the range but to the
    type. A nodata value that stays within the type must become a whole number: from 300 to 900 as 1
    to 255, the marker 299 would be 0.6, so the line runs through 1 at 299 and 255 at 900.

    Args:
        own: Range of the colours.
        wanted: Range that they get.
        most: Largest value of the type that they get.
        marker: The nodata value; None without one.
        alpha: Band of the alpha channel and its largest value; None without one.
    """
    (low, high), (first, last) = own, wanted
    if marker is None:
        ends = f"{low:g} {high:g} {first:g} {last:g}"
        if alpha is None:
            return f"-scale {ends}"
        colours = " ".join(f"-scale_{band} {ends}" for band in range(1, 5) if band != alpha[0])
        return f"{colours} -scale_{alpha[0]} 0 {alpha[1]:g} 0 {most}"
    first, last = (first, min(last, most - 1)) if marker > low else (max(first, 1), last)
    scaled = first + (marker - low) * (last - first) / (high - low)
    kept = round(float(np.clip(np.nan_to_num(scaled), 0, most)))
    if 0 < scaled < most:
        if marker - low < high - marker:
            low, first = marker, kept
        else:
            high, last = marker, kept
    return f"-scale {low:g} {high:g} {first:g} {last:g} -a_nodata {kept}"


def sixteen_bit_refusal(
    where: Path,
    own: ValueRange,
    marker: float | None = None,
    alpha: tuple[int, float] | None = None,
) -> RasterReadError:
    """Make the error for a 16-bit orthophoto and a model that was trained on eight bits.

    Args:
        where: The orthophoto.
        own: Range of its values.
        marker: Its nodata value; None without one.
        alpha: Band of its alpha channel and the largest value of it; None without one.
    """
    options = to_eight_bits(*own, marker=marker, alpha=alpha)
    return RasterReadError(
        "orthophoto has another bit depth than the training orthophotos",
        where=where,
        found="uint16",
        expected="uint8",
        remedy=f"`gdal_translate {options} {quoted(where.name)} 8bit.tif` makes it 8-bit, "
        "or train with 16-bit orthophotos",
    )
