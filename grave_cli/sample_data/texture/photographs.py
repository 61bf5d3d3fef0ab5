"""Noise and photographs as periodic fields, in metres on the ground whatever the pixel size.

Grass, gravel and brick are photographs that scikit-image ships (CC0), without their own large
patches of light and dark, so that a field can be laid over any colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy import ndimage
from skimage import data

from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.noise import SIGMAS_PX, Noise

PHOTOGRAPHS: dict[str, tuple[Callable[[], Array], float, int]] = {
    "grass": (data.grass, 5.0, 24),
    "turf": (data.grass, 2.2, 24),
    "stones": (data.gravel, 4.2, 24),
    "brick": (data.brick, 1.7, 60),
}
"""Photograph, the width in metres that it is spread over (their true scale is not known), and the
width in pixels above which its light and dark patches are removed."""
SIGMA_GSD_M = 0.025
"""Pixel size for which `SIGMAS_PX` was chosen."""
STEPS = (0.0175, 0.025, 0.035, 0.05)
"""Pixel sizes for which fields are made; others take the nearest."""
TILE_PX, BROAD_PX, BROAD_ZOOM = 640, 128, 8


class Texture(Noise):
    """Fields of one pixel size, read like `Noise` but shifted for every scene.

    Args:
        rng: Source of randomness for the shift.
        gsd_m: Pixel edge in metres.
    """

    def __init__(self, rng: np.random.Generator, gsd_m: float) -> None:
        nearest = min(STEPS, key=lambda step: abs(math.log(step / gsd_m)))
        self._fields = _fields(nearest)
        self._shift = rng.integers(1 << 20, size=2)

    def at(self, name: str, spot: tuple[Array, Array], layer: int = 0) -> Array:
        """Return a field at rows and columns, as `Noise.at`."""
        rows, cols = spot
        return super().at(name, (rows + self._shift[0], cols + self._shift[1]), layer)


@lru_cache(maxsize=len(STEPS))
def _fields(gsd_m: float) -> dict[str, Array]:
    """Return all fields for one pixel size, each with mean 0 and standard deviation about 1."""
    rng, scale = np.random.default_rng(1977), SIGMA_GSD_M / gsd_m
    fields: dict[str, Array] = {}
    for name, sigma in SIGMAS_PX.items():
        fields[name] = _blurred(rng, TILE_PX, max(0.35, sigma * scale)) * _seen(sigma * scale)
    coarse = _blurred(rng, BROAD_PX, 10.0 * scale)
    fields["broad"] = ndimage.zoom(coarse, BROAD_ZOOM, order=1, mode="grid-wrap", grid_mode=True)
    for name, (photograph, width_m, patch_px) in PHOTOGRAPHS.items():
        fields[name] = _spread(photograph(), round(width_m / gsd_m), patch_px)
    return fields


def _blurred(rng: np.random.Generator, edge: int, sigma: float) -> Array:
    white = rng.standard_normal((edge, edge), dtype=np.float32)
    return _unit(ndimage.gaussian_filter(white, sigma, mode="wrap", truncate=3))


def _unit(field: Array) -> Array:
    return np.asarray((field - field.mean()) / field.std(), np.float32)


def _seen(sigma_px: float) -> float:
    """Return how much of a texture's contrast a pixel leaves: fine grain averages out."""
    return float(np.clip((sigma_px / 0.7) ** 0.7, 0.35, 1.0))


def _spread(photograph: Array, edge: int, patch_px: int) -> Array:
    """Return a square photograph as a periodic field of `edge` pixels without its large patches."""
    grey = photograph.astype(np.float32)
    flat = grey - ndimage.gaussian_filter(grey, patch_px, mode="wrap")
    seamless = _fade(_fade(flat, 0), 1)
    zoom = edge / seamless.shape[0]
    smooth = ndimage.gaussian_filter(seamless, 0.4 / zoom, mode="wrap") if zoom < 1 else seamless
    return _unit(ndimage.zoom(smooth, zoom, order=1, mode="grid-wrap", grid_mode=True))


def _fade(field: Array, axis: int, share: float = 0.12) -> Array:
    """Blend one end of an axis into the other, so that the field repeats without a seam."""
    size = field.shape[axis]
    width = round(share * size)
    kept = np.take(field, range(size - width), axis)
    tail = np.take(field, range(size - width, size), axis)
    ramp = np.linspace(0, 1, width, dtype=np.float32)
    ramp = ramp[:, None] if axis == 0 else ramp[None, :]
    head = np.take(kept, range(width), axis)
    mixed = (ramp * head + (1 - ramp) * tail) / np.sqrt(ramp**2 + (1 - ramp) ** 2)
    return np.concatenate([mixed, np.take(kept, range(width, size - width), axis)], axis)
