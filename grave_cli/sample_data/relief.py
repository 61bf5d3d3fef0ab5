"""The DEM of a varied scene: heights above ground on terrain, as photogrammetry delivers them."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.elevation import NODATA, SurfaceModel
from grave_cli.sample_data.variety.settings import Relief


def model_relief(
    rng: np.random.Generator, height: Array, gsd_m: float, relief: Relief
) -> SurfaceModel | None:
    """Return the DEM of a scene, or None for a scene without one.

    Args:
        rng: Source of randomness.
        height: Heights above ground in metres on the orthophoto's grid.
        gsd_m: Pixel edge of that grid in metres.
        relief: Terrain, resolution and faults.

    Shapes:
        height (H, W).
    """
    if relief.gsd_m == 0:
        return None
    size_m = height.shape[0] * gsd_m
    corner = rng.uniform(-0.05, 0.05, 2) * size_m
    shape = np.maximum(8, size_m * rng.uniform(0.95, 1.08, 2) / relief.gsd_m).astype(int)
    y = corner[1] + (np.arange(shape[0]) + 0.5) * relief.gsd_m
    x = corner[0] + (np.arange(shape[1]) + 0.5) * relief.gsd_m
    values = _sample(height, gsd_m, relief, y, x) + _terrain(rng, y, x, size_m, relief)
    values += _noise(rng, values.shape, relief)
    values[_holes(rng, values.shape, relief.holes)] = NODATA
    return SurfaceModel(
        values.astype(np.float32), relief.gsd_m, (float(corner[0]), float(corner[1]))
    )


def _sample(height: Array, gsd_m: float, relief: Relief, y: Array, x: Array) -> Array:
    """Return heights at y, x: matching widens objects and softens their edges."""
    wide = max(1, round(0.5 * min(relief.soften_m, 0.12) / gsd_m))
    soft = ndimage.maximum_filter(height, wide) if wide > 1 else height
    window = max(relief.soften_m, 0.8 * relief.gsd_m) / gsd_m
    if window > 1:
        soft = ndimage.uniform_filter(soft, max(2, round(window)))
    rows = (y + relief.shift_m[1]) / gsd_m - 0.5
    cols = (x + relief.shift_m[0]) / gsd_m - 0.5
    grid = np.meshgrid(rows, cols, indexing="ij")
    return np.asarray(ndimage.map_coordinates(soft, grid, order=1, mode="nearest"), np.float64)


def _terrain(rng: np.random.Generator, y: Array, x: Array, size_m: float, relief: Relief) -> Array:
    """Return absolute ground heights: a slope, waves, terraces, a bowl from a bad calibration."""
    aspect = float(rng.uniform(0, 2 * math.pi))
    along = math.cos(aspect) * x[None, :] + math.sin(aspect) * y[:, None]
    ground = float(rng.uniform(-5, 1200)) + relief.slope * along
    for wave_m, share in ((37.0, 1.0), (13.0, 0.25)):
        phase = rng.uniform(0, 2 * math.pi, 2)
        swing = np.sin(2 * math.pi * x / wave_m + phase[0])[None, :]
        ground = (
            ground
            + relief.waves_m * share * swing * np.cos(2 * math.pi * y / wave_m + phase[1])[:, None]
        )
    for _ in range(relief.terraces):
        at = float(rng.uniform(0.1, 0.9)) * size_m
        width, step = float(rng.uniform(0.1, 1.0)), float(rng.uniform(0.3, 1.5))
        ground = ground + step * np.clip((along - at) / width, 0, 1)
    bowl = float(rng.normal(0, 0.1)) / (size_m / 2) ** 2
    return np.asarray(
        ground + bowl * ((x - size_m / 2)[None, :] ** 2 + (y - size_m / 2)[:, None] ** 2)
    )


def _noise(rng: np.random.Generator, shape: tuple[int, ...], relief: Relief) -> Array:
    """Return errors of matching: fine, and in lumps of a few pixels."""
    fine = rng.normal(0, 0.5 * relief.noise_m, shape)
    lumps = ndimage.gaussian_filter(rng.standard_normal(shape), 2.5)
    return np.asarray(fine + lumps * (0.8 * relief.noise_m / max(1e-9, float(lumps.std()))))


def _holes(rng: np.random.Generator, shape: tuple[int, ...], share: float) -> Array:
    """Return where matching failed: blobs that cover about a share of the area."""
    if share < 0.001:
        return np.zeros(shape, bool)
    rough = ndimage.gaussian_filter(rng.standard_normal(shape), 4)
    return np.asarray(rough > np.quantile(rough, 1 - share))
