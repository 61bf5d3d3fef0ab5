"""Planted and heaped things: flower beds, rings, boulders, raised beds, compost, wood piles."""

from __future__ import annotations

import numpy as np

from grave_cli.sample_data.canvas import Array, Colour
from grave_cli.sample_data.plants import cover_plants, scatter_flowers
from grave_cli.sample_data.site import Site
from grave_cli.sample_data.texture.palettes import GRAVELS, SOILS, pick, shift
from grave_cli.sample_data.tombs.heads import lumps

ROCKS: tuple[Colour, ...] = ((150, 142, 138), (172, 158, 152), (120, 116, 116), (166, 134, 122))


def _plant(rng: np.random.Generator, site: Site, cover: Array, density: float) -> None:
    site.build(cover, site.ground(str(rng.choice(["soil", "mulch"]))), 0.05)
    layer = int(rng.integers(40, 300))
    for number in range(int(rng.integers(1, 4))):
        grown = site.field("clump", layer + 7 * number) > 0.5 - density + 0.6 * number
        green = site.look.greens[int(rng.integers(len(site.look.greens)))]
        cover_plants(site.patch, cover * grown, green, site.noise, layer + number)
    count = min(60, int(rng.gamma(1.2, 12) * site.size[0] * site.size[1]))
    scatter_flowers(rng, site.patch, cover, count, 0.05, site.look.flowers)


def flower_bed(rng: np.random.Generator, site: Site) -> None:
    """Paint a flower bed with rounded corners, without kerb or stone."""
    radius = min(site.size) * float(rng.uniform(0.1, 0.5))
    rough = 0.04 * site.field("clump", 3)
    from_edge = site.patch.cover(_inside(site, radius) + rough)
    _plant(rng, site, from_edge, float(rng.uniform(0, 2)))


def _inside(site: Site, radius: float) -> Array:
    du = np.abs(site.u) - site.size[0] / 2 + radius
    dv = np.abs(site.v) - site.size[1] / 2 + radius
    outside = np.hypot(np.maximum(du, 0), np.maximum(dv, 0))
    return np.asarray(radius - outside - np.minimum(np.maximum(du, dv), 0))


def ring(rng: np.random.Generator, site: Site) -> None:
    """Paint a planted ring or mulched disc, as around a young tree."""
    radius = min(site.size) / 2
    rough = 0.05 * site.field("clump", 4)
    cover = site.patch.cover(radius + rough - np.hypot(site.u, site.v))
    _plant(rng, site, cover, float(rng.uniform(-0.6, 1.5)))
    if rng.random() < 0.4:
        rim = site.patch.cover(0.06 - np.abs(np.hypot(site.u, site.v) - radius))
        stones = site.field("pebble", 5) > -0.6
        site.build(rim * stones, np.asarray(pick(rng, ROCKS, 10)), 0.1)


def boulder(rng: np.random.Generator, site: Site) -> None:
    """Paint a boulder in the grass."""
    colour = np.asarray(pick(rng, ROCKS, 14), np.float32)
    speck = 9 * site.field("pebble", 3) + 6 * site.field("grain", 4)
    height = min(site.size) * float(rng.uniform(0.4, 0.9))
    lumps(rng, site, site.size, height, colour + speck[..., None])


def raised_bed(rng: np.random.Generator, site: Site) -> None:
    """Paint a raised vegetable bed in a frame of boards or stone, which looks like a grave."""
    frame: tuple[Colour, ...] = ((134, 102, 70), (152, 146, 136), (104, 92, 80))
    height = float(rng.uniform(0.15, 0.8))
    site.rise(site.size, np.asarray(pick(rng, frame, 8), np.float32), height)
    inner = site.box((site.size[0] - 0.12, site.size[1] - 0.12), height_m=height)
    site.patch.paint(inner, site.ground("crop" if rng.random() < 0.6 else "soil"))
    site.patch.lift(inner, height + 0.1 + 0.05 * np.clip(site.field("clump", 4), 0, 2))


def patch(rng: np.random.Generator, site: Site) -> None:
    """Paint a bed of vegetables or bare earth, level with the ground."""
    rough = 0.05 * site.field("clump", 4)
    cover = site.patch.cover(_inside(site, 0.05) + rough)
    site.build(cover, site.ground("crop" if rng.random() < 0.6 else "soil"), 0.06)
    site.patch.lift(cover, 0.08 + 0.06 * np.clip(site.field("pebble", 4), -1, 2))


def trace(rng: np.random.Generator, site: Site) -> None:
    """Paint the trace of a cleared grave: sunken grass, bare earth or gravel, no kerb."""
    rough = 0.06 * site.field("clump", 4)
    cover = site.patch.cover(_inside(site, 0.1) + rough) * float(rng.uniform(0.3, 0.95))
    surface = str(rng.choice(["soil", "lawn", "grit", "meadow", "gravel"]))
    site.patch.paint(cover, site.ground(surface) * rng.uniform(0.9, 1.08))


def heap(rng: np.random.Generator, site: Site) -> None:
    """Paint a heap of earth, sand, gravel or compost."""
    surface = str(rng.choice(["soil", "sand", "gravel", "mulch", "meadow"]))
    u, v = site.u / site.size[0] * 2, site.v / site.size[1] * 2
    away = np.hypot(u, v) + 0.08 * site.field("patch", 4) + 0.03 * site.field("clump", 5)
    cover = site.patch.cover((1 - away) * min(site.size) / 2)
    height = min(site.size) * float(rng.uniform(0.2, 0.45))
    bumps = 0.03 * site.field("pebble", 6)
    site.build(cover, site.ground(surface), height * np.clip(1 - away, 0, 1) + bumps)


def compost(rng: np.random.Generator, site: Site) -> None:
    """Paint a compost bay of boards or blocks with withered wreaths."""
    wall = np.asarray(shift(rng, (142, 136, 126), 18), np.float32)
    site.rise(site.size, wall, 1.1)
    inner = site.box((site.size[0] - 0.3, site.size[1] - 0.3), height_m=0.8)
    brown = np.asarray(pick(rng, SOILS, 10), np.float32)
    speck = site.field("pebble", 5) + site.field("grain", 6)
    site.patch.paint(inner, brown * (1 + 0.17 * speck)[..., None])
    level = np.clip(0.5 + 0.25 * site.field("clump", 7), 0.1, 1.0)
    site.patch.height[inner > 0.5] = level[inner > 0.5]
    scatter_flowers(rng, site.patch, inner, int(rng.integers(0, 12)), 0.05, site.look.flowers)


def logs(rng: np.random.Generator, site: Site) -> None:
    """Paint a pile of logs."""
    wood = np.asarray(pick(rng, ((128, 104, 78), (148, 128, 100), (104, 84, 66)), 10), np.float32)
    radius = float(rng.uniform(0.07, 0.2))
    round_ = np.sqrt(np.clip(1 - ((site.v % (2 * radius)) / radius - 1) ** 2, 0, 1))
    shade = 0.55 + 0.5 * round_ + 0.06 * site.field("clump", 5)
    cover = site.box((site.size[0], site.size[1]))
    site.build(cover, wood * shade[..., None], float(rng.uniform(0.3, 0.9)) * (0.6 + 0.4 * round_))


def rockery(rng: np.random.Generator, site: Site) -> None:
    """Paint a bed of coarse stones with plants between."""
    cover = site.patch.cover(_inside(site, min(site.size) * 0.3) + 0.06 * site.field("clump", 4))
    tone = np.asarray(pick(rng, GRAVELS, 12), np.float32)
    stones = site.field("clump", 6) + 0.7 * site.field("pebble", 7)
    site.build(cover, tone * (0.85 + 0.12 * stones)[..., None], 0.1 + 0.06 * np.clip(stones, 0, 2))
    grown = (site.field("clump", 9) > 0.6) * cover
    cover_plants(site.patch, grown, site.look.greens[0], site.noise, 77)
