"""The mosaic of single photos: which photo a pixel comes from, and where there is imagery."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, spatial

from grave_cli.sample_data.canvas import Array, Canvas
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.variety.settings import Mosaic

STEP_PX = 4
"""Seams are found on a grid this many pixels wide."""
BAND_PX = 384


@dataclass(frozen=True)
class Photos:
    """The photos of a mosaic.

    Args:
        owner: Number of the photo for each cell of `STEP_PX` pixels.
        gain: Brightness of each photo.
        shift_px: Misplacement of each photo in rows and columns.
        ghost_px: Displacement of the photo that shines through where two are blended.
        ghosting: Weight of that photo, by cell.

    Shapes:
        owner and ghosting (h, w); gain (N,); shift_px (N, 2); ghost_px (2,).
    """

    owner: Array
    gain: Array
    shift_px: Array
    ghost_px: Array
    ghosting: Array

    def rows(self, first: int, last: int, cols: int) -> tuple[Array, Array]:
        """Return owner and ghosting of every pixel in some rows, (last − first, cols)."""
        cells = slice(first // STEP_PX, -(-last // STEP_PX))
        skip = first - first // STEP_PX * STEP_PX
        spread = [
            np.repeat(np.repeat(part[cells], STEP_PX, axis=0), STEP_PX, axis=1)
            for part in (self.owner, self.ghosting)
        ]
        owner, ghosting = (part[skip : skip + last - first, :cols] for part in spread)
        return owner, ghosting


def lay_photos(rng: np.random.Generator, canvas: Canvas, noise: Noise, mosaic: Mosaic) -> Photos:
    """Return a mosaic with seams half way between the centres of its photos.

    Args:
        rng: Source of randomness.
        canvas: The scene.
        noise: Texture fields that bend the seams.
        mosaic: Distance, spread and misplacement of the photos.
    """
    edge, gsd = canvas.height.shape[0], canvas.gsd_m
    count = max(2, round((edge * gsd / mosaic.photo_m + 1) ** 2))
    centres = rng.uniform(0, edge, (count, 2))
    cells = np.arange(0, edge + STEP_PX, STEP_PX)
    spot = (cells[:, None], cells[None, :])
    bend = (0.5 / gsd) * noise.at("broad", spot, 41)
    points = np.stack(np.broadcast_arrays(spot[0] + bend, spot[1] - bend), axis=-1)
    _, owner = spatial.KDTree(centres).query(points)
    blended = noise.at("broad", spot, 43) > 2.2 - 3.5 * mosaic.ghosting
    soft = ndimage.gaussian_filter(blended.astype(np.float32), 3)
    far = rng.normal(0, max(0.02, 2 * mosaic.shift_m) / gsd, 2)
    return Photos(
        np.asarray(owner, np.int32),
        rng.normal(1, mosaic.gain_spread, count).astype(np.float32),
        np.clip(np.rint(rng.normal(0, mosaic.shift_m / gsd, (count, 2))), -8, 8).astype(np.int32),
        np.clip(np.rint(far), -8, 8).astype(np.int32),
        np.asarray(0.45 * soft if mosaic.ghosting > 0.02 else 0 * soft, np.float32),
    )


def draw_alpha(rng: np.random.Generator, canvas: Canvas, noise: Noise, mosaic: Mosaic) -> Array:
    """Return 255 where the mosaic holds imagery, 0 beyond its ragged edge.

    Args:
        rng: Source of randomness.
        canvas: The scene.
        noise: Texture fields that fray the edge.
        mosaic: Shape of the area and raggedness of its edge.

    Shapes:
        -> (H, W) uint8.
    """
    edge, gsd = canvas.height.shape[0], canvas.gsd_m
    alpha: Array = np.full((edge, edge), 255, np.uint8)
    if mosaic.outline == "full":
        return alpha
    angle = float(rng.uniform(-0.8, 0.8)) if mosaic.outline in ("turned", "strip") else 0.0
    power = 2.5 if mosaic.outline == "round" else 10.0
    size = rng.uniform(0.82, 1.02, 2) * (1.0, 0.72 if mosaic.outline == "strip" else 1.0)
    middle, wave = rng.uniform(-0.05, 0.05, 2), float(rng.uniform(0, 0.04))
    for top in range(0, edge, BAND_PX):
        rows = np.arange(top, min(top + BAND_PX, edge))
        spot = (rows[:, None], np.arange(edge)[None, :])
        y, x = (
            (spot[0] + 0.5) / edge * 2 - 1 - middle[0],
            (spot[1] + 0.5) / edge * 2 - 1 - middle[1],
        )
        u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
        away = (np.abs(u / size[0]) ** power + np.abs(v / size[1]) ** power) ** (1 / power)
        fray = noise.at("patch", spot, 90) + 0.4 * noise.at("clump", spot, 91)
        slow = noise.at("broad", spot, 92)
        away = away + fray * (mosaic.fray_m * 0.6 / (edge * gsd)) + wave * slow
        alpha[rows] = (away < 1) * np.uint8(255)
    return alpha
