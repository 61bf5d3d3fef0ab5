"""Differences between cemeteries: season, light, stones, ground, age and crowding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from grave_cli.sample_data.canvas import Colour

Season = Literal["spring", "summer", "autumn", "late autumn"]
SEASONS: tuple[Season, ...] = ("summer", "autumn", "spring", "late autumn")
Surface = Literal["meadow", "lawn", "gravel", "grit", "asphalt", "paving", "soil", "mulch"]

LAWNS: dict[Season, Colour] = {
    "spring": (108, 122, 74),
    "summer": (126, 128, 88),
    "autumn": (110, 114, 76),
    "late autumn": (110, 106, 78),
}
FOLIAGE: dict[Season, tuple[Colour, ...]] = {
    "spring": ((112, 132, 76), (124, 142, 84), (98, 122, 72), (190, 174, 174)),
    "summer": ((84, 102, 62), (92, 108, 64), (76, 96, 64), (108, 116, 74)),
    "autumn": ((166, 134, 74), (152, 104, 66), (130, 124, 70), (100, 108, 66)),
    "late autumn": ((128, 106, 72), (116, 92, 68), (96, 100, 68), (82, 92, 66)),
}
STONES: tuple[Colour, ...] = (
    (170, 168, 163),
    (128, 128, 127),
    (62, 63, 66),
    (136, 108, 100),
    (176, 158, 126),
    (196, 192, 184),
    (104, 110, 112),
)
GRAVELS: tuple[Colour, ...] = ((168, 158, 142), (148, 144, 138), (176, 160, 136), (140, 130, 118))
SECTION_GROUNDS: tuple[tuple[Surface, ...], ...] = (
    ("lawn", "gravel"),
    ("gravel", "grit"),
    ("lawn",),
    ("grit", "lawn", "gravel"),
)
PATHS: tuple[Surface, ...] = ("asphalt", "gravel", "paving", "grit")


@dataclass(frozen=True)
class Style:
    """The look and the habits of one cemetery.

    Args:
        season: Colours of lawn, leaves and flowers.
        sun_azimuth_deg: Compass direction of the sun.
        sun_elevation_deg: Height of the sun above the horizon.
        sunlight: Share of direct light; 0 is an overcast sky.
        lawn: Colour of the grass.
        gravel: Colour of gravel.
        foliage: Colours of the tree crowns.
        stones: Colours of curbs, slabs and headstones, the common ones first.
        grounds: Surfaces between the graves.
        path: Surface of the paths.
        age: 0 for a new cemetery, 1 for an old one with moss and neglected graves.
        touching: Share of graves that share an edge with the one before.
        near: Share of graves 3 to 8 cm beside the one before.
        occupancy: Share of places in a row that hold a grave.
        aisle_m: Free width between rows.
        white_balance: Gains of red, green and blue.
    """

    season: Season
    sun_azimuth_deg: float
    sun_elevation_deg: float
    sunlight: float
    lawn: Colour
    gravel: Colour
    foliage: tuple[Colour, ...]
    stones: tuple[Colour, ...]
    grounds: tuple[Surface, ...]
    path: Surface
    age: float
    touching: float
    near: float
    occupancy: float
    aisle_m: float
    white_balance: Colour


def _vary(rng: np.random.Generator, colour: Colour, amount: float) -> Colour:
    """Shift a colour a little, mostly in brightness."""
    shift = rng.normal(0, amount) + rng.normal(0, amount / 4, 3)
    red, green, blue = (float(value) for value in np.asarray(colour) + shift)
    return red, green, blue


def draw_style(rng: np.random.Generator, index: int) -> Style:
    """Draw the style of the cemetery with this number; neighbours in number differ in season.

    Args:
        rng: Source of randomness.
        index: Number of the cemetery in its data set, from 0.
    """
    season = SEASONS[index % len(SEASONS)]
    stones = tuple(_vary(rng, STONES[i], 7) for i in rng.permutation(len(STONES)))
    sun_low, sun_high = (38, 60) if season in ("summer", "spring") else (32, 44)
    gravel = GRAVELS[int(rng.integers(len(GRAVELS)))]
    return Style(
        season=season,
        sun_azimuth_deg=float(rng.uniform(105, 255)),
        sun_elevation_deg=float(rng.uniform(sun_low, sun_high)),
        sunlight=float(rng.choice([0.35, 0.7, 0.85, 1.0])) if index else 0.9,
        lawn=_vary(rng, LAWNS[season], 5),
        gravel=_vary(rng, gravel, 5),
        foliage=FOLIAGE[season],
        stones=stones,
        grounds=SECTION_GROUNDS[(index + int(rng.integers(2))) % len(SECTION_GROUNDS)],
        path=PATHS[(index + int(rng.integers(2))) % len(PATHS)],
        age=float(rng.uniform(0.05, 0.9)),
        touching=float(rng.uniform(0.3, 0.6)),
        near=float(rng.uniform(0.15, 0.3)),
        occupancy=float(rng.uniform(0.78, 0.94)),
        aisle_m=float(rng.uniform(0.8, 1.5)),
        white_balance=_vary(rng, (1.0, 1.0, 1.0), 0.02),
    )
