"""The surface model of a sample cemetery: heights above ground → heights on a grid of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from grave_cli.sample_data.canvas import Array

NODATA = -9999.0


@dataclass(frozen=True)
class SurfaceModel:
    """A DEM on its own grid.

    Args:
        values: Absolute heights in metres, NODATA where unknown.
        gsd_m: Pixel edge in metres.
        corner_m: Its upper left corner, metres right and down from the orthophoto's.

    Shapes:
        values (H, W) float32.
    """

    values: Array
    gsd_m: float
    corner_m: tuple[float, float]


def model_surface(rng: np.random.Generator, height: Array, gsd_m: float) -> SurfaceModel:
    """Sample heights as photogrammetry does: coarser, softened, noisy, on terrain, with holes.

    Args:
        rng: Source of randomness.
        height: Heights above ground in metres on the orthophoto's grid.
        gsd_m: Pixel edge of that grid in metres.

    Shapes:
        height (H, W).
    """
    size_m = height.shape[0] * gsd_m
    coarse_m = float(rng.uniform(0.09, 0.15))
    corner = rng.uniform(-0.06, 0.06, 2) * size_m
    shape = np.maximum(8, ((size_m * rng.uniform(0.94, 1.08, 2)) / coarse_m).astype(int))
    y = corner[1] + (np.arange(shape[0]) + 0.5) * coarse_m
    x = corner[0] + (np.arange(shape[1]) + 0.5) * coarse_m
    values = _terrain(rng, y, x, size_m) + _sample(height, gsd_m, coarse_m, y, x)
    values += rng.normal(0, 0.012, values.shape)
    values[_holes(rng, values.shape)] = NODATA
    return SurfaceModel(values.astype(np.float32), coarse_m, (float(corner[0]), float(corner[1])))


def _sample(height: Array, gsd_m: float, coarse_m: float, y: Array, x: Array) -> Array:
    """Return softened heights at y, x; bare ground outside the orthophoto."""
    size = max(1, round(coarse_m / gsd_m / 2))
    soft = ndimage.uniform_filter(ndimage.maximum_filter(height, size), size + 1)
    rows, cols = np.meshgrid(y / gsd_m - 0.5, x / gsd_m - 0.5, indexing="ij")
    sampled = ndimage.map_coordinates(soft, [rows, cols], order=1, cval=0.0)
    return np.asarray(sampled, np.float64)


def _terrain(rng: np.random.Generator, y: Array, x: Array, size_m: float) -> Array:
    """Return absolute ground heights: a slope with gentle waves."""
    slope, aspect = float(rng.uniform(0.01, 0.07)), float(rng.uniform(0, 2 * math.pi))
    ground = float(rng.uniform(240, 640)) + slope * (
        math.cos(aspect) * x[None, :] + math.sin(aspect) * y[:, None]
    )
    for wave_m, swing_m in ((37.0, 0.25), (13.0, 0.06)):
        phase = rng.uniform(0, 2 * math.pi, 2)
        ground = (
            ground
            + swing_m
            * np.sin(2 * math.pi * x / wave_m + phase[0])[None, :]
            * np.cos(2 * math.pi * y / wave_m + phase[1])[:, None]
        )
    return np.asarray(ground)


def _holes(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return where matching failed: blobs, and the corners of the flight."""
    rough = ndimage.gaussian_filter(rng.standard_normal(shape), 4)
    rough /= rough.std()
    down, across = np.linspace(-1, 1, shape[0])[:, None], np.linspace(-1, 1, shape[1])[None, :]
    return np.asarray((rough > 2.9) | (np.abs(down) + np.abs(across) + 0.03 * rough > 1.86))
