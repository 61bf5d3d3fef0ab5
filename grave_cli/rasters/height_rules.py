"""Stored values of a DEM in, heights in metres out: which values are heights and which are markers.

Many DEMs mark missing heights without a nodata tag, or are in centimetres without a word of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grave_cli.errors import RasterReadError
from grave_cli.wording import quoted

LOWEST_M, HIGHEST_M = -500.0, 9000.0
"""No ground is lower than the shore of the Dead Sea, none higher than Mount Everest."""

_INTEGER_MARKERS = (-32767.0, -32768.0)  # of 16-bit integers that are scaled to heights
_ZERO_APART_M = 3.0  # ground this far from 0 has no pixel of exactly 0; water has no graves
_APART_M = 20.0  # any other marker lies at least this far from all heights
_APART_SPANS = 3.0  # and this many times as far as the heights reach
_MARKED_SHARE = 1e-3  # of the sample; a marker other than 0 is at least as frequent
_ZERO_SHARE = 0.02  # more heights of exactly 0 are voids, or water
_ENDS = (2, 98)  # percentiles of the heights
_DISTINCT = 5  # more different impossible values than these are no markers
_STEP_M = 5.0  # distance over which the rise of the ground is measured
_STEEP = 1.5  # rise in metres per metre: no cemetery lies on such a slope, nor under such trees


@dataclass(frozen=True)
class HeightRules:
    """Which stored values of a DEM are heights, and their metres.

    Args:
        scale: Metres per stored unit.
        offset: Metres of a stored 0.
        markers: Stored values within the range of heights that mark a missing height.
    """

    scale: float
    offset: float
    markers: tuple[float, ...] = ()

    def metres(self, stored: NDArray[np.generic]) -> NDArray[np.float32]:
        """Turn stored values into metres."""
        with np.errstate(over="ignore"):  # markers such as -1.8e308 become infinite
            return stored.astype(np.float32) * np.float32(self.scale) + np.float32(self.offset)

    def is_no_height(self, stored: NDArray[np.generic]) -> NDArray[np.bool_]:
        """Find stored values that cannot be heights, whatever the nodata tag says."""
        metres = stored.astype(np.float64, copy=False) * self.scale + self.offset
        possible = (metres >= LOWEST_M) & (metres <= HIGHEST_M)
        return ~possible | np.isin(stored, self.markers)


def find_rules(
    sample: NDArray[np.float64], *, scale: float, offset: float, is_scaled: bool
) -> HeightRules:
    """Find the values that mark missing heights in a sample of a DEM.

    0 is one if the ground lies far from it: voids are often filled with 0. Any other value is one
    if it is the lowest or the highest, frequent, and far from all others, such as 32767.

    Args:
        sample: Stored values, finite.
        scale: Metres per stored unit.
        offset: Metres of a stored 0.
        is_scaled: The file itself scales its values, as for whole centimetres.
    """
    always = _INTEGER_MARKERS if is_scaled else ()
    rules = HeightRules(scale, offset, always)
    heights = sample[~rules.is_no_height(sample)]
    others = heights[heights != 0]
    if others.size:
        low, high = np.percentile(others * scale + offset, _ENDS)
        if low - offset > _ZERO_APART_M or high - offset < -_ZERO_APART_M:
            rules = HeightRules(scale, offset, (*rules.markers, 0.0))
            heights = others
    found = tuple(_far_values(heights, abs(scale)))
    return HeightRules(scale, offset, (*rules.markers, *found))


def refuse_no_heights(sample: NDArray[np.float64], rules: HeightRules, path: Path) -> None:
    """Refuse a DEM most of whose values cannot be metres, such as one in centimetres.

    Args:
        sample: Stored values, finite.
        rules: Which of them are heights.
        path: The file, named in the error.

    Raises:
        RasterReadError: Most values are impossible heights, and too many to be markers.
    """
    none = rules.is_no_height(sample)
    strange, counts = np.unique(sample[none], return_counts=True)
    if len(strange) <= _DISTINCT or counts.sum() - counts.max() <= (~none).sum():
        return
    low, high = np.percentile(sample[none], _ENDS) * rules.scale + rules.offset
    raise RasterReadError(
        "its values cannot be heights in metres",
        where=path,
        found=f"{low:g} to {high:g}",
        expected=f"{LOWEST_M:g} to {HIGHEST_M:g} m",
        remedy=f"`gdal_edit.py -scale 0.01 {quoted(path.name)}` declares centimetres, 0.001 "
        "millimetres, 0.3048 feet",
    )


def marker_notes(sample: NDArray[np.float64], rules: HeightRules, path: Path) -> Iterator[str]:
    """Name the most common value that is taken as missing without a nodata tag.

    Args:
        sample: Stored values; NaN where the file itself says that there is none.
        rules: Which of them are heights.
        path: The file, named in the note.
    """
    known = sample[np.isfinite(sample)]
    strange, counts = np.unique(known[rules.is_no_height(known)], return_counts=True)
    for value in strange[np.argsort(-counts)][:1]:
        yield (
            f"{path}: heights of {value:g} are taken as missing, though no nodata tag says so "
            f"(`gdal_edit.py -a_nodata {value:.17g} {quoted(path.name)}` adds it)"
        )


def equal_notes(sample: NDArray[np.float64], rules: HeightRules, path: Path) -> Iterator[str]:
    """Say that all heights are equal, or that many are exactly 0 near the sea, where 0 is a height.

    Args:
        sample: Stored values; NaN where the file itself says that there is none.
        rules: Which of them are heights.
        path: The file, named in the note.
    """
    known = sample[np.isfinite(sample)]
    heights = known[~rules.is_no_height(known)]
    if heights.size and np.ptp(heights) == 0:
        height = rules.metres(heights[:1])[0]
        yield f"{path}: all of its heights are {height:g} m; it shows no graves"
        return
    share = float((heights == 0).mean()) if heights.size else 0.0
    if share > _ZERO_SHARE:
        yield (
            f"{path}: {share:.0%} of its heights are exactly 0; if nothing was measured there, "
            f"`gdal_edit.py -a_nodata 0 {quoted(path.name)}` says so"
        )


def steepness_notes(
    sample: NDArray[np.float64], rules: HeightRules, spacing_m: tuple[float, float], path: Path
) -> Iterator[str]:
    """Say whether the ground is so steep that its heights can hardly be metres.

    Args:
        sample: Stored values; NaN where the file itself says that there is none.
        rules: Which of them are heights.
        spacing_m: Distance of the rows and of the columns of the sample on the ground.
        path: The file, named in the note.

    Shapes:
        sample: (H, W)
    """
    heights = np.where(rules.is_no_height(sample), np.nan, rules.metres(sample))
    rise = max(_rise(heights, spacing_m[0]), _rise(heights.T, spacing_m[1]))
    if rise > _STEEP:
        yield (
            f"{path}: half of its ground rises by more than {rise:.1f} m per metre; if its heights "
            f"are centimetres, `gdal_edit.py -scale 0.01 {quoted(path.name)}` says so"
        )


def _rise(heights: NDArray[np.floating], spacing_m: float) -> float:
    """Measure the median rise from row to row over some metres; 0 where nothing is known."""
    step = max(1, round(_STEP_M / spacing_m))
    if step >= len(heights):
        return 0.0
    rises = np.abs(heights[step:] - heights[:-step])
    known = rises[np.isfinite(rises)]
    return float(np.median(known)) / (step * spacing_m) if known.size else 0.0


def _far_values(heights: NDArray[np.float64], metres_per_unit: float) -> Iterator[float]:
    """Find the lowest and the highest value if they are frequent and far from all others."""
    values, counts = np.unique(heights, return_counts=True)
    if len(values) < 3:
        return
    for end, rest in ((0, slice(1, None)), (-1, slice(None, -1))):
        others = np.repeat(values[rest], counts[rest])
        low, high = np.percentile(others, _ENDS)
        gap = abs(values[end] - values[rest][end]) * metres_per_unit
        far = max(_APART_M, _APART_SPANS * (high - low) * metres_per_unit)
        if counts[end] >= max(3, _MARKED_SHARE * len(heights)) and gap > far:
            yield float(values[end])
