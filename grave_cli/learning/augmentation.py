"""Augmentation of training chips: mirrored, rotated and scaled as they are cut, then recoloured.

Instance ids are transformed, and targets made from the result, so that bands keep their width. Only
the pixels under the rotated chip are cut, and each array is sampled once. Brightness, contrast,
saturation and hue are one matrix.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from torchvision.transforms.v2 import functional as images

from grave_cli.dataset.cemetery_arrays import CemeteryArrays
from grave_cli.learning.cutting import Chip, cut_chip
from grave_cli.learning.places import Place
from grave_cli.rasters.grid import Window
from grave_cli.settings.learning import ChipSettings

Matrix = NDArray[np.float64]

_BLUR_PX = (0.3, 1.2)  # standard deviation; the upper end looks like half the resolution
_BLUR_WIDTH_PX = 5
_LUMA = np.array([0.299, 0.587, 0.114])
# From RGB to luma and the two axes of chroma. Source: NTSC (YIQ), FCC 1953.
_YIQ = np.array([_LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_RGB = np.linalg.inv(_YIQ)


def draw_matrix(settings: ChipSettings, rng: np.random.Generator) -> Matrix:
    """Draw a random mapping from offsets (x, y) in a chip to offsets in the cemetery's pixels.

    Args:
        settings: Scale range, and whether to rotate.
        rng: Random generator.

    Shapes:
        returns: (2, 2)
    """
    angle = rng.uniform(0, 2 * math.pi) if settings.rotate else 0.0
    low, high = settings.scale_range
    # Log-uniform, so that halving is as likely as doubling.
    scale = math.exp(rng.uniform(math.log(low), math.log(high)))
    cosine, sine = math.cos(angle), math.sin(angle)
    rotation = np.array([[cosine, -sine], [sine, cosine]]) / scale
    return np.asarray(rotation * rng.choice([-1.0, 1.0], 2))  # each axis mirrored or not


def cut_augmented(arrays: CemeteryArrays, place: Place, matrix: Matrix, size_px: int) -> Chip:
    """Cut a training chip, mirrored, rotated and scaled around its centre.

    Holes in the DEM are not scored: `chips.dem_dropout` teaches the network to do without heights.
    Validation scores them, because prediction maps them.

    Args:
        arrays: The part.
        place: Centre of the chip.
        matrix: From offsets in the chip to offsets in the part's pixels; see `draw_matrix`.
        size_px: Edge of the chip, pixels.
    """
    # The farthest pixel that the chip reaches, and one more for interpolation.
    half = math.ceil(np.abs(matrix).sum(axis=1).max() * size_px / 2) + 1
    window = Window(place.column - half, place.row - half, 2 * half, 2 * half)
    chip = cut_chip(arrays, window)
    rows, columns = _positions(matrix, size_px, half)
    nearest = np.rint(rows).astype(np.intp) * (2 * half) + np.rint(columns).astype(np.intp)
    if chip.elevation is None:
        image, known = _interpolate([chip.rgb], rows, columns), chip.scored
    else:
        unknown = np.isnan(chip.elevation)
        image = _interpolate([chip.rgb, np.where(unknown, 0, chip.elevation)], rows, columns)
        # As on a map, the recipe chooses what stands for an unknown height.
        image[3:][unknown.reshape(len(unknown), -1)[:, nearest]] = np.nan
        known = chip.scored & ~unknown.any(axis=0)
    return Chip(
        rgb=np.rint(image[:3]).astype(np.uint8),
        valid=chip.valid.take(nearest),
        scored=known.take(nearest),
        elevation=None if chip.elevation is None else image[3:],
        instances=chip.instances.take(nearest),
    )


def recolored(
    rgb: NDArray[np.uint8], settings: ChipSettings, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Change brightness, contrast, saturation, hue and sharpness at random.

    Hue is turned about the grey axis, so that luma stays. All four are linear, so
    one matrix and one offset change every pixel.

    Args:
        rgb: Colours, 0 to 255.
        settings: Strength of the colour jitter, share of blurred chips.
        rng: Random generator.

    Shapes:
        rgb, returns: (3, H, W)
    """
    amount, hue = settings.color_jitter, settings.hue_jitter
    brightness, contrast, saturation = rng.uniform(1 - amount, 1 + amount, 3)
    angle = rng.uniform(-hue, hue) * 2 * math.pi
    sigma = rng.uniform(*_BLUR_PX) if rng.random() < settings.blur_share else 0.0
    cosine, sine = saturation * math.cos(angle), saturation * math.sin(angle)
    chroma = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    matrix = brightness * contrast * (_RGB @ chroma @ _YIQ)
    # Contrast is relative to the mean luma of the chip, which the matrix of colours keeps.
    luma = float(rgb.reshape(3, -1).mean(axis=1) @ _LUMA)
    pixels = matrix.astype(np.float32) @ rgb.reshape(3, -1).astype(np.float32)
    pixels += np.float32(brightness * (1 - contrast) * luma)
    image = torch.from_numpy(pixels).view(rgb.shape)
    if sigma:
        image = images.gaussian_blur(image, [_BLUR_WIDTH_PX] * 2, [sigma] * 2)
    return np.asarray(image.clamp_(0, 255).round_().to(torch.uint8).numpy())


def _positions(
    matrix: Matrix, size_px: int, half: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Find the row and column in a window of 2 half pixels under each pixel of a chip, (H, W)."""
    offsets = np.arange(size_px, dtype=np.float32) - np.float32((size_px - 1) / 2)
    (xx, xy), (yx, yy) = matrix.astype(np.float32)
    centre = np.float32(half - 0.5)
    columns = (xx * offsets + centre) + (xy * offsets)[:, None]
    rows = (yx * offsets + centre) + (yy * offsets)[:, None]
    return rows, columns


def _interpolate(
    arrays: list[NDArray[Any]], rows: NDArray[np.float32], columns: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Sample square arrays (channels, H, W) bilinearly at rows and columns within them."""
    edge = arrays[0].shape[-1]
    values = np.empty((sum(map(len, arrays)), edge, edge), np.float32)
    np.concatenate(arrays, out=values, casting="unsafe")
    # grid_sample counts from -1 to 1, between the outer edges of the outermost pixels.
    points = np.stack([columns, rows], axis=-1)
    points += np.float32(0.5)
    points *= np.float32(2 / edge)
    points -= np.float32(1)
    batch, grid = torch.from_numpy(values)[None], torch.from_numpy(points)[None]
    sampled = functional.grid_sample(batch, grid, "bilinear", "zeros", align_corners=False)
    return np.asarray(sampled[0].numpy())
