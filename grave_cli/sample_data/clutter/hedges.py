"""Hedges and walls of varied scenes, cut into pieces so that each patch stays small."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np

from grave_cli.sample_data.canvas import Array, Canvas
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.plan import Hedge
from grave_cli.sample_data.texture.look import Look
from grave_cli.sample_data.texture.palettes import FADED, GREENS, pick, shift


def paint_hedge(
    rng: np.random.Generator, canvas: Canvas, hedge: Hedge, noise: Noise, look: Look
) -> None:
    """Paint one hedge or wall.

    Args:
        rng: Source of randomness.
        canvas: Receives colours and heights.
        hedge: Its position and size.
        noise: Texture fields.
        look: Whether leaves have fallen.
    """
    brown = look.bare and rng.random() < 0.4
    leaves = pick(rng, FADED if brown else GREENS[:4], 7)
    colour = np.asarray(shift(rng, (158, 150, 138), 20) if hedge.wall else leaves, np.float32)
    rough = 0.0 if hedge.wall else float(rng.uniform(0.02, 0.10))
    count = max(1, round(float(np.linalg.norm(hedge.end - hedge.start)) / 3))
    posts = np.linspace(hedge.start, hedge.end, count + 1)
    for start, end in itertools.pairwise(posts):
        _paint_piece(canvas, replace(hedge, start=start, end=end), colour, rough, noise)


def _paint_piece(canvas: Canvas, hedge: Hedge, colour: Array, rough_m: float, noise: Noise) -> None:
    patch = canvas.patch(np.array([hedge.start, hedge.end]), hedge.width_m + 0.1)
    if patch is None:
        return
    along = hedge.end - hedge.start
    u, v = patch.local((hedge.start + hedge.end) / 2, math.atan2(along[1], along[0]))
    leaf = noise.at("grain", patch.spot, 80) + noise.at("pebble", patch.spot, 81)
    edge = rough_m * (noise.at("clump", patch.spot, 82) + 0.3 * leaf)
    length = math.hypot(along[0], along[1]) / 2 + 0.02
    inside = np.minimum(hedge.width_m / 2 - np.abs(v) + edge, length - np.abs(u))
    cover = patch.cover(inside)
    if hedge.wall:
        joint = np.abs(u % 0.5 - 0.25) > 0.24
        patch.paint(cover, colour * (1 + 0.05 * leaf - 0.15 * joint)[..., None])
        patch.lift(cover, hedge.height_m)
        return
    clump = noise.at("clump", patch.spot, 83)
    patch.paint(cover, colour * (1 + 0.13 * leaf + 0.06 * clump)[..., None])
    patch.lift(cover, (hedge.height_m + 0.05 * leaf) * np.clip(0.55 + inside / 0.2, 0, 1))
