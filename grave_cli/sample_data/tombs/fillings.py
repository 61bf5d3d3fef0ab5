"""Paints the area within the border of a grave: plants, slabs, gravel, earth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from grave_cli.sample_data.canvas import Array, Colour
from grave_cli.sample_data.plants import cover_plants, scatter_flowers
from grave_cli.sample_data.tombs.bed import Bed, grow, stone_colours
from grave_cli.sample_data.tombs.tomb import FillingKind

PEBBLES: tuple[Colour, ...] = (
    (222, 220, 216),
    (188, 184, 176),
    (150, 146, 140),
    (112, 110, 108),
    (178, 140, 120),
    (198, 176, 140),
    (72, 72, 76),
    (176, 196, 176),
)
Filler = Callable[[np.random.Generator, Bed], None]


def _planted(rng: np.random.Generator, bed: Bed) -> None:
    bed.patch.paint(bed.filling, bed.ground("soil"))
    bed.patch.lift(bed.filling, max(0.04, bed.tomb.lift_m * 0.5))
    grow(rng, bed, bed.filling, float(rng.uniform(-0.5, 2.4)), int(rng.integers(1, 4)))


def _covered(rng: np.random.Generator, bed: Bed) -> None:
    """One closed ground cover that spills over the border."""
    spill = 0.02 + 0.05 * bed.tomb.overgrown
    rough = 0.03 * bed.field("clump", 5) + 0.015 * bed.field("pebble", 6)
    cover = bed.patch.cover(bed.inside + spill * bed.tomb.overgrown + rough)
    colour = bed.look.greens[int(rng.integers(len(bed.look.greens)))]
    cover_plants(bed.patch, cover, colour, bed.noise, bed.layer)
    bed.patch.lift(cover, 0.12 + 0.25 * bed.tomb.overgrown * rng.random())
    if rng.random() < 0.4:
        scatter_flowers(rng, bed.patch, cover, 12, 0.03, bed.look.flowers)


def _slab_on(rng: np.random.Generator, bed: Bed, cover: Array, height: Array | float) -> None:
    colours = stone_colours(rng, bed.tomb.stone, bed.noise, bed.patch, bed.layer)
    bed.patch.paint(cover, colours)
    bed.patch.lift(cover, height)


def _slab(rng: np.random.Generator, bed: Bed) -> None:
    _slab_on(rng, bed, bed.filling, bed.tomb.lift_m)
    seam = bed.filling * (bed.inside - bed.tomb.rim_m < 0.025)
    bed.patch.shade(seam, float(rng.uniform(0.7, 1.0)))
    if rng.random() < 0.25:
        _plant_window(rng, bed)


def _plant_window(rng: np.random.Generator, bed: Bed) -> None:
    """Cut a planted opening into a slab."""
    middle = (bed.size[0] * rng.uniform(0.35, 0.65), bed.size[1] * rng.uniform(0.4, 0.75))
    half = (bed.size[0] * rng.uniform(0.12, 0.3), bed.size[1] * rng.uniform(0.08, 0.2))
    du, dv = np.abs(bed.u - middle[0]) / half[0], np.abs(bed.v - middle[1]) / half[1]
    away = np.hypot(du, dv) if rng.random() < 0.5 else np.maximum(du, dv)
    cover = bed.patch.cover((1 - away) * min(half)) * bed.filling
    bed.patch.paint(cover, bed.ground("soil"))
    grow(rng, bed, cover, 1.5, 1)


def _half_slab(rng: np.random.Generator, bed: Bed) -> None:
    _planted(rng, bed)
    start = bed.size[1] * float(rng.uniform(0.3, 0.6))
    away = start - bed.v if rng.random() < 0.35 else bed.v - start
    _slab_on(rng, bed, bed.patch.cover(away) * bed.filling, bed.tomb.lift_m)


def _ledger(rng: np.random.Generator, bed: Bed) -> None:
    """One thick slab over the whole grave, sometimes on a wider step."""
    step = float(rng.uniform(0.04, 0.12)) if rng.random() < 0.5 else 0.0
    if step:
        _slab_on(rng, bed, bed.whole, bed.tomb.lift_m * 0.35)
    cover = bed.patch.cover(bed.inside - step)
    _slab_on(rng, bed, cover, bed.tomb.lift_m)
    bed.patch.shade(cover * (bed.inside - step < 0.03), float(rng.uniform(0.8, 1.1)))
    if rng.random() < 0.2:
        _plant_window(rng, bed)


def _roof_slab(rng: np.random.Generator, bed: Bed) -> None:
    """A ledger whose top falls to both sides, as in France and Italy."""
    _slab_on(rng, bed, bed.whole, bed.tomb.lift_m * 0.6)
    across = np.abs(bed.u / bed.size[0] - 0.5) * 2
    top = bed.tomb.lift_m * (1.2 - 0.5 * across)
    cover = bed.patch.cover(bed.inside - 0.06)
    _slab_on(rng, bed, cover, np.asarray(top + np.zeros_like(bed.inside)))


def _pebbles(rng: np.random.Generator, bed: Bed) -> None:
    tone = np.asarray(PEBBLES[int(rng.integers(len(PEBBLES)))], np.float32)
    fine = float(rng.uniform(5, 17))
    speck = fine * bed.field("grain") + 0.6 * fine * bed.field("stones", 1)
    bed.patch.paint(bed.filling, tone + speck[..., None])
    bed.patch.lift(bed.filling, max(0.04, 0.6 * bed.tomb.lift_m))
    if rng.random() < 0.6:
        grow(rng, bed, _cushion(rng, bed), float(rng.uniform(0.8, 2.4)), int(rng.integers(1, 3)))


def _cushion(rng: np.random.Generator, bed: Bed) -> Array:
    """Return coverage of a round bed within the grave."""
    middle = bed.size[1] * float(rng.uniform(0.35, 0.75))
    radius = min(bed.size) * float(rng.uniform(0.18, 0.36))
    away = np.hypot(bed.u - bed.size[0] / 2, (bed.v - middle) * rng.uniform(0.5, 1.0))
    return np.asarray(bed.patch.cover(radius - away) * bed.filling)


def _mulch(rng: np.random.Generator, bed: Bed) -> None:
    bed.patch.paint(bed.filling, bed.ground("mulch"))
    bed.patch.lift(bed.filling, 0.06)
    grow(rng, bed, bed.filling, float(rng.uniform(-1.0, 0.6)), 2)


def _lawn(rng: np.random.Generator, bed: Bed) -> None:
    bed.patch.paint(bed.filling, bed.ground("lawn") * rng.uniform(0.88, 1.06))
    bed.patch.lift(bed.filling, 0.04)


def _plot(rng: np.random.Generator, bed: Bed) -> None:
    """A plot in a lawn, seen only by a trace: grass of another tone, a little sunk or raised."""
    faint = 0.05 * bed.field("clump", 2)
    cover = bed.patch.cover(bed.inside - 0.05 + faint) * rng.uniform(0.25, 0.9)
    tint = np.asarray([1.0, rng.uniform(0.95, 1.05), 0.97]) * rng.uniform(0.82, 1.08)
    bed.patch.paint(cover, bed.ground("lawn") * tint)
    bed.patch.lift(bed.patch.cover(bed.inside - 0.1), float(rng.uniform(0.0, 0.06)))
    if rng.random() < 0.15:
        bed.patch.paint(cover, bed.ground("soil"))


def _soil(rng: np.random.Generator, bed: Bed) -> None:
    bed.patch.paint(bed.filling, bed.ground("soil") * rng.uniform(0.9, 1.1))
    bed.patch.lift(bed.filling, 0.05)
    if rng.random() < 0.5:
        grow(rng, bed, bed.filling, float(rng.uniform(-1.2, 0.2)), 1)


def _mound(rng: np.random.Generator, bed: Bed) -> None:
    """Heaped earth, fresh under wreaths or old under grass."""
    heap = np.clip(bed.inside / (0.35 * min(bed.size)), 0, 1)
    rough = 0.03 * bed.field("clump")
    cover = bed.patch.cover(bed.inside + rough)
    grassy = bed.tomb.status != "new" and rng.random() < 0.5
    texture = bed.ground("meadow") if grassy else bed.ground("soil")
    bed.patch.paint(cover, texture * rng.uniform(0.88, 1.1))
    top = float(rng.uniform(0.15, 0.4)) * np.sqrt(heap) + 0.02 * bed.field("pebble")
    bed.patch.lift(cover, top + 0.03)
    if bed.tomb.status == "new":
        _wreaths(rng, bed, cover)
    elif not grassy and rng.random() < 0.5:
        grow(rng, bed, cover, float(rng.uniform(-1.0, 1.0)), 1)


def _wreaths(rng: np.random.Generator, bed: Bed, cover: Array) -> None:
    for _ in range(int(rng.integers(2, 8))):
        at_u = float(rng.uniform(0.25, 0.75)) * bed.size[0]
        at_v = float(rng.uniform(0.15, 0.85)) * bed.size[1]
        radius = float(rng.uniform(0.14, 0.26))
        away = np.hypot(bed.u - at_u, bed.v - at_v)
        ring = 0.5 * radius if rng.random() < 0.6 else radius
        wreath = cover * bed.patch.cover(ring / 2 - np.abs(away - radius + ring / 2))
        bed.patch.paint(wreath, np.array([62, 84, 50]) * rng.uniform(0.8, 1.2))
        bed.patch.lift(wreath, 0.45)
        scatter_flowers(rng, bed.patch, wreath, 14, 0.045, bed.look.flowers)


def _frame(rng: np.random.Generator, bed: Bed) -> None:
    """A wide stone frame around a planted or gravelled middle."""
    _slab_on(rng, bed, bed.filling, bed.tomb.lift_m)
    inner = np.minimum(
        np.minimum(bed.u, bed.size[0] - bed.u) / bed.size[0],
        np.minimum(bed.v - 0.2 * bed.size[1], bed.size[1] - bed.v) / bed.size[1],
    )
    cover = bed.patch.cover((inner - float(rng.uniform(0.16, 0.3))) * min(bed.size))
    bed.patch.paint(cover, bed.ground("soil"))
    grow(rng, bed, cover, float(rng.uniform(0.2, 2.2)), 2)


FILLERS: dict[FillingKind, Filler] = {
    "planted": _planted,
    "covered": _covered,
    "slab": _slab,
    "half slab": _half_slab,
    "pebbles": _pebbles,
    "mulch": _mulch,
    "lawn": _lawn,
    "soil": _soil,
    "ledger": _ledger,
    "roof slab": _roof_slab,
    "plot": _plot,
    "mound": _mound,
    "frame": _frame,
}
"""The painter of each filling."""
