"""Surfaces of one scene: base colour, layers of texture, a pattern and spots → colours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from grave_cli.sample_data.canvas import Array, Colour
from grave_cli.sample_data.noise import Noise

Spot = tuple[Array, Array]
SHARPNESS = {"grain": 8.0, "pebble": 4.0, "clump": 1.6, "patch": 3.0}
"""How fast a spot becomes opaque from its edge: leaves are crisp, bare earth fades in."""
PatternKind = Literal["slabs", "pavers", "herringbone", "cobbles", "stripes", "rows"]


@dataclass(frozen=True)
class Layer:
    """One field added to the base colour.

    Args:
        field: Name of a texture field.
        seed: Number of its look.
        tint: Grey levels of red, green and blue per standard deviation.
    """

    field: str
    seed: int
    tint: Colour


@dataclass(frozen=True)
class Pattern:
    """A regular pattern.

    Args:
        kind: Slabs and pavers have joints; stripes come from mowing, rows from planting.
        angle: Direction in radians from x.
        size_m: Width and length of one element in metres.
        joint: Colour of joints, or of the second stripe.
        strength: Opacity of the joints, 0–1.
        uneven: Spread of the elements' brightness in grey levels.
    """

    kind: PatternKind
    angle: float
    size_m: tuple[float, float]
    joint: Colour
    strength: float
    uneven: float


@dataclass(frozen=True)
class Spots:
    """Spots that cover a surface in places: weeds, bare earth, daisies, leaves.

    Args:
        field: Fine field that shapes one spot.
        seed: Number of its look.
        level: Standard deviations above which a spot appears.
        colour: Its colour.
        strength: Opacity, 0–1.
        gathered: How strongly spots gather in patches.
    """

    field: str
    seed: int
    level: float
    colour: Colour
    strength: float
    gathered: float = 0.5


@dataclass(frozen=True)
class Surface:
    """One surface under even light.

    Args:
        base: Mean colour.
        layers: Textures.
        pattern: Joints or stripes.
        spots: Weeds, leaves and stains in places.
    """

    base: Colour
    layers: tuple[Layer, ...] = ()
    pattern: Pattern | None = None
    spots: tuple[Spots, ...] = ()


def paint_surface(surface: Surface, noise: Noise, spot: Spot, gsd_m: float) -> Array:
    """Return the colours of a surface at pixels.

    Args:
        surface: Its colours, textures and pattern.
        noise: Texture fields.
        spot: Rows and columns that broadcast to a shape S.
        gsd_m: Pixel edge in metres.

    Shapes:
        -> S + (3,) float32.
    """
    shape = np.broadcast_shapes(spot[0].shape, spot[1].shape)
    colours = np.empty((*shape, 3), np.float32)
    colours[...] = np.asarray(surface.base, np.float32)
    for layer in surface.layers:
        field = noise.at(layer.field, spot, layer.seed)
        for band in range(3):
            colours[..., band] += field * np.float32(layer.tint[band])
    if surface.pattern is not None:
        _lay_pattern(colours, surface.pattern, noise, spot, gsd_m)
    for spots in surface.spots:
        _scatter(colours, spots, noise, spot)
    return colours


def _scatter(colours: Array, spots: Spots, noise: Noise, spot: Spot) -> None:
    field = noise.at(spots.field, spot, spots.seed)
    if spots.gathered:
        field = field + np.float32(spots.gathered) * noise.at("patch", spot, spots.seed + 1)
    where = field > spots.level
    share = np.clip(SHARPNESS[spots.field] * (field[where] - spots.level), 0, 1)[:, None]
    colours[where] += (np.asarray(spots.colour, np.float32) - colours[where]) * (
        share * np.float32(spots.strength)
    )


def _lay_pattern(colours: Array, pattern: Pattern, noise: Noise, spot: Spot, gsd_m: float) -> None:
    cos, sin = math.cos(pattern.angle), math.sin(pattern.angle)
    x, y = (spot[1] + 0.5) * gsd_m, (spot[0] + 0.5) * gsd_m
    u = (x * cos + y * sin).astype(np.float32)
    v = (y * cos - x * sin).astype(np.float32)
    if pattern.kind in ("stripes", "rows"):
        _lay_stripes(colours, pattern, v)
        return
    column, row, joint = _elements(pattern, u, v, gsd_m)
    shade = noise.at("grain", (row * 7 + 1, column * 5 + 3), 9)
    colours += (pattern.uneven * shade)[..., None]
    weight = (pattern.strength * joint)[..., None]
    colours += (np.asarray(pattern.joint, np.float32) - colours) * weight


def _lay_stripes(colours: Array, pattern: Pattern, v: Array) -> None:
    """Lay soft stripes: lanes of a mower, or planted rows with bare earth between."""
    wave = np.sin(v * np.float32(math.pi / pattern.size_m[0]))
    if pattern.kind == "stripes":
        colours += (pattern.uneven * np.clip(3 * wave, -1, 1))[..., None]
        return
    weight = (pattern.strength * np.clip(0.5 + 1.5 * wave, 0, 1))[..., None]
    colours += (np.asarray(pattern.joint, np.float32) - colours) * weight


def _elements(pattern: Pattern, u: Array, v: Array, gsd_m: float) -> tuple[Array, Array, Array]:
    """Return column and row of each element, and how much of a pixel its joint covers."""
    width, length = pattern.size_m
    if pattern.kind == "herringbone":
        u, v = _herringbone(u, v, width)
        width, length = width, 2 * width
    row = np.floor(v / width)
    bonded = pattern.kind != "slabs"
    along = u / length + (0.5 * (row % 2) if bonded else 0.0)
    column = np.floor(along)
    gap = max(0.008, 0.04 * width)
    across_m = np.minimum(v - row * width, (row + 1) * width - v)
    along_m = np.minimum(along - column, column + 1 - along) * length
    nearest = np.minimum(across_m, along_m)
    joint = np.clip((gap - nearest) / gsd_m + 0.5, 0, 1)
    return column.astype(int), row.astype(int), joint.astype(np.float32)


def _herringbone(u: Array, v: Array, width: float) -> tuple[Array, Array]:
    """Swap the axes in alternating diagonal bands, which is how the bond looks from above."""
    band = (np.floor((u + v) / (2 * width)) % 2).astype(bool)
    return np.where(band, u, v), np.where(band, v, u)
