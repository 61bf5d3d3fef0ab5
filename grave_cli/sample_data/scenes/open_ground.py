"""Where a photograph of real ground is open: even, sunlit ground on which a grave could lie."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from grave_cli.sample_data.canvas import Array

WINDOW_M = 0.6
"""Size of the window in which ground has to be even."""
MOST_ROUGH = 23.0
"""Largest standard deviation of brightness in grey levels: lawn has 6–18, crowns 30 and more."""
DARKEST = 0.62
"""Share of the median brightness of even ground below which a place lies in shadow."""


def find_open_ground(rgb: Array, gsd_m: float) -> Array:
    """Return where a picture shows even ground in full light, without a margin of half a metre.

    Args:
        rgb: A photograph from above.
        gsd_m: Its pixel edge in metres.

    Shapes:
        rgb (H, W, 3) uint8 -> (H, W) bool.
    """
    grey = rgb.astype(np.float32).mean(axis=2)
    size = max(3, round(WINDOW_M / gsd_m))
    mean = ndimage.uniform_filter(grey, size)
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(grey * grey, size) - mean * mean, 0))
    even = spread < MOST_ROUGH
    if not even.any():
        return np.zeros(grey.shape, bool)
    lit = mean > DARKEST * float(np.median(mean[even & (mean > 40)] if (mean > 40).any() else mean))
    opened = ndimage.binary_opening(even & lit, iterations=max(1, size // 2))
    return np.asarray(ndimage.binary_erosion(opened, iterations=max(1, size // 3)))


def guess_heights(rng: np.random.Generator, opened: Array, gsd_m: float) -> Array:
    """Return made-up heights for ground that has none: 0 where open, lumps of shrubs elsewhere.

    They keep a network from learning that real ground is always flat.

    Args:
        rng: Source of randomness.
        opened: From `find_open_ground`.
        gsd_m: Pixel edge in metres.

    Shapes:
        opened (H, W) bool -> (H, W) float32 in metres.
    """
    closed = ndimage.binary_opening(~opened, iterations=max(1, round(0.4 / gsd_m)))
    inside = ndimage.distance_transform_edt(closed) * gsd_m
    coarse = rng.standard_normal([max(4, int(n * gsd_m / 0.8)) for n in opened.shape])
    zoom = [n / c for n, c in zip(opened.shape, coarse.shape, strict=True)]
    lumps = ndimage.zoom(coarse, zoom, order=1)[: opened.shape[0], : opened.shape[1]]
    tall = np.minimum(inside * rng.uniform(1, 4), rng.uniform(0.5, 9))
    return np.asarray(np.where(closed, np.maximum(tall * (1 + 0.25 * lumps), 0), 0), np.float32)
