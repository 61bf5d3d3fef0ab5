"""Attributes of each grave that an office needs besides its outline: size, direction, height."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.outlines.polygons import Polygons
from grave_cli.rasters.grid import geodesic_areas_m2

_HEIGHT_PERCENTILE = 95  # near the top of the stone, robust against single noisy pixels
_HALF_A_DIGIT_DEG = 0.05  # directions are written with one decimal: 179.96 would be 180.0


@dataclass(frozen=True)
class Measures:
    """Measures of graves, one entry each.

    Args:
        area_m2: True area on the ground.
        length_m: Longer side of the smallest rectangle around the grave.
        width_m: Shorter side of that rectangle.
        azimuth_deg: Direction of the longer side, clockwise from the CRS's north, in [0, 180).
    """

    area_m2: NDArray[np.float64]
    length_m: NDArray[np.float64]
    width_m: NDArray[np.float64]
    azimuth_deg: NDArray[np.float64]


def measure(polygons: Polygons, crs: str, metres_per_unit: float) -> Measures:
    """Measure graves on the ground.

    Args:
        polygons: Outlines in `crs`.
        crs: Their CRS.
        metres_per_unit: Metres on the ground per CRS unit at the cemetery.
    """
    # At seven-digit coordinates the smallest rectangle is off by half a millimetre: shift to 0, 0.
    corner = shapely.get_coordinates(polygons).min(axis=0, initial=np.inf)
    boxes = shapely.minimum_rotated_rectangle(shapely.transform(polygons, lambda xy: xy - corner))
    corners = shapely.get_coordinates(boxes).reshape(len(polygons), 5, 2)[:, :3]
    sides = np.diff(corners, axis=1)
    lengths = np.hypot(sides[..., 0], sides[..., 1]) * metres_per_unit
    longer = np.argmax(lengths, axis=1)
    along = sides[np.arange(len(polygons)), longer]
    # East over north: (1, 0) gives 90 degrees, (1, 1) gives 45.
    azimuth = np.degrees(np.arctan2(along[:, 0], along[:, 1])) % 180
    azimuth[azimuth >= 180 - _HALF_A_DIGIT_DEG] = 0
    return Measures(
        area_m2=geodesic_areas_m2(polygons, crs),
        length_m=lengths.max(axis=1),
        width_m=lengths.min(axis=1),
        azimuth_deg=azimuth,
    )


def heights_by_label(
    heights: NDArray[np.float32], labels: NDArray[np.int32], ids: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Measure how high each grave rises above the local ground.

    Args:
        heights: Metres above local ground, NaN where unknown.
        labels: Grave ids.
        ids: Ids of the graves to measure.

    Returns:
        Metres; NaN for a grave without known heights.

    Shapes:
        heights: (H, W); labels: (H, W); ids: (graves,); returns: (graves,)
    """
    known = (labels > 0) & np.isfinite(heights)
    order = np.argsort(labels[known], kind="stable")
    sorted_ids, sorted_heights = labels[known][order], heights[known][order]
    starts = np.searchsorted(sorted_ids, ids, side="left")
    stops = np.searchsorted(sorted_ids, ids, side="right")
    return np.array(
        [
            np.percentile(sorted_heights[a:b], _HEIGHT_PERCENTILE) if b > a else np.nan
            for a, b in zip(starts, stops, strict=True)
        ],
        dtype=np.float64,
    )
