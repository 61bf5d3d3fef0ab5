"""Paints one grave of a varied scene: filling, border, head, gifts, overgrowth."""

from __future__ import annotations

import numpy as np

from grave_cli.sample_data.canvas import Canvas
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.plants import cover_plants
from grave_cli.sample_data.texture.look import Look
from grave_cli.sample_data.tombs.bed import Bed, lay_out
from grave_cli.sample_data.tombs.borders import BORDERS
from grave_cli.sample_data.tombs.fillings import FILLERS
from grave_cli.sample_data.tombs.gifts import add_gifts
from grave_cli.sample_data.tombs.heads import add_head
from grave_cli.sample_data.tombs.tomb import Tomb


def paint_tomb(
    rng: np.random.Generator, canvas: Canvas, tomb: Tomb, noise: Noise, look: Look
) -> None:
    """Paint one grave with everything on it.

    Args:
        rng: Source of randomness.
        canvas: Receives colours and heights.
        tomb: The grave.
        noise: Texture fields.
        look: Surfaces and colours of the scene.
    """
    bed = lay_out(rng, canvas, tomb, noise, look)
    if bed is None:
        return
    covered = tomb.filling == "covered"
    if not covered:
        FILLERS[tomb.filling](rng, bed)
    BORDERS[tomb.border](rng, bed)
    if covered:
        FILLERS[tomb.filling](rng, bed)
    add_head(rng, canvas, tomb, noise, look)
    add_gifts(rng, canvas, tomb, noise, look)
    if tomb.overgrown > 0.3 and not covered:
        _overgrow(rng, bed)


def _overgrow(rng: np.random.Generator, bed: Bed) -> None:
    """Let plants spread over border, slab and the foot of the stone."""
    grown = bed.field("clump", 31) + 0.6 * bed.field("patch", 32) + 0.3 * bed.field("pebble", 33)
    cover = bed.patch.cover(bed.inside + 0.05) * (grown > 1.4 - 2.2 * bed.tomb.overgrown)
    colour = bed.look.greens[int(rng.integers(len(bed.look.greens)))]
    cover_plants(bed.patch, cover, colour, bed.noise, bed.layer + 34)
    bed.patch.lift(cover, float(rng.uniform(0.1, 0.3)))
