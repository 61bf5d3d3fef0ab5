"""Heights, probabilities and grave ids in, colours out; also the colours of verdicts."""

import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
"""A picture, (H, W, 3)."""

Color = tuple[int, int, int]

GREEN: Color = (40, 200, 80)
RED: Color = (235, 60, 50)
BLUE: Color = (50, 120, 255)
YELLOW: Color = (255, 210, 0)
ORANGE: Color = (240, 140, 20)
PURPLE: Color = (165, 95, 235)
CYAN: Color = (0, 200, 255)
GREY: Color = (170, 170, 170)
PAPER: Color = (250, 250, 248)
INK: Color = (30, 30, 30)

_STEPS = 256
# From low to high: water, meadow, wood, dry grass, bare earth.
_TERRAIN: tuple[Color, ...] = (
    (38, 84, 168),
    (64, 160, 172),
    (72, 158, 82),
    (186, 182, 96),
    (150, 96, 48),
    (92, 54, 28),
)
# From black over violet and orange to pale yellow: brighter is more probable, also in greyscale
# print and for the colour-blind. Source: six points of matplotlib's "inferno" (van der Walt & Smith
# 2015).
_HEAT: tuple[Color, ...] = (
    (0, 0, 4),
    (66, 10, 104),
    (147, 38, 103),
    (221, 81, 58),
    (252, 165, 10),
    (252, 255, 164),
)
# Neighbours in this list differ clearly, so graves with consecutive ids do as well.
_GRAVES: tuple[Color, ...] = (
    (255, 200, 60),
    (90, 200, 250),
    (240, 120, 200),
    (130, 220, 110),
    (250, 140, 70),
    (160, 140, 255),
)


def terrain_colors(heights: NDArray[np.float32], low: float, high: float) -> Rgb:
    """Colour heights from blue over green to brown; unknown heights look like paper.

    Args:
        heights: Metres, NaN where unknown.
        low: Height shown in blue, metres.
        high: Height shown in brown, metres; above `low`.

    Shapes:
        heights: (H, W); returns: (H, W, 3)
    """
    known = np.isfinite(heights)
    share = (np.nan_to_num(heights, nan=low) - low) / (high - low)
    return np.where(known[..., None], _ramp(_TERRAIN, share), np.array(PAPER, np.uint8))


def heat_colors(probability: NDArray[np.float32]) -> Rgb:
    """Colour probabilities from dark to bright.

    Shapes:
        probability: (H, W), in [0, 1]; returns: (H, W, 3)
    """
    return _ramp(_HEAT, probability)


def terrain_ramp(width: int) -> Rgb:
    """Return the colours of heights from low to high, (1, width, 3)."""
    return _ramp(_TERRAIN, np.linspace(0, 1, width, dtype=np.float32)[None])


def heat_ramp(width: int) -> Rgb:
    """Return the colours of probabilities from 0 to 1, (1, width, 3)."""
    return _ramp(_HEAT, np.linspace(0, 1, width, dtype=np.float32)[None])


def grave_colors(labels: NDArray[np.int32]) -> Rgb:
    """Colour each grave; consecutive ids get different colours, background is black.

    Shapes:
        labels: (H, W), ids from 1; returns: (H, W, 3)
    """
    colors = np.array(_GRAVES, np.uint8)[(labels - 1) % len(_GRAVES)]
    return np.where((labels > 0)[..., None], colors, np.uint8(0))


def grey(picture: Rgb, brightness: float = 1.0) -> Rgb:
    """Convert a picture to grey.

    Source: luma of ITU-R BT.601.
    """
    luma = picture @ np.array([0.299, 0.587, 0.114]) * brightness
    return np.repeat(luma.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def blend(under: Rgb, over: Rgb | Color, where: NDArray[np.bool_], strength: float) -> Rgb:
    """Blend a colour or a picture over another picture.

    Args:
        under: The picture below.
        over: The colour or picture on top.
        where: True where it is blended.
        strength: Opacity of the top: 0 leaves the picture below unchanged, 1 hides it.
    """
    mixed = under * (1 - strength) + np.asarray(over, np.float32) * strength
    return np.where(where[..., None], mixed.round().astype(np.uint8), under)


def _ramp(anchors: tuple[Color, ...], share: NDArray[np.float32]) -> Rgb:
    positions = np.linspace(0, 1, len(anchors))
    steps = np.linspace(0, 1, _STEPS)
    table = np.stack([np.interp(steps, positions, band) for band in np.array(anchors).T], axis=1)
    index = (np.clip(share, 0, 1) * (_STEPS - 1)).round().astype(np.intp)
    return table.round().astype(np.uint8)[index]
