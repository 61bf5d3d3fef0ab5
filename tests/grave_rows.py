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


def softened(truth: np.ndarray, sigma_px: float, noise: float, seed: int = 0) -> np.ndarray:
    """Draw graves as a network would see their bodies: blurred, with noise in the logits.

    Args:
        truth: Polygons in pixels.
        sigma_px: Of the blur.
        noise: Standard deviation of the logits, smooth over 2 px.
        seed: Of the noise.
    """
    left, _, right, bottom = shapely.total_bounds(truth)
    rows, columns = math.ceil(bottom + left), math.ceil(right + left)  # as wide a margin there
    fine = rasterio.features.rasterize(
        truth, out_shape=(rows * 5, columns * 5), transform=Affine.scale(0.2), dtype="uint8"
    )
    covered = fine.reshape(rows, 5, columns, 5).mean(axis=(1, 3)).astype(np.float32)
    return noisy(blurred(covered[None], sigma_px)[0], noise, seed)


def noisy(probability: np.ndarray, noise: float, seed: int = 0) -> np.ndarray:
    """Add noise to the logits, smooth over 2 px."""
    random = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(random.normal(size=probability.shape), 2)
    certain = probability.clip(0.01, 0.99)
    logits = np.log(certain / (1 - certain)) + noise * field / field.std()
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def corner_errors(truth: shapely.Polygon, drawn: shapely.Polygon) -> np.ndarray:
    """Measure how far each corner of a grave is from the nearest one drawn, in pixels."""
    corners, found = (shapely.get_coordinates(polygon)[:-1] for polygon in (truth, drawn))
    return np.hypot(*(corners[:, None] - found).transpose(2, 0, 1)).min(axis=1)
