"""Paints the border of a grave: stone, a low hedge, pebbles, metal, a fence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.plants import cover_plants
from grave_cli.sample_data.tombs.bed import Bed, stone_colours
from grave_cli.sample_data.tombs.tomb import BorderKind


def _rim(bed: Bed) -> Array:
    """Return coverage of the border; neglected ones have gaps."""
    rim = bed.whole * (1 - bed.filling)
    if bed.tomb.status == "neglected":
        rim = rim * (bed.field("clump", 2) < 0.8)
    return np.asarray(rim)


def _stone(rng: np.random.Generator, bed: Bed) -> None:
    rim = _rim(bed)
    colours = stone_colours(rng, bed.tomb.stone, bed.noise, bed.patch, bed.layer + 3)
    bed.patch.paint(rim, colours * 1.03)
    bed.patch.lift(rim, bed.tomb.rim_height_m)


def _hedge(rng: np.random.Generator, bed: Bed) -> None:
    rough = 0.03 * bed.field("pebble", 4) + 0.02 * bed.field("clump", 3)
    outer = bed.patch.cover(bed.inside + rough)
    rim = outer * (1 - bed.patch.cover(bed.inside - bed.tomb.rim_m + rough))
    colour = np.array([70, 94, 54]) + rng.normal(0, 8, 3)
    cover_plants(bed.patch, rim, tuple(colour), bed.noise, bed.layer)
    bed.patch.lift(rim, bed.tomb.rim_height_m + 0.03 * bed.field("grain", 2))


def _pebbles(rng: np.random.Generator, bed: Bed) -> None:
    """A line of single stones, not quite straight."""
    lumps = bed.field("clump", 4) + 0.8 * bed.field("pebble", 4)
    rim = _rim(bed) * (lumps > -0.7)
    tone = np.asarray(bed.tomb.stone.colour, np.float32) * rng.uniform(0.85, 1.1)
    bed.patch.paint(rim, tone + (14 * bed.field("pebble", 5))[..., None])
    bed.patch.lift(rim, 0.05 + 0.05 * np.clip(lumps, 0, 2))


def _metal(rng: np.random.Generator, bed: Bed) -> None:
    rim = bed.whole * (1 - bed.patch.cover(bed.inside - 0.025))
    bed.patch.paint(rim, np.array([84, 78, 72]) * rng.uniform(0.6, 1.3))
    bed.patch.lift(rim, bed.tomb.rim_height_m)


def _fence(rng: np.random.Generator, bed: Bed) -> None:
    """A waist-high fence on a kerb: thin rails, posts at the corners."""
    _stone(rng, bed)
    rail = bed.patch.cover(0.018 - np.abs(bed.inside - 0.04))
    height = float(rng.uniform(0.4, 0.9))
    palette = [(64, 66, 70), (196, 196, 192), (84, 104, 92), (120, 108, 84)]
    colour = np.asarray(palette[int(rng.integers(len(palette)))], np.float32)
    bars = np.abs((bed.u + bed.v) % 0.14 - 0.07) < 0.035
    bed.patch.paint(rail * np.where(bars, 1.0, 0.75), colour)
    bed.patch.lift(rail * bars, height)


BORDERS: dict[BorderKind, Callable[[np.random.Generator, Bed], None]] = {
    "stone": _stone,
    "none": lambda rng, bed: None,
    "hedge": _hedge,
    "pebbles": _pebbles,
    "metal": _metal,
    "fence": _fence,
}
"""The painter of each border."""
