"""Vehicles seen from above: cars, vans, trailers, bicycles, diggers."""

from __future__ import annotations

import numpy as np

from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.site import Site
from grave_cli.sample_data.texture.palettes import PAINTS, pick

GLASS = (36.0, 42.0, 50.0)
RUBBER = (40.0, 40.0, 42.0)


def _paint(rng: np.random.Generator) -> Array:
    return np.asarray(pick(rng, PAINTS, 10), np.float32)


def _sheen(site: Site, colour: Array, strength: float) -> Array:
    """Let a painted surface mirror more sky on one side."""
    return np.asarray(colour + (strength * site.u / max(site.size))[..., None], np.float32)


def car(rng: np.random.Generator, site: Site) -> None:
    """Paint a car: bonnet, windscreen, roof; width along u."""
    width, length = site.size
    colour = _sheen(site, _paint(rng), float(rng.uniform(-40, 40)))
    front = float(rng.uniform(0.02, 0.1)) * length
    body = (width, length)
    site.rise(body, colour, 0.6, 0.3 * width)
    site.build(site.box((width * 0.96, length * 0.97), 0.3, height_m=0.85), colour, 0.85)
    cabin = (width * 0.84, length * float(rng.uniform(0.5, 0.66)))
    site.build(site.box(cabin, 0.25, (0, front), 1.1), GLASS, 1.15)
    roof = (width * 0.72, cabin[1] * float(rng.uniform(0.5, 0.72)))
    top = site.box(roof, 0.18, (0, front), 1.45)
    site.build(top, GLASS if rng.random() < 0.15 else colour * 1.04 + 4, 1.45)
    for side in (-1, 1):
        mirror = site.box((0.16, 0.12), 0.04, (side * (width / 2 + 0.05), -0.12 * length), 0.9)
        site.build(mirror, colour * 0.8, 0.95)


def van(rng: np.random.Generator, site: Site) -> None:
    """Paint a van or hearse: one long box behind a windscreen."""
    width, length = site.size
    colour = _sheen(site, _paint(rng), float(rng.uniform(-20, 20)))
    site.rise((width, length), colour, 1.0, 0.2)
    site.rise((width * 0.94, length * 0.76), colour, 2.1, 0.12, (0, 0.1 * length), 1.0)
    screen = site.box((width * 0.84, 0.09 * length), 0.08, (0, -0.3 * length), 1.5)
    site.build(screen, GLASS, 1.6)
    if rng.random() < 0.4:
        ribs = np.abs(site.v % 0.5 - 0.25) < 0.03
        site.patch.shade(
            site.box((width * 0.9, length * 0.7), 0.1, (0, 0.1 * length), 2.1) * ribs, 0.9
        )


def trailer(rng: np.random.Generator, site: Site) -> None:
    """Paint an open trailer with a load of earth, branches or nothing."""
    width, length = site.size
    metal = np.array([128.0, 128, 126]) * rng.uniform(0.6, 1.2)
    site.rise((width, length), metal, 0.9)
    load = site.ground(str(rng.choice(["soil", "mulch", "gravel"])))
    inner = site.box((width - 0.14, length - 0.14), height_m=0.9)
    site.patch.paint(inner, load)
    level = 0.55 + 0.2 * rng.random() + 0.08 * site.field("clump", 8)
    site.patch.height[inner > 0.5] = level[inner > 0.5]
    site.build(site.box((0.08, 0.9), shift=(0, -length / 2 - 0.4)), metal * 0.7, 0.45)


def bicycle(rng: np.random.Generator, site: Site) -> None:
    """Paint a bicycle: two wheels are lines from above, the handlebar crosses them."""
    site.build(site.box((0.04, 1.65)), RUBBER, 0.6)
    site.build(site.box((0.03, 0.9)), _paint(rng), 0.7)
    site.build(site.box((0.55, 0.04), shift=(0, -0.45), height_m=1.0), RUBBER, 1.0)
    site.build(site.box((0.14, 0.26), 0.05, (0, 0.4), 0.9), RUBBER, 0.95)


def digger(rng: np.random.Generator, site: Site) -> None:
    """Paint a small excavator: tracks, turned cabin, arm."""
    yellow = np.array([214.0, 160, 44]) if rng.random() < 0.7 else _paint(rng)
    for side in (-0.5, 0.5):
        site.rise((0.3, 2.0), np.asarray(RUBBER), 0.5, 0.05, (side, 0))
    site.rise((1.2, 1.3), yellow, 1.3, 0.2, (0, 0.2))
    site.rise((0.7, 0.8), yellow * 0.7, 2.2, 0.1, (-0.2, 0.1), 1.3)
    site.build(site.box((0.18, 2.2), 0, (0.25, -1.2), 1.2), yellow * 0.92, 1.6)
    site.build(site.box((0.45, 0.35), 0, (0.25, -2.25), 0.4), np.array([88.0, 84, 80]), 0.6)


def container(rng: np.random.Generator, site: Site) -> None:
    """Paint a waste container or skip, open or with a lid of ribs."""
    width, length = site.size
    colour = _paint(rng) * 0.9
    height = float(rng.uniform(0.9, 2.4))
    site.rise((width, length), colour, height)
    if rng.random() < 0.5:
        inner = site.box((width - 0.2, length - 0.2), height_m=height)
        rubbish = site.ground(str(rng.choice(["mulch", "soil", "meadow", "gravel"])))
        site.patch.paint(inner, rubbish * rng.uniform(0.6, 1.0))
        bumpy = height * 0.7 + 0.1 * site.field("clump", 4)
        site.patch.height[inner > 0.5] = bumpy[inner > 0.5]
    else:
        ribs = np.abs(site.at(height)[1] % 0.25 - 0.125) < 0.04
        site.patch.shade(site.box((width, length), height_m=height) * ribs, 0.85)
