"""From even colours and heights to the picture a camera delivers."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from scipy import ndimage

from grave_cli.sample_data.camera.mosaic import Photos, lay_photos
from grave_cli.sample_data.camera.sunlight import HALO_PX, light_of, shadow_of
from grave_cli.sample_data.canvas import Array, Canvas
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.variety.settings import Lens, Variety

BAND_PX = 384
MIDDLE_GREY, VEIL = 110.0, 205.0
GREY = np.array([0.299, 0.587, 0.114], np.float32)


def develop(rng: np.random.Generator, canvas: Canvas, noise: Noise, variety: Variety) -> Array:
    """Return the picture: light, seams and ghosts, blur, exposure, haze, sensor noise, JPEG.

    Works in bands, so memory beyond the result stays small.

    Args:
        rng: Source of randomness.
        canvas: Colours and heights.
        noise: Texture fields.
        variety: Sun, lens and mosaic.

    Shapes:
        -> (H, W, 3) uint8.
    """
    shadow = shadow_of(canvas.height, canvas.gsd_m, variety.sun)
    photos = lay_photos(rng, canvas, noise, variety.mosaic)
    picture = np.empty_like(canvas.rgb)
    edge = picture.shape[0]
    for top in range(0, edge, BAND_PX):
        bottom = min(top + BAND_PX, edge)
        rows = slice(max(0, top - HALO_PX), min(bottom + HALO_PX, edge))
        lit = light_of(canvas.height[rows], shadow[rows], canvas.gsd_m, variety.sun)
        lit *= canvas.rgb[rows]
        lit = _focus(_stitch(lit, photos, rows), variety.lens)
        own = lit[top - rows.start : bottom - rows.start]
        picture[top:bottom] = compress(expose(rng, own, variety.lens), variety.lens.jpeg_quality)
    return picture


def _stitch(lit: Array, photos: Photos, rows: slice) -> Array:
    """Take each pixel from its photo, which lies a little beside its place and is a little off."""
    height, width = lit.shape[:2]
    owner, ghosting = photos.rows(rows.start, rows.stop, width)
    if photos.shift_px.any():
        down = np.arange(height)[:, None] + photos.shift_px[owner, 0]
        right = np.arange(width)[None, :] + photos.shift_px[owner, 1]
        lit = lit[np.clip(down, 0, height - 1), np.clip(right, 0, width - 1)]
    if ghosting.any():
        ghost = np.roll(lit, photos.ghost_px, (0, 1))
        lit = lit + (ghost - lit) * ghosting[..., None]
    gain = ndimage.uniform_filter(photos.gain[owner], 9)
    return np.asarray(lit * gain[..., None], np.float32)


def _focus(lit: Array, lens: Lens) -> Array:
    soft = ndimage.gaussian_filter(lit, (lens.blur_px, lens.blur_px, 0), truncate=3)
    if lens.sharpen < 0.1:
        return np.asarray(soft)
    wide = ndimage.uniform_filter(soft, (3, 3, 1))
    return np.asarray(soft + np.float32(1.5 * lens.sharpen) * (soft - wide), np.float32)


def expose(rng: np.random.Generator, lit: Array, lens: Lens) -> Array:
    """Return 8-bit colours: white balance, exposure, contrast, saturation, haze, noise.

    Args:
        rng: Source of randomness.
        lit: Colours under light, 0–255 for a correct exposure.
        lens: Camera and development.

    Shapes:
        lit (h, w, 3) -> (h, w, 3) uint8.
    """
    colours = lit * (np.asarray(lens.white_balance, np.float32) * np.float32(lens.gain))
    grey = (colours @ GREY)[..., None]
    colours = grey + (colours - grey) * np.float32(lens.saturation)
    colours = MIDDLE_GREY + (colours - MIDDLE_GREY) * np.float32(lens.contrast)
    colours += (VEIL - colours) * np.float32(lens.haze)
    bright = rng.standard_normal(lit.shape[:2], dtype=np.float32)[..., None]
    colours += np.float32(lens.noise * 0.8) * bright
    if lens.noise > 1:
        colours += np.float32(lens.noise * 0.5) * rng.standard_normal(lit.shape, dtype=np.float32)
    return np.asarray(np.clip(_shoulder(colours), 0, 255), np.uint8)


def _shoulder(colours: Array) -> Array:
    """Compress highlights above 220 softly, as cameras do before they clip."""
    over = np.maximum(colours - 220, 0)
    return np.asarray(colours - over + 35 * (1 - np.exp(over * np.float32(-1 / 35))), np.float32)


def compress(band: Array, quality: int) -> Array:
    """Pass a picture through a JPEG of the given quality, 1–97."""
    buffer = io.BytesIO()
    Image.fromarray(band).save(buffer, "JPEG", quality=quality, subsampling=2)
    buffer.seek(0)
    return np.asarray(Image.open(buffer))
