"""Paints objects that are not graves: buildings, cars, benches, beds, hedges, walls."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from grave_cli.sample_data.canvas import Array, Canvas, Colour, Patch, box_inside
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.plan import Hedge, Plan, Thing, ThingKind
from grave_cli.sample_data.plants import cover_plants, leaf_colours, scatter_flowers
from grave_cli.sample_data.style import Style
from grave_cli.sample_data.surfaces import grit, lawn, soil

CARS: tuple[Colour, ...] = (
    (52, 54, 58),
    (188, 190, 192),
    (120, 122, 126),
    (138, 36, 38),
    (46, 66, 108),
)


class Site:
    """One thing on its patch, with coordinates along its width and depth."""

    def __init__(self, patch: Patch, thing: Thing, noise: Noise, style: Style) -> None:
        self.patch, self.size, self.noise, self.style = patch, thing.size, noise, style
        self.u, self.v = patch.local(thing.centre, thing.angle)

    def box(
        self, size: tuple[float, float], radius: float = 0.0, shift: tuple[float, float] = (0, 0)
    ) -> Array:
        """Return coverage of a box around the thing's middle."""
        return self.patch.cover(box_inside(self.u - shift[0], self.v - shift[1], size, radius))

    def build(self, cover: Array, colour: Array | Colour, height: Array | float) -> None:
        """Paint and lift at once."""
        self.patch.paint(cover, colour)
        self.patch.lift(cover, height)


def paint_thing(
    rng: np.random.Generator, canvas: Canvas, thing: Thing, noise: Noise, style: Style
) -> None:
    """Paint one thing.

    Args:
        rng: Source of randomness.
        canvas: Receives colours and heights.
        thing: The object.
        noise: Texture.
        style: Look of the cemetery.
    """
    patch = canvas.patch(np.array([thing.centre]), float(np.hypot(*thing.size)) / 2 + 0.3)
    if patch is not None:
        PAINTERS[thing.kind](rng, Site(patch, thing, noise, style))


def _bench(rng: np.random.Generator, site: Site) -> None:
    slats = 0.8 + 0.2 * (np.abs(site.v / 0.1 % 1 - 0.5) < 0.36)
    wood = np.asarray(rng.choice([(126, 96, 66), (138, 128, 114), (92, 70, 50)]), np.float32)
    site.build(site.box((1.6, 0.45)), wood * slats[..., None], 0.45)
    site.build(site.box((1.6, 0.07), shift=(0, -0.22)), wood * 0.95, 0.85)


def _car(rng: np.random.Generator, site: Site) -> None:
    paint = np.asarray(CARS[int(rng.integers(len(CARS)))], np.float32)
    site.build(site.box((1.78, 4.3), 0.35), paint, 0.85)
    site.build(site.box((1.6, 2.5), 0.3, (0, 0.25)), (34, 38, 44), 1.2)
    site.build(site.box((1.32, 1.45), 0.2, (0, 0.3)), paint * 1.08 + 6, 1.45)


def _roof(rng: np.random.Generator, site: Site, eave: float, rise: float, colour: Colour) -> None:
    width, depth = site.size
    course = np.abs(site.v) / 0.16 % 1
    tile = site.noise.at(
        "grain", ((site.v / 0.16).astype(int) * 3 + 400, (site.u / 0.25).astype(int) * 3 + 900), 2
    )
    shade = 0.93 + 0.1 * course + 0.035 * tile + 0.05 * site.noise.at("patch", site.patch.spot, 1)
    top = eave + rise * (1 - np.abs(site.v) / (depth / 2))
    site.build(site.box((width, depth)), np.asarray(colour) * shade[..., None], top)
    site.build(site.box((width, 0.18)), np.asarray(colour) * 0.9, eave + rise)


def _chapel(rng: np.random.Generator, site: Site) -> None:
    colour: Colour = ((126, 88, 74), (92, 92, 96), (112, 92, 80))[int(rng.integers(3))]
    _roof(rng, site, 3.0, 2.2, colour)
    site.build(site.box((1.3, 1.3), shift=(site.size[0] * 0.32, 0)), np.asarray(colour) * 0.8, 6.5)


def _shed(rng: np.random.Generator, site: Site) -> None:
    _roof(rng, site, 2.1, 0.7, (112, 106, 98))


def _compost(rng: np.random.Generator, site: Site) -> None:
    heap = 0.5 + 0.25 * site.noise.at("clump", site.patch.spot, 60)
    speck = site.noise.at("pebble", site.patch.spot, 61) + site.noise.at(
        "grain", site.patch.spot, 62
    )
    colour = np.asarray(rng.choice([(92, 84, 54), (84, 70, 52), (96, 100, 60)]), np.float32)
    inner = site.box((1.9, 1.9))
    site.build(site.box((2.2, 2.2)), (138, 136, 130), 1.1)
    site.patch.paint(inner, colour * (1 + 0.16 * speck)[..., None])
    site.patch.height[inner > 0.5] = np.clip(heap, 0.1, 1.0)[inner > 0.5]


def _tap(rng: np.random.Generator, site: Site) -> None:
    site.build(site.box((0.95, 0.55), 0.03), (146, 142, 134), 0.6)
    site.patch.paint(site.box((0.78, 0.38)), (58, 72, 72))
    site.build(site.box((0.12, 0.12), shift=(0, -0.24)), (120, 118, 112), 1.0)


def _bin(rng: np.random.Generator, site: Site) -> None:
    site.build(site.box((0.45, 0.45), 0.1), (70, 78, 66), 0.9)


def _paving_slab(rng: np.random.Generator, site: Site) -> None:
    speck = 5 * site.noise.at("grain", site.patch.spot, 63)
    site.build(site.box(site.size), 140 + speck[..., None] + np.zeros(3), 0.04)


def _line(rng: np.random.Generator, site: Site) -> None:
    """A worn white line between parking bays."""
    worn = site.noise.at("clump", site.patch.spot, 64) < 0.9
    site.patch.paint(0.75 * site.box(site.size) * worn, (196, 196, 190))


def _bed(rng: np.random.Generator, site: Site) -> None:
    """A flower bed: rounded, planted all over, without curb or stone."""
    cover = site.box(site.size, min(site.size) * 0.35)
    site.build(cover, soil(site.noise, site.patch.spot, site.style), 0.05)
    greens = leaf_colours(site.style)
    grown = site.noise.at("clump", site.patch.spot, 70) > -0.6
    cover_plants(site.patch, cover * grown, greens[int(rng.integers(len(greens)))], site.noise, 71)
    scatter_flowers(rng, site.patch, cover, int(40 * site.size[0] * site.size[1]), 0.045)


def _plot(rng: np.random.Generator, site: Site) -> None:
    """An empty plot: earth, or grass that has sunk a little, and no curb."""
    fray = 0.05 * site.noise.at("clump", site.patch.spot, 75)
    inside = box_inside(site.u, site.v, (site.size[0] * 0.9, site.size[1] * 0.92)) + fray
    texture = (soil, lawn, grit)[int(rng.integers(3))](site.noise, site.patch.spot, site.style)
    site.patch.paint(site.patch.cover(inside) * rng.uniform(0.5, 0.95), texture)


PAINTERS: dict[ThingKind, Callable[[np.random.Generator, Site], None]] = {
    "bench": _bench,
    "car": _car,
    "chapel": _chapel,
    "shed": _shed,
    "compost": _compost,
    "tap": _tap,
    "bed": _bed,
    "plot": _plot,
    "bin": _bin,
    "slab": _paving_slab,
    "line": _line,
}


def paint_hedges(rng: np.random.Generator, canvas: Canvas, plan: Plan, noise: Noise) -> None:
    """Paint hedges and walls, cut into pieces so that memory stays small.

    Args:
        rng: Source of randomness.
        canvas: Receives colours and heights.
        plan: Its hedges.
        noise: Texture.
    """
    leaves = np.array([74, 92, 58]) + rng.normal(0, 6)
    for hedge in plan.hedges:
        colour = np.array([150, 144, 132]) if hedge.wall else leaves
        count = max(1, round(float(np.linalg.norm(hedge.end - hedge.start)) / 3))
        posts = np.linspace(hedge.start, hedge.end, count + 1)
        for start, end in itertools.pairwise(posts):
            _paint_piece(canvas, replace(hedge, start=start, end=end), colour, noise)


def _paint_piece(canvas: Canvas, hedge: Hedge, colour: Array, noise: Noise) -> None:
    """Paint one piece: a wall is flat on top, a hedge is rounded and rough."""
    patch = canvas.patch(np.array([hedge.start, hedge.end]), hedge.width_m)
    if patch is None:
        return
    along = hedge.end - hedge.start
    u, v = patch.local((hedge.start + hedge.end) / 2, math.atan2(along[1], along[0]))
    leaf = noise.at("grain", patch.spot, 80) + noise.at("pebble", patch.spot, 81)
    rough = 0.05 * noise.at("clump", patch.spot, 82) + 0.015 * leaf
    inside = np.minimum(
        hedge.width_m / 2 - np.abs(v) + (0.0 if hedge.wall else rough),
        math.hypot(along[0], along[1]) / 2 + 0.02 - np.abs(u),
    )
    cover = patch.cover(inside)
    if hedge.wall:
        patch.paint(cover, colour * (1 + 0.05 * leaf)[..., None])
        patch.lift(cover, hedge.height_m)
    else:
        patch.paint(cover, colour * (1 + 0.13 * leaf)[..., None])
        patch.lift(cover, (hedge.height_m + 0.05 * leaf) * np.clip(0.55 + inside / 0.2, 0, 1))
