"""Small things on paths: benches, bins, taps, watering cans, tools, lamps, planters."""

from __future__ import annotations

import numpy as np

from grave_cli.sample_data.canvas import Array, Colour
from grave_cli.sample_data.plants import scatter_flowers
from grave_cli.sample_data.site import Site
from grave_cli.sample_data.texture.palettes import PAINTS, pick, shift

WOODS: tuple[Colour, ...] = ((132, 100, 68), (142, 134, 120), (96, 74, 52), (164, 136, 96))


def _wood(rng: np.random.Generator) -> Array:
    return np.asarray(pick(rng, WOODS, 8), np.float32)


def bench(rng: np.random.Generator, site: Site) -> None:
    """Paint a bench of slats with a back, or a stone slab on feet."""
    width, depth = site.size
    if rng.random() < 0.25:
        stone = np.asarray(shift(rng, (160, 156, 150), 14), np.float32)
        site.rise((width, depth), stone, 0.45)
        return
    wood = _wood(rng) if rng.random() < 0.8 else np.asarray(pick(rng, PAINTS, 8), np.float32)
    slats = 0.72 + 0.28 * (np.abs(site.v / 0.11 % 1 - 0.5) < 0.37)
    site.build(site.box((width, depth), height_m=0.45), wood * slats[..., None], 0.45)
    if rng.random() < 0.75:
        site.build(site.box((width, 0.07), shift=(0, -depth / 2), height_m=0.8), wood * 0.95, 0.85)


def table(rng: np.random.Generator, site: Site) -> None:
    """Paint a picnic table with its two benches."""
    wood = _wood(rng)
    planks = 0.8 + 0.2 * (np.abs(site.v / 0.14 % 1 - 0.5) < 0.42)
    colour = wood * planks[..., None]
    site.build(site.box((site.size[0], 0.75), height_m=0.75), colour, 0.75)
    for side in (-0.62, 0.62):
        site.build(
            site.box((site.size[0], 0.27), shift=(0, side), height_m=0.45), colour * 0.95, 0.45
        )


def bin_(rng: np.random.Generator, site: Site) -> None:
    """Paint a litter bin or a wheeled bin."""
    colour = np.asarray(pick(rng, PAINTS, 10), np.float32) * 0.8
    edge = min(site.size)
    site.rise((edge, edge * 1.15), colour, float(rng.uniform(0.8, 1.2)), 0.08 * float(rng.random()))
    site.patch.shade(site.disc(edge * 0.3, height_m=1.0), float(rng.uniform(0.5, 1.1)))


def tap(rng: np.random.Generator, site: Site) -> None:
    """Paint a water trough of stone with a tap."""
    width, depth = site.size
    stone = np.asarray(shift(rng, (150, 146, 138), 14), np.float32)
    height = float(rng.uniform(0.4, 0.9))
    site.rise((width, depth), stone, height, 0.03)
    water = site.box((width - 0.18, depth - 0.18), 0.02, height_m=height)
    site.patch.paint(water, np.array([58.0, 74, 76]) * rng.uniform(0.7, 1.3))
    site.build(site.box((0.12, 0.12), shift=(0, -depth / 2), height_m=1.0), (124, 122, 118), 1.1)


def cans(rng: np.random.Generator, site: Site) -> None:
    """Paint a rack of watering cans."""
    site.build(site.box((site.size[0], 0.08), height_m=0.8), (88, 88, 86), 0.9)
    for u in np.arange(-site.size[0] / 2 + 0.15, site.size[0] / 2, 0.3):
        if rng.random() < 0.75:
            colour = np.asarray(pick(rng, ((64, 112, 70), (60, 84, 132), (148, 52, 48)), 10))
            shift_m = (float(u), float(rng.uniform(0.05, 0.2)))
            site.build(site.disc(0.11, shift_m, 0.4), colour, 0.4)
            site.build(site.box((0.05, 0.22), 0, (shift_m[0], shift_m[1] + 0.2), 0.4), colour, 0.35)


def lamp(rng: np.random.Generator, site: Site) -> None:
    """Paint a lamp post, which leans far out of a mosaic."""
    height = float(rng.uniform(2.5, 5))
    for part in np.linspace(0, 1, 12):
        site.build(site.disc(0.05, height_m=height * part), (92, 94, 96), height * part)
    site.build(site.disc(0.2, height_m=height), (198, 200, 200), height)


def planter(rng: np.random.Generator, site: Site) -> None:
    """Paint a tub or trough of plants."""
    stone = np.asarray(shift(rng, (146, 138, 126), 20), np.float32)
    height = float(rng.uniform(0.3, 0.7))
    round_ = rng.random() < 0.5
    edge = min(site.size)
    outer = site.disc(edge / 2, height_m=height) if round_ else site.rise(site.size, stone, height)
    site.build(outer, stone, height)
    inner = (
        site.disc(edge / 2 - 0.06, height_m=height)
        if round_
        else site.box((site.size[0] - 0.12, site.size[1] - 0.12), height_m=height)
    )
    green = np.asarray(site.look.greens[int(rng.integers(len(site.look.greens)))], np.float32)
    leaf = 1 + 0.14 * site.field("grain", 5) + 0.1 * site.field("pebble", 6)
    site.build(inner, green * leaf[..., None], height + 0.2)
    scatter_flowers(rng, site.patch, inner, 14, 0.045, site.look.flowers)


def barrow(rng: np.random.Generator, site: Site) -> None:
    """Paint a wheelbarrow."""
    colour = np.asarray(pick(rng, PAINTS, 10), np.float32)
    site.rise((0.6, 0.85), colour, 0.55, 0.12)
    site.patch.paint(site.box((0.46, 0.68), 0.1, height_m=0.55), site.ground("soil"))
    for side in (-0.24, 0.24):
        site.build(site.box((0.04, 0.7), 0, (side, 0.65), 0.5), (112, 92, 70), 0.5)


def tools(rng: np.random.Generator, site: Site) -> None:
    """Paint rakes, spades and brooms lying about."""
    for _ in range(int(rng.integers(2, 5))):
        shift_m = (float(rng.normal(0, 0.3)), float(rng.normal(0, 0.2)))
        length = float(rng.uniform(1.1, 1.7))
        site.build(site.box((0.035, length), 0, shift_m), _wood(rng), 0.05)
        head = (float(rng.uniform(0.2, 0.5)), 0.1)
        end = (shift_m[0], shift_m[1] - length / 2)
        site.build(site.box(head, 0, end), np.array([94.0, 94, 96]), 0.08)


def manhole(rng: np.random.Generator, site: Site) -> None:
    """Paint a manhole cover or drain, flush with the ground."""
    colour = np.array([96.0, 94, 92]) * rng.uniform(0.7, 1.3)
    shape = site.disc(0.32) if rng.random() < 0.6 else site.box((0.5, 0.5))
    site.patch.paint(shape * 0.9, colour + (8 * site.field("grain", 4))[..., None])


def slab(rng: np.random.Generator, site: Site) -> None:
    """Paint single paving slabs, as those laid before a bench."""
    colour = np.asarray(shift(rng, (158, 154, 146), 16), np.float32)
    speck = 5 * site.field("grain", 6) + 5 * site.field("clump", 7)
    site.build(site.box(site.size), colour + speck[..., None], 0.03)


def steps(rng: np.random.Generator, site: Site) -> None:
    """Paint a line of stepping stones."""
    colour = np.asarray(shift(rng, (158, 152, 142), 16), np.float32)
    for v in np.arange(-site.size[1] / 2 + 0.2, site.size[1] / 2, float(rng.uniform(0.5, 0.7))):
        speck = 5 * site.field("grain", 6)
        stone = site.box((0.4, 0.38), 0.03, (float(rng.normal(0, 0.02)), float(v)))
        site.build(stone, colour * rng.uniform(0.93, 1.05) + speck[..., None], 0.03)


def marking(rng: np.random.Generator, site: Site) -> None:
    """Paint a worn white line, as between parking bays."""
    worn = site.field("clump", 64) < float(rng.uniform(0.4, 2.5))
    site.patch.paint(0.8 * site.box(site.size) * worn, (206, 206, 200))


def sign(rng: np.random.Generator, site: Site) -> None:
    """Paint a notice board: a thin roof on two posts."""
    colour = _wood(rng)
    site.build(site.box((site.size[0], 0.3), height_m=1.9), colour, 1.9)
