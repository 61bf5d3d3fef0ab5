"""Paints graves: curb, bed, slab, stone and ornaments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grave_cli.sample_data.canvas import Array, Canvas, Colour, Patch, polygon_inside
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.plan import Grave
from grave_cli.sample_data.plants import cover_plants, leaf_colours, scatter_flowers
from grave_cli.sample_data.stones import add_headstone, add_ornaments
from grave_cli.sample_data.style import Style
from grave_cli.sample_data.surfaces import soil


@dataclass(frozen=True)
class Bed:
    """One grave on its patch.

    Args:
        patch: Where it is painted.
        inside: Distance to its outline in metres, positive inside.
        u: Metres across from the left edge, head up.
        v: Metres along from the head.
        size: Width and length in metres.
        rim_m: Width of the curb, 0 without one.
        layer: Noise layer of its textures.
    """

    patch: Patch
    inside: Array
    u: Array
    v: Array
    size: tuple[float, float]
    rim_m: float
    layer: int

    @property
    def filling(self) -> Array:
        """Coverage of the area within the curb."""
        return self.patch.cover(self.inside - self.rim_m)


def paint_grave(
    rng: np.random.Generator, canvas: Canvas, grave: Grave, noise: Noise, style: Style
) -> None:
    """Paint one grave with everything on it.

    Args:
        rng: Source of randomness.
        canvas: Receives colours and heights.
        grave: Its outline, kind and status.
        noise: Texture.
        style: Stones and plants of this cemetery.
    """
    bed = _lay_out(rng, canvas, grave)
    if bed is None:
        return
    stone = style.stones[int(rng.geometric(0.4)) % len(style.stones)]
    if grave.status == "new":
        _paint_mound(rng, bed, noise, style)
        return
    _paint_filling(rng, bed, grave, stone, noise, style)
    _paint_curb(rng, bed, grave, stone, noise)
    if rng.random() < 0.93:
        other = style.stones[int(rng.integers(len(style.stones)))]
        add_headstone(rng, canvas, grave, stone if rng.random() < 0.5 else other, noise)
    add_ornaments(rng, bed.patch, grave, style)


def _lay_out(rng: np.random.Generator, canvas: Canvas, grave: Grave) -> Bed | None:
    patch = canvas.patch(grave.corners)
    if patch is None:
        return None
    head_left, head_right, foot_right, foot_left = grave.corners
    across = (head_right - head_left) + (foot_right - foot_left)
    along = (foot_left - head_left) + (foot_right - head_right)
    width, length = float(np.linalg.norm(across)) / 2, float(np.linalg.norm(along)) / 2
    across, along = across / (2 * width), along / (2 * length)
    dx, dy = patch.x - head_left[0], patch.y - head_left[1]
    return Bed(
        patch,
        polygon_inside(patch.x, patch.y, grave.corners),
        dx * across[0] + dy * across[1],
        dx * along[0] + dy * along[1],
        (width, length),
        float(rng.uniform(0.05, 0.11)) if rng.random() < 0.9 else 0.0,
        int(rng.integers(40, 400)),
    )


def _paint_filling(
    rng: np.random.Generator, bed: Bed, grave: Grave, stone: Colour, noise: Noise, style: Style
) -> None:
    """Fill the bed with plants, stone or gravel, sometimes two of them."""
    if grave.status == "neglected":
        cover_plants(bed.patch, bed.filling, _weeds(style), noise, bed.layer)
        return
    chance = rng.random()
    if chance < 0.50:
        _plant(rng, bed, bed.filling, noise, style)
    elif chance < 0.68:
        _slab(rng, bed, bed.filling, stone, noise)
    elif chance < 0.84:
        _plant(rng, bed, bed.filling, noise, style)
        part = bed.patch.cover(bed.v - bed.size[1] * rng.uniform(0.35, 0.6)) * bed.filling
        _slab(rng, bed, part, stone, noise)
    else:
        _pebbles(rng, bed, noise)
        _plant(rng, bed, _cushions(rng, bed), noise, style)


def _weeds(style: Style) -> Colour:
    return style.lawn[0] - 6, style.lawn[1] - 4, style.lawn[2] - 6


def _plant(rng: np.random.Generator, bed: Bed, cover: Array, noise: Noise, style: Style) -> None:
    """Bare soil with cushions of ground cover and clusters of flowers."""
    patch = bed.patch
    patch.paint(cover, soil(noise, patch.spot, style))
    patch.lift(cover, 0.06)
    colours = leaf_colours(style)
    density = float(rng.uniform(-0.4, 2.4))
    for i in range(int(rng.integers(1, 4))):
        colour = colours[int(rng.integers(len(colours)))]
        grown = noise.at("clump", patch.spot, bed.layer + 7 * i) + 0.3 * noise.at(
            "pebble", patch.spot, bed.layer + i
        )
        cover_plants(
            patch, cover * (grown > 0.3 - density + 0.7 * i), colour, noise, bed.layer + 11 * i
        )
    if style.season != "late autumn" or rng.random() < 0.5:
        area = bed.size[0] * bed.size[1]
        scatter_flowers(rng, patch, cover, min(45, int(rng.gamma(0.9, 9) * area)), 0.03)


def _cushions(rng: np.random.Generator, bed: Bed) -> Array:
    """Return coverage of a round or banded bed within the grave."""
    centre_v = bed.size[1] * rng.uniform(0.35, 0.75)
    radius = bed.size[0] * rng.uniform(0.2, 0.36)
    away = np.hypot(bed.u - bed.size[0] / 2, (bed.v - centre_v) * rng.uniform(0.5, 1.0))
    return np.asarray(bed.patch.cover(radius - away) * bed.filling)


def _slab(rng: np.random.Generator, bed: Bed, cover: Array, stone: Colour, noise: Noise) -> None:
    """Granite: speckled, with a soft reflection of the sky when polished."""
    patch, polish = bed.patch, float(rng.uniform(0, 1))
    grain = noise.at("grain", patch.spot, bed.layer) * (7 - 4 * polish)
    stain = noise.at("patch", patch.spot, bed.layer + 1) * 4
    gloss = 26 * polish * np.clip(bed.u / bed.size[0] * 0.6 + bed.v / bed.size[1] * 0.6 - 0.2, 0, 1)
    shade = (grain + stain + gloss)[..., None] + np.asarray(stone, np.float32) * rng.uniform(
        0.9, 1.08
    )
    patch.paint(cover, shade)
    patch.shade(cover * (bed.inside - bed.rim_m < 0.03), 0.84)
    patch.lift(cover, 0.14 + 0.02 * rng.random())


def _pebbles(rng: np.random.Generator, bed: Bed, noise: Noise) -> None:
    tone = rng.choice([206, 186, 148, 120])
    speck = 17 * noise.at("grain", bed.patch.spot, bed.layer) + 8 * noise.at(
        "pebble", bed.patch.spot, bed.layer
    )
    warm = np.array([1.0, 0.98, 0.94]) if rng.random() < 0.5 else np.ones(3)
    bed.patch.paint(bed.filling, (tone + speck)[..., None] * warm)
    bed.patch.lift(bed.filling, 0.07)


def _paint_curb(
    rng: np.random.Generator, bed: Bed, grave: Grave, stone: Colour, noise: Noise
) -> None:
    if bed.rim_m == 0:
        return
    patch = bed.patch
    whole = patch.cover(bed.inside)
    rim = whole * (1 - bed.filling)
    if grave.status == "neglected":
        rim = rim * (noise.at("clump", patch.spot, bed.layer) < 0.8)
    speck = 5 * noise.at("grain", patch.spot, bed.layer + 3) + 4 * noise.at("clump", patch.spot, 3)
    patch.paint(rim, np.asarray(stone, np.float32) * 1.04 + speck[..., None])
    patch.lift(rim, float(rng.uniform(0.1, 0.18)))


def _paint_mound(rng: np.random.Generator, bed: Bed, noise: Noise, style: Style) -> None:
    """A fresh grave: heaped earth under wreaths."""
    patch = bed.patch
    heap = np.clip(bed.inside / 0.35, 0, 1)
    cover = patch.cover(bed.inside + 0.03 * noise.at("clump", patch.spot, bed.layer))
    patch.paint(cover, soil(noise, patch.spot, style))
    patch.lift(cover, 0.05 + 0.25 * heap + 0.02 * noise.at("pebble", patch.spot, bed.layer))
    for _ in range(int(rng.integers(2, 5))):
        at_u, at_v = rng.uniform(0.3, 0.7) * bed.size[0], rng.uniform(0.2, 0.8) * bed.size[1]
        away = np.hypot(bed.u - at_u, bed.v - at_v)
        wreath = cover * patch.cover(0.11 - np.abs(away - 0.17))
        patch.paint(wreath, (58, 78, 48))
        patch.lift(wreath, 0.42)
        scatter_flowers(rng, patch, wreath, 14, 0.04)
