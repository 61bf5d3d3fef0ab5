"""Paints headstones and ornaments: what stands up on a grave."""

from __future__ import annotations

import math

import numpy as np

from grave_cli.inputs.sample.canvas import Array, Canvas, Colour, Patch, box_inside
from grave_cli.inputs.sample.noise import Noise
from grave_cli.inputs.sample.plan import Grave, GraveKind
from grave_cli.inputs.sample.plants import FLOWERS, leaf_colours
from grave_cli.inputs.sample.style import Style

HEIGHTS_M: dict[GraveKind, tuple[float, float]] = {
    "single": (0.7, 1.3),
    "double": (0.75, 1.3),
    "urn": (0.4, 0.8),
    "child": (0.4, 0.75),
}
LEAN = 0.07
"""Sideways shift of a point per metre of height: mosaics see objects a little from the side."""


def lean_at(canvas: Canvas, at: Array) -> Array:
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
    centre = grave.corners[0] + head * rng.uniform(0.47, 0.53) + foot / np.linalg.norm(foot) * setback
    angle = math.atan2(head[1], head[0]) + float(rng.normal(0, 0.015))
    _raise_block(rng, canvas, centre, angle, size, height, stone, noise)


def _draw_size(rng: np.random.Generator, width: float, kind: GraveKind) -> tuple[float, float]:
    if kind == "double" and rng.random() < 0.7:
        return float(rng.uniform(0.8, 1.4)), float(rng.uniform(0.14, 0.24))
    if rng.random() < 0.15:
        return 0.3 * min(width, 1.0), float(rng.uniform(0.18, 0.3))
    return width * float(rng.uniform(0.45, 0.75)), float(rng.uniform(0.12, 0.22))


def _raise_block(
    rng: np.random.Generator,
    canvas: Canvas,
    centre: Array,
    angle: float,
    size: tuple[float, float],
    height: float,
    stone: Colour,
    noise: Noise,
) -> None:
    """Paint a block from its foot up: darker sides, shifted with height, then its top."""
    shift = lean_at(canvas, centre) * height
    patch = canvas.patch(np.array([centre, centre + shift]), max(size))
    if patch is None:
        return
    speck = 6 * noise.at("grain", patch.spot, int(rng.integers(90)))[..., None]
    colour = np.asarray(stone, np.float32) * rng.uniform(0.85, 1.1)
    for part in np.linspace(0, 1, 6):
        u, v = patch.local(centre + shift * part, angle)
        cover = patch.cover(box_inside(u, v, size, 0.02))
        patch.paint(cover, (colour * (0.7 if part < 1 else 1.06)) + speck)
        patch.lift(cover, height * (0.35 + 0.65 * part))


def add_ornaments(rng: np.random.Generator, patch: Patch, grave: Grave, style: Style) -> None:
    """Put lanterns, vases and dwarf shrubs on a grave."""
    origin = grave.corners[0]
    across, along = grave.corners[1] - origin, grave.corners[3] - origin
    greens = leaf_colours(style)
    for _ in range(int(rng.poisson(1.6 if grave.status == "occupied" else 0.3))):
        at = origin + across * rng.uniform(0.2, 0.8) + along * rng.uniform(0.22, 0.85)
        chance = rng.random()
        if chance < 0.35:
            _post(patch, at, float(rng.uniform(0.05, 0.07)), 0.25, ((150, 38, 34), (60, 58, 56), (170, 150, 96))[int(rng.integers(3))])
        elif chance < 0.6:
            _post(patch, at, float(rng.uniform(0.07, 0.13)), 0.3, FLOWERS[int(rng.integers(len(FLOWERS)))])
        else:
            radius = min(0.3 * float(np.linalg.norm(across)), float(rng.uniform(0.12, 0.32)))
            _bush(rng, patch, at, radius, greens[int(rng.integers(len(greens)))])


def _post(patch: Patch, at: Array, radius: float, height: float, colour: Colour) -> None:
    away = np.hypot(patch.x - at[0], patch.y - at[1])
    cover = patch.cover(radius - away)
    patch.paint(cover, colour)
    patch.paint(patch.cover(radius * 0.5 - away), tuple(min(255.0, c * 1.25 + 12) for c in colour))
    patch.lift(cover, height)


def _bush(rng: np.random.Generator, patch: Patch, at: Array, radius: float, colour: Colour) -> None:
    away = np.hypot(patch.x - at[0], patch.y - at[1])
    bearing = np.arctan2(patch.y - at[1], patch.x - at[0])
    rough = 1 + 0.12 * np.cos(7 * bearing + rng.random() * 6) + 0.06 * rng.standard_normal(away.shape)
    cover = patch.cover(radius * rough - away)
    dome = np.sqrt(np.clip(1 - (away / radius) ** 2, 0, 1))
    patch.paint(cover, np.asarray(colour, np.float32) * (0.7 + 0.35 * dome + 0.08 * rng.standard_normal(away.shape))[..., None])
    patch.lift(cover, 0.1 + radius * 1.4 * dome)
