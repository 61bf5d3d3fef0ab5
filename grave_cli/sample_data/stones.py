"""Paints headstones and ornaments of a grave."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from grave_cli.sample_data.canvas import Array, Canvas, Colour, Patch, box_inside
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.plan import Grave, GraveKind
from grave_cli.sample_data.plants import leaf_colours, scatter_flowers
from grave_cli.sample_data.style import Style

HEIGHTS_M: dict[GraveKind, tuple[float, float]] = {
    "single": (0.7, 1.3),
    "double": (0.75, 1.3),
    "urn": (0.4, 0.8),
    "child": (0.4, 0.75),
}
LEAN = 0.07
"""Sideways shift of a point per metre of height: mosaics see objects a little from the side."""


LANTERNS: tuple[Colour, ...] = ((150, 48, 44), (60, 58, 56), (170, 150, 96))


@dataclass(frozen=True)
class Block:
    """An upright block.

    Args:
        centre: Middle of its foot in metres.
        angle: Direction of its width in radians from x.
        size: Width and thickness in metres.
        height_m: Height in metres.
    """

    centre: Array
    angle: float
    size: tuple[float, float]
    height_m: float


def lean_at(at: Array) -> Array:
    """Return the shift per metre of height at a place: away from the nearest photo's centre."""
    cell = 9.0
    offset = ((at / cell) % 1 - 0.5) * 2
    return np.asarray(offset * LEAN)


def add_headstone(
    rng: np.random.Generator, canvas: Canvas, grave: Grave, stone: Colour, noise: Noise
) -> None:
    """Set a headstone, stele, boulder or cross at the head of a grave.

    Args:
        rng: Source of randomness.
        canvas: Receives colours and heights.
        grave: Where it stands.
        stone: Its colour.
        noise: Its texture.
    """
    head = grave.corners[1] - grave.corners[0]
    width = float(np.linalg.norm(head))
    foot = (grave.corners[3] - grave.corners[0] + grave.corners[2] - grave.corners[1]) / 2
    size = _draw_size(rng, width, grave.kind)
    height = float(rng.uniform(*HEIGHTS_M[grave.kind]))
    setback = 0.04 + size[1] / 2 + float(rng.uniform(0, 0.06))
    centre = (
        grave.corners[0] + head * rng.uniform(0.47, 0.53) + foot / np.linalg.norm(foot) * setback
    )
    angle = math.atan2(head[1], head[0]) + float(rng.normal(0, 0.015))
    _raise_block(rng, canvas, Block(centre, angle, size, height), stone, noise)


def _draw_size(rng: np.random.Generator, width: float, kind: GraveKind) -> tuple[float, float]:
    if kind == "double" and rng.random() < 0.7:
        return float(rng.uniform(0.8, 1.4)), float(rng.uniform(0.14, 0.24))
    if rng.random() < 0.15:
        return 0.3 * min(width, 1.0), float(rng.uniform(0.18, 0.3))
    return width * float(rng.uniform(0.45, 0.75)), float(rng.uniform(0.12, 0.22))


def _raise_block(
    rng: np.random.Generator, canvas: Canvas, block: Block, stone: Colour, noise: Noise
) -> None:
    """Paint a block from its foot up: darker sides, shifted with height, then its top."""
    shift = lean_at(block.centre) * block.height_m
    patch = canvas.patch(np.array([block.centre, block.centre + shift]), max(block.size))
    if patch is None:
        return
    speck = 6 * noise.at("grain", patch.spot, int(rng.integers(90)))[..., None]
    colour = np.asarray(stone, np.float32) * rng.uniform(0.85, 1.1)
    for part in np.linspace(0, 1, 6):
        u, v = patch.local(block.centre + shift * part, block.angle)
        cover = patch.cover(box_inside(u, v, block.size, 0.02))
        patch.paint(cover, (colour * (0.7 if part < 1 else 1.06)) + speck)
        patch.lift(cover, block.height_m * (0.35 + 0.65 * part))


def add_ornaments(rng: np.random.Generator, patch: Patch, grave: Grave, style: Style) -> None:
    """Put lanterns, vases and dwarf shrubs on a grave.

    Args:
        rng: Source of randomness.
        patch: Where the grave is painted.
        grave: Receives them.
        style: Colours of the shrubs.
    """
    origin = grave.corners[0]
    across, along = grave.corners[1] - origin, grave.corners[3] - origin
    greens = leaf_colours(style)
    for _ in range(int(rng.poisson(1.6 if grave.status == "occupied" else 0.3))):
        at = origin + across * rng.uniform(0.2, 0.8) + along * rng.uniform(0.22, 0.85)
        chance = rng.random()
        if chance < 0.35:
            _lantern(rng, patch, at)
        elif chance < 0.55:
            _vase(rng, patch, at)
        else:
            most = 0.3 * float(np.linalg.norm(across))
            radius = min(most, float(rng.uniform(0.12, 0.32)))
            _bush(rng, patch, at, radius, greens[int(rng.integers(len(greens)))])


def _lantern(rng: np.random.Generator, patch: Patch, at: Array) -> None:
    colour = np.asarray(LANTERNS[int(rng.integers(len(LANTERNS)))], np.float32)
    away = np.hypot(patch.x - at[0], patch.y - at[1])
    cover = patch.cover(rng.uniform(0.045, 0.06) - away)
    patch.paint(cover, colour)
    patch.paint(patch.cover(0.025 - away), colour * 1.25 + 12)
    patch.lift(cover, 0.25)


def _vase(rng: np.random.Generator, patch: Patch, at: Array) -> None:
    """Cut flowers: leaves with a few heads."""
    away = np.hypot(patch.x - at[0], patch.y - at[1])
    cover = patch.cover(rng.uniform(0.07, 0.11) - away)
    patch.paint(cover, (78, 96, 62))
    patch.lift(cover, 0.3)
    scatter_flowers(rng, patch, cover, 6, 0.035)


def _bush(rng: np.random.Generator, patch: Patch, at: Array, radius: float, colour: Colour) -> None:
    away = np.hypot(patch.x - at[0], patch.y - at[1])
    bearing = np.arctan2(patch.y - at[1], patch.x - at[0])
    rough = (
        1 + 0.12 * np.cos(7 * bearing + rng.random() * 6) + 0.06 * rng.standard_normal(away.shape)
    )
    cover = patch.cover(radius * rough - away)
    dome = np.sqrt(np.clip(1 - (away / radius) ** 2, 0, 1))
    patch.paint(
        cover,
        np.asarray(colour, np.float32)
        * (0.7 + 0.35 * dome + 0.08 * rng.standard_normal(away.shape))[..., None],
    )
    patch.lift(cover, 0.1 + radius * 1.4 * dome)
