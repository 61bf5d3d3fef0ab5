"""Ornaments on a grave: lanterns, vases, pots, plaques, dwarf shrubs."""

from __future__ import annotations

import math

import numpy as np

from grave_cli.sample_data.canvas import Array, Canvas, Colour
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.plants import scatter_flowers
from grave_cli.sample_data.site import Site, open_site
from grave_cli.sample_data.texture.look import Look
from grave_cli.sample_data.texture.palettes import STONES, pick
from grave_cli.sample_data.tombs.tomb import Tomb

LANTERNS: tuple[Colour, ...] = (
    (156, 44, 42),
    (62, 60, 58),
    (176, 154, 98),
    (214, 210, 202),
    (196, 168, 52),
    (58, 88, 140),
)


def add_gifts(
    rng: np.random.Generator, canvas: Canvas, tomb: Tomb, noise: Noise, look: Look
) -> None:
    """Put lanterns, vases, plaques and shrubs on a grave.

    Args:
        rng: Source of randomness.
        canvas: Receives colours and heights.
        tomb: The grave.
        noise: Texture fields.
        look: Colours of the scene.
    """
    origin = tomb.corners[0]
    across, along = tomb.corners[1] - origin, tomb.corners[3] - origin
    widest = 0.3 * float(np.linalg.norm(across))
    angle = math.atan2(across[1], across[0])
    for _ in range(min(9, int(rng.poisson(tomb.gifts)))):
        at = origin + across * rng.uniform(0.15, 0.85) + along * rng.uniform(0.12, 0.88)
        radius = min(widest, float(rng.uniform(0.05, 0.3)))
        site = open_site(canvas, at, angle, (2 * radius, 2 * radius), 0.6, noise, look)
        if site is not None:
            gift = (_lantern, _vase, _bush, _plaque)[int(rng.choice(4, p=[0.34, 0.3, 0.22, 0.14]))]
            gift(rng, site, radius)


def _lantern(rng: np.random.Generator, site: Site, radius: float) -> None:
    colour = np.asarray(LANTERNS[int(rng.integers(len(LANTERNS)))], np.float32)
    edge = float(rng.uniform(0.09, 0.14))
    site.rise((edge, edge), colour, 0.25, edge / 3)
    site.patch.paint(site.disc(edge / 4, height_m=0.25), colour * 1.2 + 14)


def _vase(rng: np.random.Generator, site: Site, radius: float) -> None:
    """A pot of flowers or greenery."""
    size = min(radius, 0.18)
    cover = site.disc(size, height_m=0.25)
    site.build(cover, np.array([82, 104, 60]) * rng.uniform(0.7, 1.2), 0.3)
    scatter_flowers(rng, site.patch, cover, int(rng.integers(3, 14)), 0.035, site.look.flowers)


def _bush(rng: np.random.Generator, site: Site, radius: float) -> None:
    """A clipped or loose dwarf shrub."""
    size = max(0.1, radius)
    u, v = site.at(size)
    bearing, away = np.arctan2(v, u), np.hypot(u, v)
    loose = float(rng.uniform(0.02, 0.16))
    rough = (
        1 + loose * np.cos(7 * bearing + rng.random() * 6) + 0.4 * loose * site.field("grain", 5)
    )
    cover = site.patch.cover(size * rough - away)
    dome = np.sqrt(np.clip(1 - (away / size) ** 2, 0, 1))
    colour = np.asarray(site.look.greens[int(rng.integers(len(site.look.greens)))], np.float32)
    shade = 0.72 + 0.34 * dome + 0.1 * site.field("grain", 9)
    tall = float(rng.uniform(0.8, 2.2))
    site.build(cover, colour * shade[..., None], 0.1 + size * tall * dome)


def _plaque(rng: np.random.Generator, site: Site, radius: float) -> None:
    """A small stone with an inscription, lying or leaning."""
    size = (float(rng.uniform(0.18, 0.4)), float(rng.uniform(0.12, 0.28)))
    colour: Array = np.asarray(pick(rng, STONES, 12), np.float32)
    site.rise(size, colour, float(rng.uniform(0.04, 0.22)))
