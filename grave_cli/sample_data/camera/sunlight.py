"""Sun and sky over a scene: heights → how much light each pixel sends to the camera."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.light import cast_shadows
from grave_cli.sample_data.variety.settings import Sun

HALO_PX = 24
"""Rows beyond a band that its light depends on."""


def shadow_of(height: Array, gsd_m: float, sun: Sun) -> Array:
    """Return how deep each pixel lies in shadow, 0 (sunlit) to 255.

    Args:
        height: Metres above the ground.
        gsd_m: Pixel edge in metres.
        sun: Daylight.

    Shapes:
        height (H, W) -> (H, W) uint8.
    """
    if sun.share == 0:
        return np.zeros(height.shape, np.uint8)
    return cast_shadows(height, gsd_m, sun.azimuth_deg, sun.elevation_deg)


def light_of(height: Array, shadow: Array, gsd_m: float, sun: Sun) -> Array:
    """Return light per pixel and colour: 1 on flat, sunlit, open ground.

    Args:
        height: Metres above the ground.
        shadow: From `shadow_of`.
        gsd_m: Pixel edge in metres.
        sun: Daylight.

    Shapes:
        height and shadow (h, w) -> (h, w, 3) float32.
    """
    sky = _sky(height, gsd_m)
    if sun.share == 0:
        return np.repeat(sky[..., None], 3, axis=2)
    blur = max(0.4, sun.blur_m / gsd_m)
    dark = ndimage.gaussian_filter(
        shadow.astype(np.float32) * np.float32(1 / 255), blur, truncate=3
    )
    direct = _facing(height, gsd_m, sun) * (1 - dark)
    ambient = 1 - (1 - np.asarray(sun.shadow, np.float32)) * np.float32(sun.share)
    light = np.empty((*height.shape, 3), np.float32)
    for band in range(3):
        light[..., band] = sky * (ambient[band] + (1 - ambient[band]) * direct)
    return light


def _facing(height: Array, gsd_m: float, sun: Sun) -> Array:
    """Return direct light by slope, 1 on the level: slopes towards the sun are brighter."""
    smooth = ndimage.gaussian_filter(height, 0.8, truncate=3)
    fall_y, fall_x = np.gradient(smooth, np.float32(gsd_m))
    azimuth, elevation = math.radians(sun.azimuth_deg), math.radians(sun.elevation_deg)
    toward = fall_y * np.float32(math.cos(azimuth)) - fall_x * np.float32(math.sin(azimuth))
    steep = np.minimum(fall_x * fall_x + fall_y * fall_y, 4)
    facing = (1 + np.clip(toward, -2, 2) / np.float32(math.tan(elevation))) / np.sqrt(1 + steep)
    return np.asarray(np.clip(facing, 0.15, 1.4), np.float32)


def _sky(height: Array, gsd_m: float) -> Array:
    """Return the share of the sky that a pixel sees: less in hollows and at the foot of walls."""
    around = ndimage.uniform_filter(height, max(3, round(0.35 / gsd_m)))
    hollow = np.clip(around - height, 0, 0.6)
    return np.asarray(1 - 0.45 * hollow, np.float32)
