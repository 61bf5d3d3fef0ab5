"""Augmentation of training chips: mirrored, rotated and scaled as they are cut, then recoloured.

Instance ids are transformed, and targets made from the result, so that bands keep their width. Only
the pixels under the rotated chip are cut, and each array is sampled once.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from torchvision.transforms import v2

from grave_cli.dataset.cemetery_arrays import CemeteryArrays
from grave_cli.learning.cutting import Chip, cut_chip
from grave_cli.learning.places import Place
from grave_cli.rasters.grid import Window
from grave_cli.settings.learning import ChipSettings

Matrix = NDArray[np.float64]

_BLUR_PX = (0.3, 1.2)  # standard deviation; the upper end looks like half the resolution


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
    # In normalised coordinates, the chip and the window around it both span [-1, 1].
    theta = torch.from_numpy(np.column_stack([matrix * size_px / (2 * half), [0, 0]])).float()
    grid = functional.affine_grid(theta[None], [1, 1, size_px, size_px], align_corners=False)
    smooth, known = [chip.rgb.astype(np.float32)], chip.scored
    if chip.elevation is not None:
        smooth.append(np.nan_to_num(chip.elevation, nan=0.0))
        known = known & np.isfinite(chip.elevation).all(axis=0)
    # Ids are exact in float32 up to 2**24.
    exact = np.stack([chip.instances, chip.valid, known]).astype(np.float32)
    image = _sample(np.concatenate(smooth), grid, "bilinear")
    instances, valid, scored = _sample(exact, grid, "nearest")
    return Chip(
        rgb=np.rint(image[:3]).astype(np.uint8),
        valid=valid > 0,
        scored=scored > 0,
        elevation=None if chip.elevation is None else image[3:],
        instances=instances.astype(np.int32),
    )


def color_augmentation(settings: ChipSettings) -> v2.Transform:
    """Build the random changes of colour and sharpness.

    Args:
        settings: Strength of the colour jitter, share of blurred chips.
    """
    amount = settings.color_jitter
    return v2.Compose(
        [
            v2.ColorJitter(amount, amount, amount, hue=settings.hue_jitter),
            v2.RandomApply([v2.GaussianBlur(5, _BLUR_PX)], settings.blur_share),
        ]
    )


def _sample(values: NDArray[np.float32], grid: torch.Tensor, mode: str) -> NDArray[np.float32]:
    """Sample arrays at the points of a grid; beyond their edges they are 0."""
    batch = torch.from_numpy(values)[None]
    sampled = functional.grid_sample(batch, grid, mode, "zeros", align_corners=False)
    return np.asarray(sampled[0].numpy())
