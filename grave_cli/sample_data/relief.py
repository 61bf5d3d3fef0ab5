"""The DEM of a varied scene: heights above ground on terrain, as photogrammetry delivers them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.elevation import NODATA, SurfaceModel
from grave_cli.sample_data.variety.settings import Relief

BAND_PX = 512
WAVES = ((37.0, 1.0), (13.0, 0.25))
"""Length in metres of the ground's undulations and their share of `waves_m`."""


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
    terrain, soft = _draw_terrain(rng, size_m, relief), _soften(height, gsd_m, relief)
    values = _noise(rng, (len(y), len(x)), relief)
    for top in range(0, len(y), BAND_PX):
        band = slice(top, top + BAND_PX)
        values[band] += terrain.at(y[band], x) + _sample(soft, gsd_m, relief, y[band], x)
    values[_holes(rng, values.shape, relief.holes)] = NODATA
    return SurfaceModel(values, relief.gsd_m, (float(corner[0]), float(corner[1])))


def _soften(height: Array, gsd_m: float, relief: Relief) -> Array:
    """Widen objects and soften their edges, as matching does."""
    wide = max(1, round(0.5 * min(relief.soften_m, 0.12) / gsd_m))
    soft = ndimage.maximum_filter(height, wide) if wide > 1 else height
    window = max(relief.soften_m, 0.8 * relief.gsd_m) / gsd_m
    return np.asarray(ndimage.uniform_filter(soft, max(2, round(window))) if window > 1 else soft)


def _sample(soft: Array, gsd_m: float, relief: Relief, y: Array, x: Array) -> Array:
    """Return heights at y, x in metres, (len(y), len(x))."""
    rows = (y + relief.shift_m[1]) / gsd_m - 0.5
    cols = (x + relief.shift_m[0]) / gsd_m - 0.5
    grid = np.meshgrid(rows, cols, indexing="ij")
    return np.asarray(ndimage.map_coordinates(soft, grid, order=1, mode="nearest"))


@dataclass(frozen=True)
class _Terrain:
    """Ground heights: a slope, waves, terraces, and a bowl from a bad calibration."""

    relief: Relief
    base_m: float
    aspect: float
    phases: Array
    steps: Array
    """Place along the slope, width and height of each terrace, (N, 3) in metres."""
    bowl: float
    middle_m: float

    def at(self, y: Array, x: Array) -> Array:
        """Return heights in metres, (len(y), len(x))."""
        along = math.cos(self.aspect) * x[None, :] + math.sin(self.aspect) * y[:, None]
        ground = self.base_m + self.relief.slope * along
        for (wave_m, share), phase in zip(WAVES, self.phases, strict=True):
            across = np.sin(2 * math.pi * x / wave_m + phase[0])[None, :]
            down = np.cos(2 * math.pi * y / wave_m + phase[1])[:, None]
            ground += self.relief.waves_m * share * across * down
        for at, width, step in self.steps:
            ground += step * np.clip((along - at) / width, 0, 1)
        away = (x - self.middle_m)[None, :] ** 2 + (y - self.middle_m)[:, None] ** 2
        return np.asarray(ground + self.bowl * away)


def _draw_terrain(rng: np.random.Generator, size_m: float, relief: Relief) -> _Terrain:
    return _Terrain(
        relief,
        base_m=float(rng.uniform(-5, 1200)),
        aspect=float(rng.uniform(0, 2 * math.pi)),
        phases=rng.uniform(0, 2 * math.pi, (len(WAVES), 2)),
        steps=rng.uniform((0.1 * size_m, 0.1, 0.3), (0.9 * size_m, 1.0, 1.5), (relief.terraces, 3)),
        bowl=float(rng.normal(0, 0.1)) / (size_m / 2) ** 2,
        middle_m=size_m / 2,
    )


def _noise(rng: np.random.Generator, shape: tuple[int, int], relief: Relief) -> Array:
    """Return errors of matching: fine, and in lumps of a few pixels."""
    lumps = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), 2.5)
    lumps *= np.float32(0.8 * relief.noise_m / max(1e-9, float(lumps.std())))
    fine = rng.standard_normal(shape, dtype=np.float32)
    return np.asarray(lumps + np.float32(0.5 * relief.noise_m) * fine)


def _holes(rng: np.random.Generator, shape: tuple[int, ...], share: float) -> Array:
    """Return where matching failed: blobs that cover about a share of the area."""
    if share < 0.001:
        return np.zeros(shape, bool)
    rough = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), 4)
    return np.asarray(rough > np.quantile(rough, 1 - share))
