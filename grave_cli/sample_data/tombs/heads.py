"""Paints the head of a grave: stones, crosses, boulders."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from grave_cli.sample_data.canvas import Array, Canvas
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.site import Site, open_site
from grave_cli.sample_data.texture.look import Look
from grave_cli.sample_data.tombs.bed import stone_colours
from grave_cli.sample_data.tombs.tomb import HeadKind, Tomb, TombKind

HEIGHTS_M: dict[TombKind, tuple[float, float]] = {
    "single": (0.55, 1.35),
    "double": (0.6, 1.4),
    "urn": (0.3, 0.85),
    "child": (0.3, 0.8),
    "family": (0.8, 2.0),
}
WOOD = (138.0, 104.0, 70.0)


def add_head(
    rng: np.random.Generator, canvas: Canvas, tomb: Tomb, noise: Noise, look: Look
) -> None:
    """Set up the stone or cross at the head of a grave.

    Args:
        rng: Source of randomness.
        canvas: Receives colours and heights.
        tomb: The grave.
        noise: Texture fields.
        look: Colours of the scene.
    """
    across = tomb.corners[1] - tomb.corners[0]
    along = (tomb.corners[3] - tomb.corners[0] + tomb.corners[2] - tomb.corners[1]) / 2
    width, length = float(np.linalg.norm(across)), float(np.linalg.norm(along))
    height = float(rng.uniform(*HEIGHTS_M[tomb.kind]))
    thick = min(float(rng.uniform(0.08, 0.24)), 0.8 * length)
    back = min(float(rng.uniform(0.02, 0.12)) + thick / 2, length / 2)
    centre = tomb.corners[0] + across * rng.uniform(0.46, 0.54) + along / length * back
    angle = math.atan2(across[1], across[0]) + float(rng.normal(0, 0.02))
    site = open_site(canvas, centre, angle, (width, thick), height + 0.2, noise, look)
    if site is not None:
        HEADS[tomb.head](rng, site, tomb, height)


def _shade(rng: np.random.Generator, site: Site, tomb: Tomb) -> Array:
    layer = int(rng.integers(40, 400))
    return stone_colours(rng, tomb.head_stone, site.noise, site.patch, layer)


def _block(rng: np.random.Generator, site: Site, tomb: Tomb, height: float) -> None:
    width = site.size[0] * float(rng.uniform(0.45, 0.95))
    if tomb.kind in ("double", "family"):
        width = min(width, float(rng.uniform(0.7, 1.7)))
    colours = _shade(rng, site, tomb)
    if rng.random() < 0.5:
        step = (min(site.size[0], width + 0.12), site.size[1] + 0.08)
        site.rise(step, colours * 0.97, 0.16)
    site.rise((width, site.size[1]), colours, height, 0.02)


def _stele(rng: np.random.Generator, site: Site, tomb: Tomb, height: float) -> None:
    edge = min(0.45, site.size[0] * 0.5) * float(rng.uniform(0.5, 1.0))
    site.rise((edge, max(0.12, site.size[1])), _shade(rng, site, tomb), height * 1.15, 0.01)


def _cross(rng: np.random.Generator, site: Site, tomb: Tomb, height: float) -> None:
    """A cross seen from above: its arms are a bar, its plinth a block."""
    wood = tomb.status == "new" or rng.random() < 0.2
    colours = np.asarray(WOOD) * rng.uniform(0.7, 1.2) if wood else _shade(rng, site, tomb)
    bar = 0.07 if wood else 0.14
    if not wood:
        site.rise((min(site.size[0], 0.6), 0.3), colours * 0.95, 0.3)
    site.rise((bar, bar), colours, height * 1.1)
    arm = min(site.size[0], 0.55)
    site.build(site.box((arm, bar), height_m=height * 0.8), colours, height * 0.8)


def _iron_cross(rng: np.random.Generator, site: Site, tomb: Tomb, height: float) -> None:
    site.rise((0.3, 0.3), _shade(rng, site, tomb), 0.35)
    dark = np.array([52.0, 50, 48]) + (rng.random() < 0.3) * np.array([96.0, 76, 20])
    arm = min(site.size[0], 0.6)
    site.build(site.box((0.035, 0.035), height_m=height), dark, height * 1.2)
    site.build(site.box((arm, 0.035), height_m=height * 0.9), dark, height * 0.9)
    ring = site.patch.cover(0.015 - np.abs(np.hypot(*site.at(height * 0.9)) - 0.16))
    site.patch.paint(ring * 0.6, dark)


def _boulder(rng: np.random.Generator, site: Site, tomb: Tomb, height: float) -> None:
    width = min(site.size[0] * 0.8, float(rng.uniform(0.4, 0.9)))
    lumps(rng, site, (width, 0.6 * width), height * 0.7, _shade(rng, site, tomb))


def lumps(
    rng: np.random.Generator, site: Site, size: tuple[float, float], height: float, colours: Array
) -> None:
    """Build a rounded, irregular stone.

    Args:
        rng: Source of randomness.
        site: Where it lies.
        size: Width and depth in metres.
        height: Height in metres.
        colours: Colour, one or per pixel.
    """
    phase, lobes = rng.uniform(0, 6.3, 3), rng.uniform(0.02, 0.16, 3)
    u, v = site.at(0.5 * height)
    bearing = np.arctan2(v, u)
    rough = 1 + sum(
        lobe * np.cos((n + 2) * bearing + p)
        for n, (lobe, p) in enumerate(zip(lobes, phase, strict=True))
    )
    away = np.hypot(u / (size[0] / 2), v / (size[1] / 2)) / rough
    cover = site.patch.cover((1 - away) * min(size) / 2)
    dome = np.sqrt(np.clip(1 - away**2, 0, 1))
    facet = 0.12 * np.cos(3 * bearing + phase[0])
    shade = (0.8 + 0.22 * dome + facet * dome)[..., None]
    site.patch.paint(cover, np.asarray(colours, np.float32) * shade)
    site.patch.lift(cover, height * (0.25 + 0.75 * dome**0.7))


def _pillow(rng: np.random.Generator, site: Site, tomb: Tomb, height: float) -> None:
    width = min(site.size[0] * 0.7, float(rng.uniform(0.35, 0.6)))
    u, v = site.u, site.v - 0.15
    cover = site.box((width, 0.4), 0.01, (0, 0.15))
    site.build(cover, _shade(rng, site, tomb), np.clip(0.16 - 0.3 * v, 0.05, 0.3) + 0 * u)


def _obelisk(rng: np.random.Generator, site: Site, tomb: Tomb, height: float) -> None:
    colours, edge = _shade(rng, site, tomb), min(site.size[0], float(rng.uniform(0.5, 0.9)))
    top = height * float(rng.uniform(1.0, 1.6))
    site.rise((edge, edge), colours * 0.95, 0.3)
    for part in (0.4, 0.6, 0.8, 1.0):
        size = edge * (0.75 - 0.5 * part)
        site.build(site.box((size, size), height_m=top * part), colours, top * part)


HEADS: dict[HeadKind, Callable[[np.random.Generator, Site, Tomb, float], None]] = {
    "none": lambda rng, site, tomb, height: None,
    "block": _block,
    "stele": _stele,
    "cross": _cross,
    "iron cross": _iron_cross,
    "boulder": _boulder,
    "pillow": _pillow,
    "obelisk": _obelisk,
}
"""The builder of each head."""
