"""Ground textures: pixel positions → colours under even light."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from grave_cli.sample_data.canvas import Array, Colour
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.style import Style, Surface

Spot = tuple[Array, Array]
Painter = Callable[[Noise, Spot, Style], Array]


def tinted(base: Colour, *layers: tuple[Colour, Array]) -> Array:
    """Return base + sum of field × colour amplitude, (…, 3)."""
    field = np.asarray(base, np.float32)
    for amplitude, values in layers:
        field = field + values[..., None] * np.asarray(amplitude, np.float32)
    return np.asarray(field, np.float32)


def speckle(colours: Array, where: Array, colour: Colour, strength: float = 0.8) -> Array:
    """Blend a colour into the pixels where a condition holds."""
    weight = (strength * where.astype(np.float32))[..., None]
    return np.asarray(colours * (1 - weight) + np.asarray(colour, np.float32) * weight)


def lawn(noise: Noise, spot: Spot, style: Style) -> Array:
    """Mown grass: blades, tufts, dry patches, faint mowing lanes."""
    lanes = np.sin((spot[0] * 0.8 + spot[1] * 0.6) * (2 * math.pi / 44.0)).astype(np.float32)
    patch = noise.at("patch", spot)
    field = tinted(
        style.lawn,
        ((9, 9, 8), noise.at("grain", spot)),
        ((6, 6, 5), noise.at("pebble", spot, 1)),
        ((5, 4, 3), noise.at("clump", spot, 2)),
        ((8, 4, 2), patch),
        ((9, 5, 3), noise.at("broad", spot, 1)),
        ((2, 3, 1), lanes),
    )
    return _meadow_flowers(field, noise, spot, style)


def _meadow_flowers(field: Array, noise: Noise, spot: Spot, style: Style) -> Array:
    bare = (noise.at("patch", spot, 3) + 0.4 * noise.at("clump", spot, 4)) > 2.2 - style.age
    field = speckle(field, bare, (126, 110, 84), 0.35)
    if style.season == "spring":
        daisies = (noise.at("pebble", spot, 5) > 2.9) & (noise.at("patch", spot, 5) > 0.3)
        field = speckle(field, daisies, (226, 224, 200), 0.7)
    return field


def meadow(noise: Noise, spot: Spot, style: Style) -> Array:
    """Long grass outside the paths: tufts and weeds."""
    return tinted(
        (style.lawn[0] - 8, style.lawn[1] - 8, style.lawn[2] - 8),
        ((8, 8, 6), noise.at("grain", spot)),
        ((9, 9, 6), noise.at("pebble", spot, 2)),
        ((10, 10, 6), noise.at("clump", spot, 1)),
        ((10, 6, 4), noise.at("patch", spot, 1)),
        ((10, 6, 4), noise.at("broad", spot, 3)),
    )


def gravel(noise: Noise, spot: Spot, style: Style) -> Array:
    """Loose pebbles with worn and weedy places."""
    field = tinted(
        style.gravel,
        ((14, 14, 13), noise.at("grain", spot, 3)),
        ((4, 4, 4), noise.at("pebble", spot, 4)),
        ((2, 2, 2), noise.at("clump", spot, 5)),
        ((4, 4, 4), noise.at("patch", spot, 2)),
        ((6, 6, 6), noise.at("broad", spot, 2)),
    )
    weeds = (noise.at("patch", spot, 6) + 0.7 * noise.at("pebble", spot, 6)) > 2.9 - style.age
    return speckle(field, weeds, style.lawn, 0.5)


def grit(noise: Noise, spot: Spot, style: Style) -> Array:
    """Water-bound fine grit, smoother and browner than gravel."""
    red, green, blue = style.gravel
    return tinted(
        (red - 12, green - 16, blue - 24),
        ((7, 7, 7), noise.at("grain", spot, 5)),
        ((3, 3, 3), noise.at("pebble", spot, 7)),
        ((5, 5, 4), noise.at("clump", spot, 7)),
        ((7, 7, 6), noise.at("patch", spot, 7)),
        ((7, 7, 6), noise.at("broad", spot, 4)),
    )


def asphalt(noise: Noise, spot: Spot, style: Style) -> Array:
    """Grey asphalt with patches and cracks."""
    field = tinted(
        (112, 112, 113),
        ((6, 6, 6), noise.at("grain", spot, 7)),
        ((3, 3, 3), noise.at("clump", spot, 8)),
        ((4, 4, 4), noise.at("patch", spot, 8)),
        ((6, 6, 5), noise.at("broad", spot, 5)),
    )
    seam = np.abs(noise.at("patch", spot, 9) + 0.1 * noise.at("clump", spot, 9)) < 0.025
    crack = seam & (noise.at("broad", spot, 6) > 0.6 - style.age)
    return speckle(field, crack, (62, 64, 58), 0.7)


def paving(noise: Noise, spot: Spot, style: Style) -> Array:
    """Rectangular pavers of 20 × 10 cm, each with its own shade, mossy joints."""
    turned = (spot[0] * 0.94 + spot[1] * 0.342, spot[1] * 0.94 - spot[0] * 0.342)
    course = np.floor(turned[0] / 4.4)
    along = turned[1] / 8.4 + 0.5 * (course % 2)
    shade = noise.at("grain", (course.astype(int) * 7, np.floor(along).astype(int) * 5), 9)
    joint = ((turned[0] / 4.4) % 1 < 0.2) | (along % 1 < 0.11)
    red, green, blue = style.gravel
    field = tinted(
        (red * 0.7 + 28, green * 0.7 + 22, blue * 0.7 + 22),
        ((7, 6, 6), shade),
        ((4, 4, 4), noise.at("grain", spot, 8)),
        ((6, 6, 5), noise.at("patch", spot, 5)),
        ((6, 6, 5), noise.at("broad", spot, 7)),
    )
    return speckle(field, joint, (92, 90, 74), 0.45)


def soil(noise: Noise, spot: Spot, style: Style) -> Array:
    """Raked earth with crumbs."""
    return tinted(
        (94, 80, 66),
        ((11, 10, 9), noise.at("grain", spot, 11)),
        ((9, 8, 7), noise.at("pebble", spot, 10)),
        ((6, 6, 5), noise.at("clump", spot, 10)),
        ((8, 7, 6), noise.at("patch", spot, 11)),
    )


def mulch(noise: Noise, spot: Spot, style: Style) -> Array:
    """Bark mulch, coarse and dark."""
    return tinted(
        (84, 62, 46),
        ((17, 13, 10), noise.at("grain", spot, 13)),
        ((9, 7, 6), noise.at("pebble", spot, 12)),
        ((5, 4, 4), noise.at("patch", spot, 13)),
    )


SURFACES: dict[Surface, Painter] = {
    "meadow": meadow,
    "lawn": lawn,
    "gravel": gravel,
    "grit": grit,
    "asphalt": asphalt,
    "paving": paving,
    "soil": soil,
    "mulch": mulch,
}
