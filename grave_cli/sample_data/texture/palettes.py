"""Colours under even light: grass, leaves, flowers, stone, paint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grave_cli.sample_data.canvas import Colour
from grave_cli.sample_data.variety.settings import Season


@dataclass(frozen=True)
class Stone:
    """One kind of stone.

    Args:
        colour: Its colour.
        speckle: Contrast of its grain in grey levels.
        stain: Contrast of weathering in grey levels.
        polish: 0 rough, 1 mirrors the sky.
        moss: 0 clean, 1 overgrown with moss and lichen.
    """

    colour: Colour
    speckle: float
    stain: float
    polish: float
    moss: float


LAWNS: dict[Season, tuple[Colour, ...]] = {
    "spring": ((112, 142, 62), (98, 132, 58), (126, 146, 76)),
    "summer": ((104, 132, 58), (118, 140, 70), (96, 118, 62), (128, 138, 82)),
    "drought": ((176, 158, 106), (160, 148, 96), (186, 170, 124), (142, 140, 84)),
    "autumn": ((108, 124, 62), (122, 126, 74), (98, 118, 60)),
    "late autumn": ((112, 114, 70), (100, 110, 64), (126, 120, 80)),
    "winter": ((132, 126, 84), (112, 112, 72), (146, 136, 100), (104, 112, 66)),
}
FOLIAGE: dict[Season, tuple[Colour, ...]] = {
    "spring": ((112, 144, 66), (134, 158, 76), (98, 132, 72), (206, 188, 190), (224, 216, 206)),
    "summer": ((76, 104, 52), (90, 118, 58), (66, 92, 54), (106, 124, 66), (84, 100, 72)),
    "drought": ((96, 112, 60), (118, 122, 70), (138, 128, 72), (82, 98, 56)),
    "autumn": ((186, 146, 60), (168, 104, 52), (142, 128, 62), (104, 118, 60), (150, 66, 44)),
    "late autumn": ((140, 108, 62), (122, 92, 60), (150, 124, 70), (92, 98, 60)),
    "winter": ((112, 100, 86), (98, 90, 80), (120, 112, 96)),
}
CONIFERS: tuple[Colour, ...] = ((50, 72, 48), (62, 82, 50), (74, 96, 88), (58, 70, 40))
GREENS: tuple[Colour, ...] = (
    (72, 94, 54),
    (92, 116, 62),
    (112, 126, 80),
    (78, 102, 74),
    (60, 80, 46),
    (130, 138, 96),
    (98, 106, 72),
    (126, 132, 120),
    (104, 136, 54),
    (126, 150, 70),
    (86, 122, 50),
)
FADED: tuple[Colour, ...] = ((126, 104, 76), (104, 88, 66), (120, 110, 82), (112, 84, 72))
HEATHERS: tuple[Colour, ...] = ((138, 98, 120), (118, 92, 104), (154, 120, 138))
FLOWERS: tuple[Colour, ...] = (
    (196, 44, 48),
    (218, 104, 142),
    (236, 230, 224),
    (232, 190, 64),
    (132, 84, 160),
    (230, 128, 56),
    (92, 96, 178),
    (238, 214, 190),
)
STONES: tuple[Colour, ...] = (
    (172, 170, 166),
    (130, 130, 130),
    (58, 59, 62),
    (84, 86, 90),
    (146, 112, 102),
    (120, 78, 70),
    (186, 166, 130),
    (204, 198, 186),
    (226, 224, 220),
    (104, 112, 116),
    (110, 118, 104),
    (170, 140, 116),
    (152, 150, 140),
)
GRAVELS: tuple[Colour, ...] = (
    (178, 168, 150),
    (152, 148, 142),
    (188, 170, 142),
    (142, 130, 116),
    (206, 200, 190),
    (164, 142, 128),
)
SOILS: tuple[Colour, ...] = (
    (96, 80, 64),
    (78, 62, 50),
    (122, 98, 72),
    (142, 108, 80),
    (70, 62, 56),
    (150, 138, 114),
)
ASPHALTS: tuple[Colour, ...] = ((112, 112, 114), (138, 136, 138), (88, 88, 92), (156, 152, 152))
PAVINGS: tuple[Colour, ...] = (
    (150, 146, 140),
    (158, 108, 90),
    (172, 164, 152),
    (134, 120, 110),
    (182, 168, 146),
)
ROOFS: tuple[Colour, ...] = (
    (166, 92, 68),
    (138, 78, 62),
    (96, 96, 100),
    (74, 74, 78),
    (126, 110, 98),
    (112, 60, 54),
)
TINS: tuple[Colour, ...] = (
    (176, 180, 182),
    (150, 152, 152),
    (128, 62, 60),
    (86, 112, 98),
    (196, 200, 204),
    (150, 112, 86),
    (92, 116, 142),
)
PAINTS: tuple[Colour, ...] = (
    (48, 50, 54),
    (212, 214, 216),
    (128, 130, 134),
    (158, 34, 36),
    (42, 66, 118),
    (84, 88, 92),
    (190, 178, 150),
    (56, 84, 60),
    (226, 226, 226),
)
LITTER: tuple[Colour, ...] = ((166, 118, 52), (134, 86, 44), (184, 150, 70), (112, 78, 50))


def shift(rng: np.random.Generator, colour: Colour, amount: float) -> Colour:
    """Vary a colour: mostly its brightness, its hue by a third of `amount` grey levels."""
    moved = np.asarray(colour) + rng.normal(0, amount) + rng.normal(0, amount / 3, 3)
    red, green, blue = (float(value) for value in np.clip(moved, 4, 250))
    return red, green, blue


def pick(rng: np.random.Generator, palette: Sequence[Colour], amount: float = 6.0) -> Colour:
    """Return one colour of a palette, varied."""
    return shift(rng, palette[int(rng.integers(len(palette)))], amount)


def draw_stone(rng: np.random.Generator, age: float) -> Stone:
    """Draw one kind of stone.

    Args:
        rng: Source of randomness.
        age: 0 new, 1 old: weathered and mossy.
    """
    worn = float(np.clip(rng.normal(age, 0.25), 0, 1))
    return Stone(
        colour=pick(rng, STONES, 8),
        speckle=float(rng.choice([0, 4, 8, 14])) * float(rng.uniform(0.6, 1.2)),
        stain=2 + 12 * worn * float(rng.random()),
        polish=float(rng.random() ** 1.5) * (1 - 0.7 * worn),
        moss=worn * float(rng.random() ** 1.5),
    )
