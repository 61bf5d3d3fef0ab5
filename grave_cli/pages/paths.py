"""Outlines of graves as paths of an SVG map, in centimetres."""

import numpy as np
import shapely
from numpy.typing import NDArray

PER_M = 100
"""SVG units per metre: whole numbers are centimetres."""
_BARS_M = (1, 5, 10, 50, 100, 500, 1000)
_SHOWN_PX = (1100, 740)  # a map on the page, about; a tall or narrow one fills a part of it
_LETTERS_PX = 15


def svg_path(
    polygon: shapely.Polygon, corner: NDArray[np.float64], metres_per_unit: float = 1.0
) -> str:
    """Write a polygon as the data of a path.

    Args:
        polygon: The polygon, with or without holes.
        corner: Left and top of the map, in the CRS of the polygon.
        metres_per_unit: Metres on the ground per unit of the CRS.
    """
    rings = (polygon.exterior, *polygon.interiors)
    return "".join(_ring(ring, corner, metres_per_unit * PER_M) for ring in rings)


def bar_m(width: float, height: float) -> int:
    """Choose the longest scale bar that takes less than a fifth of the width of the page.

    Args:
        width: Width of the map, in SVG units.
        height: Its height.

    Returns:
        Length of the bar, in metres.
    """
    longest = _SHOWN_PX[0] * _per_px(width, height) / 5
    return max((m for m in _BARS_M if m * PER_M < longest), default=_BARS_M[0])


def letters(width: float, height: float) -> int:
    """Return the height of letters in SVG units: on the page, those of all maps are alike."""
    return max(1, round(_LETTERS_PX * _per_px(width, height)))


def _per_px(width: float, height: float) -> float:
    """Return the SVG units of a pixel of the page: the longer side fills it, in its shape."""
    return max(width / _SHOWN_PX[0], height / _SHOWN_PX[1])


def _ring(ring: shapely.LinearRing, corner: NDArray[np.float64], per_unit: float) -> str:
    """Write a ring in whole centimetres, each point as the step from the one before."""
    points = (shapely.get_coordinates(ring)[:-1] - corner) * (per_unit, -per_unit)
    whole = np.rint(points).astype(int)
    steps = np.diff(whole, axis=0).tolist()
    return f"M{whole[0][0]} {whole[0][1]}l{' '.join(f'{x} {y}' for x, y in steps)}z"
