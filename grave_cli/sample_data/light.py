"""Light and camera: even colours and heights → the drone's mosaic."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image
from scipy import ndimage, spatial

from grave_cli.sample_data.canvas import Array, Canvas
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.style import Style

BAND_PX = 512
HALO_PX = 16
SHADOW_TINT = np.array([0.42, 0.47, 0.54], np.float32)
"""Light that still reaches a shadow, as a share of full light: skylight is blue."""
PENUMBRA_M = 0.05
"""Depth below the shadow's ceiling over which light fades."""


def cast_shadows(height: Array, gsd_m: float, azimuth_deg: float, elevation_deg: float) -> Array:
    """Return how deep each pixel lies in shadow, 0 (sunlit) to 255.

    One sweep away from the sun carries a ceiling that falls by tan(elevation) per metre;
    everything below the ceiling is shaded. The ceiling moves sideways by whole pixels, so nothing
    blurs.

    Args:
        height: Metres above the ground.
        gsd_m: Pixel edge in metres.
        azimuth_deg: Compass direction of the sun.
        elevation_deg: Height of the sun above the horizon.

    Shapes:
        height (H, W) -> (H, W) uint8.
    """
    azimuth = math.radians(azimuth_deg)
    down, right = math.cos(azimuth), -math.sin(azimuth)
    if abs(down) < abs(right):
        return np.ascontiguousarray(_sweep(height.T, right, down, gsd_m, elevation_deg).T)
    return _sweep(height, down, right, gsd_m, elevation_deg)


def _sweep(height: Array, ahead: float, aside: float, gsd_m: float, elevation_deg: float) -> Array:
    """Sweep along axis 0 in the direction of `ahead`."""
    order = range(height.shape[0]) if ahead > 0 else range(height.shape[0] - 1, -1, -1)
    slope = aside / abs(ahead)
    fall = gsd_m * math.hypot(1.0, slope) * math.tan(math.radians(elevation_deg))
    ceiling = np.zeros(height.shape[1], np.float32)
    shadow = np.zeros(height.shape, np.uint8)
    moved = 0
    for count, row in enumerate(order):
        step = round(count * slope) - moved
        moved += step
        ceiling = np.roll(ceiling, step) - np.float32(fall)
        shadow[row] = np.clip((ceiling - height[row]) * (255 / PENUMBRA_M), 0, 255)
        np.maximum(ceiling, height[row], out=ceiling)
    return shadow


def expose(rng: np.random.Generator, canvas: Canvas, noise: Noise, style: Style) -> Array:
    """Return the picture: sun and sky, lens blur, mosaic seams, sensor noise, JPEG.

    Works in bands, so memory beyond the result stays small.

    Args:
        rng: Source of randomness for noise and seams.
        canvas: Colours and heights.
        noise: Field the exposure drifts with.
        style: Sun and white balance.

    Shapes:
        -> (H, W, 3) uint8.
    """
    shadow = cast_shadows(
        canvas.height, canvas.gsd_m, style.sun_azimuth_deg, style.sun_elevation_deg
    )
    picture = np.empty_like(canvas.rgb)
    cells = _exposure_cells(rng, canvas)
    for top in range(0, picture.shape[0], BAND_PX):
        bottom = min(top + BAND_PX, picture.shape[0])
        first, last = max(0, top - HALO_PX), min(bottom + HALO_PX, picture.shape[0])
        rows = slice(first, last)
        lit = canvas.rgb[rows] * _light(canvas.height[rows], shadow[rows], canvas.gsd_m, style)
        lit = ndimage.gaussian_filter(lit, (0.65, 0.65, 0))[top - first : bottom - first]
        lit *= _exposure(cells, canvas, slice(top, bottom))[..., None]
        lit *= np.asarray(style.white_balance, np.float32)
        grain = rng.standard_normal(lit.shape[:2], dtype=np.float32)[..., None]
        lit += 2.2 * grain + 1.2 * rng.standard_normal(lit.shape, dtype=np.float32)
        picture[top:bottom] = _jpeg(np.clip(lit, 0, 255).astype(np.uint8))
    return picture


def _light(height: Array, shadow: Array, gsd_m: float, style: Style) -> Array:
    """Return light per pixel and colour, 1 on flat sunlit ground."""
    smooth = ndimage.gaussian_filter(height, 0.8)
    fall_y, fall_x = np.gradient(smooth, gsd_m)
    azimuth = math.radians(style.sun_azimuth_deg)
    elevation = math.radians(style.sun_elevation_deg)
    toward = fall_y * math.cos(azimuth) - fall_x * math.sin(azimuth)
    steep = np.hypot(fall_x, fall_y)
    facing = (1 + np.clip(toward, -2, 2) / math.tan(elevation)) / np.sqrt(
        1 + np.minimum(steep, 2) ** 2
    )
    hollow = np.clip(ndimage.gaussian_filter(height, 5) - height, 0, 0.5)
    sky = 1 - 0.5 * hollow
    dark = ndimage.gaussian_filter(shadow.astype(np.float32) / 255, 0.9)
    direct = np.clip(facing, 0.2, 1.35) * (1 - dark)
    strength = style.sunlight
    share = 1 - (1 - SHADOW_TINT) * strength
    light = sky[..., None] * (share + (1 - share) * direct[..., None])
    return np.asarray(light * (0.98 + 0.12 * strength), np.float32)


def _exposure_cells(rng: np.random.Generator, canvas: Canvas) -> Array:
    """Return photo centres (row, column, gain): pixels come from the nearest photo."""
    rows, cols = canvas.height.shape
    count = max(3, round(rows * canvas.gsd_m / 8) ** 2)
    return np.stack(
        [rng.uniform(0, rows, count), rng.uniform(0, cols, count), rng.normal(1, 0.022, count)],
        axis=1,
    )


def _exposure(cells: Array, canvas: Canvas, rows: slice) -> Array:
    """Return the gain of the photo each pixel comes from; seams blend over a few pixels."""
    grid_rows = np.arange(rows.start, rows.stop + 8, 8)
    grid_cols = np.arange(0, canvas.height.shape[1] + 8, 8)
    points = np.stack(np.meshgrid(grid_rows, grid_cols, indexing="ij"), axis=-1)
    _, nearest = spatial.KDTree(cells[:, :2]).query(points)
    gain = cells[nearest, 2].astype(np.float32)
    smooth = ndimage.zoom(gain, 8, order=1)
    return np.asarray(smooth[: rows.stop - rows.start, : canvas.height.shape[1]])


def _jpeg(band: Array) -> Array:
    """Pass the band through a JPEG, as drone photos are."""
    buffer = io.BytesIO()
    Image.fromarray(band).save(buffer, "JPEG", quality=90, subsampling=2)
    buffer.seek(0)
    return np.asarray(Image.open(buffer))
