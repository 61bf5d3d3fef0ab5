"""Playgrounds and back gardens: sandpits, trampolines, slides, swings, pools."""

from __future__ import annotations

import numpy as np

from grave_cli.sample_data.site import Site
from grave_cli.sample_data.texture.palettes import PAINTS, pick

BRIGHT = ((204, 56, 48), (236, 186, 52), (56, 104, 176), (72, 146, 84), (212, 120, 52))


def sandpit(rng: np.random.Generator, site: Site) -> None:
    """Paint a sandpit in a frame of boards or stones."""
    site.rise(site.size, np.array([150.0, 124, 90]) * rng.uniform(0.7, 1.1), 0.25)
    inner = site.box((site.size[0] - 0.3, site.size[1] - 0.3), height_m=0.2)
    site.patch.paint(inner, site.ground("sand"))
    bumpy = 0.05 + 0.04 * site.field("clump", 3)
    site.patch.height[inner > 0.5] = bumpy[inner > 0.5]


def trampoline(rng: np.random.Generator, site: Site) -> None:
    """Paint a round trampoline: black cloth in a coloured ring."""
    radius = min(site.size) / 2
    site.build(site.disc(radius, height_m=0.8), np.asarray(pick(rng, BRIGHT, 12)) * 0.8, 0.9)
    site.build(site.disc(radius * 0.83, height_m=0.8), (44, 46, 50), 0.85)


def slide(rng: np.random.Generator, site: Site) -> None:
    """Paint a tower with a slide."""
    colour = np.asarray(pick(rng, BRIGHT, 12), np.float32)
    site.rise((1.2, 1.2), np.array([140.0, 108, 74]), 1.8)
    site.build(site.box((1.4, 1.4), height_m=2.4), np.asarray(pick(rng, BRIGHT, 12)), 2.5)
    u, v = site.at(1.0)
    chute = site.patch.cover(np.minimum(0.28 - np.abs(u), 1.3 - np.abs(v - 1.9)))
    site.build(chute, colour, np.clip(1.6 - 0.55 * (v - 0.6), 0.1, 1.6))


def swing(rng: np.random.Generator, site: Site) -> None:
    """Paint a swing: a beam, four legs, two seats."""
    wood = np.array([146.0, 114, 78]) * rng.uniform(0.7, 1.1)
    site.build(site.box((3.2, 0.1), height_m=2.2), wood, 2.2)
    for end in (-1.6, 1.6):
        site.build(site.box((0.09, 1.8), 0, (end, 0), 1.0), wood * 0.9, 1.2)
    for seat in (-0.7, 0.7):
        site.build(site.box((0.45, 0.18), 0, (seat, 0.1), 0.4), (46, 46, 48), 0.45)


def climber(rng: np.random.Generator, site: Site) -> None:
    """Paint a climbing frame: bars and a net."""
    colour = np.asarray(pick(rng, BRIGHT, 12), np.float32)
    u, v = site.at(1.8)
    bars = (np.abs(u % 0.7 - 0.35) < 0.04) | (np.abs(v % 0.7 - 0.35) < 0.04)
    site.build(site.box(site.size, height_m=1.8) * bars, colour, 1.8)


def pool(rng: np.random.Generator, site: Site) -> None:
    """Paint a pool or paddling pool, round or square."""
    round_ = rng.random() < 0.5
    radius = min(site.size) / 2
    water = np.array([96.0, 176, 196]) * rng.uniform(0.7, 1.1)
    rim = np.asarray(pick(rng, ((226, 228, 230), (110, 150, 190), (186, 176, 160)), 8))
    height = float(rng.choice([0.05, 0.6, 1.1]))
    outer = site.disc(radius, height_m=height) if round_ else site.box(site.size, 0.1)
    inner = (
        site.disc(radius - 0.15, height_m=height)
        if round_
        else site.box((site.size[0] - 0.5, site.size[1] - 0.5), 0.1)
    )
    site.build(outer, rim, height)
    ripple = 1 + 0.04 * site.field("clump", 4)
    site.patch.paint(inner, water * ripple[..., None])


def goal(rng: np.random.Generator, site: Site) -> None:
    """Paint a goal: a white frame with a net."""
    site.build(site.box((site.size[0], 0.1), height_m=2.0), (228, 228, 226), 2.0)
    net = (np.abs(site.u % 0.15 - 0.07) < 0.02) | (np.abs(site.v % 0.15 - 0.07) < 0.02)
    site.build(site.box((site.size[0], 1.0), 0, (0, 0.5), 1.0) * net * 0.6, (212, 212, 210), 1.0)


def table_tennis(rng: np.random.Generator, site: Site) -> None:
    """Paint a table-tennis table of concrete or steel: as large as a double grave."""
    top = site.rise((1.5, 2.7), np.asarray(pick(rng, (*PAINTS[:3], (64, 104, 92)), 10)), 0.76)
    lines = (np.abs(np.abs(site.at(0.76)[0]) - 0.72) < 0.03) | (np.abs(site.at(0.76)[1]) < 0.03)
    site.patch.paint(top * lines * 0.8, (220, 222, 222))
