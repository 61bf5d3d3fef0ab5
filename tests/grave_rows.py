"""Hand-made graves for the tests of this folder: rows of rectangles, drawn as instances."""

import math

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from scipy import ndimage
from shapely import affinity

GSD_M = 0.05


def row_of_graves(
    count: int, length_m: float, width_m: float, gap_m: float, angle_deg: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Lay graves side by side, turn the row, and draw it.

    Returns:
        Polygons in pixels, and their instance ids (H, W).
    """
    step = width_m + gap_m
    row = shapely.MultiPolygon(
        [shapely.box(i * step, 0, i * step + width_m, length_m) for i in range(count)]
    )
    turned = affinity.scale(
        affinity.rotate(row, angle_deg, origin="centroid"), 1 / GSD_M, 1 / GSD_M, origin=(0, 0)
    )
    left, top, right, bottom = turned.bounds
    margin = 12.3  # pixels; no whole number, so that edges do not fall on pixel borders
    moved = affinity.translate(turned, margin - left, margin - top)
    polygons = np.array(moved.geoms, dtype=object)
    shape = (math.ceil(bottom - top + 2 * margin), math.ceil(right - left + 2 * margin))
    labels = rasterio.features.rasterize(
        [(polygon, index + 1) for index, polygon in enumerate(polygons)],
        out_shape=shape,
        transform=Affine.identity(),
        dtype="int32",
    )
    return polygons, labels


def blurred(channels: np.ndarray, sigma_px: float = 0.8) -> np.ndarray:
    """Soften targets to what a good network answers."""
    return np.stack([ndimage.gaussian_filter(c.astype(np.float32), sigma_px) for c in channels])
