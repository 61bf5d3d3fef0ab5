"""Trees and shrubs of varied scenes: leafy crowns with gaps, bare crowns in winter."""

from __future__ import annotations

import math

import numpy as np

from grave_cli.sample_data.canvas import Array, Canvas, Patch
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.plan import Tree
from grave_cli.sample_data.plants import leaf_clumps
from grave_cli.sample_data.texture.look import Look
from grave_cli.sample_data.texture.palettes import CONIFERS, pick, shift

BARK = (126.0, 116.0, 104.0)
SHRUB_M = 0.6
"""Crowns up to this radius hide no grave."""


def paint_tree(
    rng: np.random.Generator, canvas: Canvas, tree: Tree, noise: Noise, look: Look
) -> None:
    """Paint one crown and mark the ground that it hides.

    Args:
        rng: Source of randomness.
        canvas: Receives colours, heights and canopy.
        tree: Its position, size and kind.
        noise: Texture fields.
        look: Colours of leaves, and whether they have fallen.
    """
    patch = canvas.patch(np.array([tree.centre]), tree.radius_m * 1.35 + 0.1)
    if patch is None:
        return
    bare = look.bare and tree.kind == "broadleaf"
    crown = _bare(rng, patch, tree, noise) if bare else _leafy(rng, patch, tree, noise, look)
    if tree.radius_m > SHRUB_M:
        canvas.canopy[patch.rows, patch.cols] |= crown


def _leafy(rng: np.random.Generator, patch: Patch, tree: Tree, noise: Noise, look: Look) -> Array:
    """Paint domes of leaf clumps, darker in depth, with gaps and glimpses of branches."""
    palette = CONIFERS if tree.kind == "conifer" else look.foliage
    colour = np.asarray(pick(rng, palette, 6), np.float32)
    top, tone = leaf_clumps(rng, patch, tree)
    layer = int(rng.integers(40, 400))
    leaf = 0.7 * noise.at("grain", patch.spot, layer) + 0.7 * noise.at("pebble", patch.spot, layer)
    bough = noise.at("clump", patch.spot, layer + 3)
    top = top * (1 + np.float32(0.08) * bough)
    gaps = bough + 0.5 * leaf > float(rng.uniform(1.3, 2.6))
    frayed = top * (1 + 0.2 * bough + 0.1 * leaf)
    crown = (frayed > float(rng.uniform(0.25, 0.45)) * tree.height_m) & ~gaps
    depth = np.clip(top / tree.height_m, 0, 1)
    shade = float(rng.uniform(0.25, 0.5)) + 0.55 * depth + 0.2 * leaf + 0.1 * bough
    hue = tone[..., None] * np.array([0.09, 0.07, 0.03], np.float32)
    patch.paint(crown * 0.97, colour * (shade[..., None] + hue))
    if tree.kind == "broadleaf" and rng.random() < 0.4:
        _twigs(rng, patch, crown & (leaf > 1.5), float(rng.uniform(0.3, 0.8)))
    patch.lift(crown, np.maximum(top + 0.1 * leaf * min(1.0, tree.radius_m), 0.05))
    return np.asarray(crown)


def _twigs(rng: np.random.Generator, patch: Patch, where: Array, strength: float) -> None:
    patch.paint(where * strength, np.asarray(shift(rng, (170, 164, 150), 10)))


def _bare(rng: np.random.Generator, patch: Patch, tree: Tree, noise: Noise) -> Array:
    """Paint boughs that fork outwards and a thin haze of twigs."""
    crown = np.zeros(patch.height.shape, np.float32)
    top = np.zeros_like(crown)
    for _ in range(int(rng.integers(6, 11))):
        bearing = float(rng.uniform(0, 2 * math.pi))
        _bough(
            rng, patch, tree, (tree.centre, bearing, 0.09 * tree.radius_m**0.5, 0.45), crown, top
        )
    away = np.hypot(patch.x - tree.centre[0], patch.y - tree.centre[1]) / tree.radius_m
    twig = np.abs(noise.at("pebble", patch.spot, 7)) + 0.4 * away < 0.42
    haze = twig & (away < 1) & (noise.at("clump", patch.spot, 8) > -0.6)
    colour = np.asarray(shift(rng, BARK, 14), np.float32)
    patch.paint(np.maximum(crown, 0.7 * haze), colour)
    patch.lift(haze, tree.height_m * np.clip(1 - 0.4 * away, 0.3, 1))
    np.copyto(patch.height, np.maximum(patch.height, top), where=crown > 0.3)
    return np.asarray((crown > 0.5) | haze)


Bough = tuple[Array, float, float, float]
"""Start in metres, bearing in radians, thickness in metres, height as a share of the tree's."""


def _bough(
    rng: np.random.Generator, patch: Patch, tree: Tree, bough: Bough, crown: Array, top: Array
) -> None:
    """Add one bough and its forks to coverage and heights."""
    start, bearing, thick, high = bough
    length = tree.radius_m * float(rng.uniform(0.3, 0.5))
    along = np.array([math.cos(bearing), math.sin(bearing)])
    dx, dy = patch.x - start[0], patch.y - start[1]
    u = np.clip(dx * along[0] + dy * along[1], 0, length)
    away = np.hypot(dx - u * along[0], dy - u * along[1])
    cover = patch.cover(thick * (1 - 0.4 * u / length) / 2 - away)
    np.maximum(crown, cover, out=crown)
    np.maximum(top, np.where(cover > 0.3, tree.height_m * (high + 0.2 * u / length), 0), out=top)
    if thick > 0.04:
        for _ in range(2):
            turned = bearing + float(rng.normal(0, 0.5))
            fork = (start + along * length, turned, 0.6 * thick, min(0.8, high + 0.2))
            _bough(rng, patch, tree, fork, crown, top)
