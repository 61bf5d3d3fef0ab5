"""Seeded noise that can be read at any pixel: the same pixel always gets the same value.

Tiles are periodic, so memory does not grow with the cemetery; layers shift them against each other.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from grave_cli.sample_data.canvas import Array

SIGMAS_PX = {"grain": 0.7, "pebble": 1.5, "clump": 4.0, "patch": 14.0}
"""Correlation length of each field in pixels; `broad` is eight times coarser than `patch`."""


def _unit(field: Array) -> Array:
    """Scale a field to mean 0 and standard deviation 1."""
    return np.asarray((field - field.mean()) / field.std(), np.float32)


class Noise:
    """Fields of Gaussian noise with mean 0 and standard deviation 1.

    Args:
        rng: Source of randomness; two noises from equal generators are equal.
        tile_px: Period of the fine fields in pixels.
    """

    def __init__(self, rng: np.random.Generator, tile_px: int = 768) -> None:
        self._fields = {name: self._tile(rng, tile_px, sigma) for name, sigma in SIGMAS_PX.items()}
        coarse = self._tile(rng, 256, 10.0)
        self._fields["broad"] = _unit(
            ndimage.zoom(coarse, 8, order=1, mode="grid-wrap", grid_mode=True)
        )

    @staticmethod
    def _tile(rng: np.random.Generator, tile_px: int, sigma: float) -> Array:
        white = rng.standard_normal((tile_px, tile_px), dtype=np.float32)
        return _unit(ndimage.gaussian_filter(white, sigma, mode="wrap", truncate=3))

    def at(self, name: str, spot: tuple[Array, Array], layer: int = 0) -> Array:
        """Return a field at rows and columns; layers are independent looks at the same field.

        Shapes:
            spot: rows and columns that broadcast to any shape S -> S.
        """
        field = self._fields[name]
        size = field.shape[0]
        rows, cols = spot
        if layer % 2:
            rows, cols = cols, rows
        return np.asarray(field[(rows + 269 * layer) % size, (cols + 421 * layer) % size])
