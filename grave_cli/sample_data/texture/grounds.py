"""Draws the surfaces of one scene: settings → base colours, textures, patterns and spots."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from grave_cli.sample_data.canvas import Colour
from grave_cli.sample_data.texture.palettes import (
    ASPHALTS,
    GRAVELS,
    GREENS,
    LAWNS,
    LITTER,
    PAVINGS,
    SOILS,
    pick,
    shift,
)
from grave_cli.sample_data.texture.surfaces import Layer, Pattern, PatternKind, Spots, Surface
from grave_cli.sample_data.variety.settings import Variety


def _grey(amount: float) -> Colour:
    return amount, amount, amount


def _stains(rng: np.random.Generator, fine: float, broad: float) -> tuple[Layer, ...]:
    """Return slow changes of brightness, from decimetres to metres."""
    seeds = rng.integers(400, size=3)
    return (
        Layer("clump", int(seeds[0]), _grey(fine * float(rng.uniform(0.1, 0.7)))),
        Layer("patch", int(seeds[1]), _grey(fine * float(rng.uniform(0.1, 1.0)))),
        Layer("broad", int(seeds[2]), _grey(broad * float(rng.uniform(0.2, 1.2)))),
    )


def _soaked(colour: Colour, wet: float) -> Colour:
    """Darken a mineral surface by rain."""
    red, green, blue = (value * (1 - 0.38 * wet) for value in colour)
    return red, green, blue


def _litter(rng: np.random.Generator, variety: Variety) -> tuple[Spots, ...]:
    """Return fallen leaves, denser the higher `care.litter`."""
    amount = variety.care.litter
    if amount < 0.03:
        return ()
    return tuple(
        Spots("grain", int(rng.integers(400)), 3.1 - 1.3 * amount, pick(rng, LITTER, 8), 0.8, 0.7)
        for _ in range(2)
    )


def _weeds(rng: np.random.Generator, variety: Variety, level: float) -> tuple[Spots, ...]:
    green = pick(rng, LAWNS[variety.season], 6)
    return (
        Spots(
            "pebble",
            int(rng.integers(400)),
            level - 0.9 * variety.care.age,
            green,
            float(rng.uniform(0.3, 0.7)),
            0.9,
        ),
    )


def _grass(rng: np.random.Generator, variety: Variety, rough: float) -> Surface:
    base = pick(rng, LAWNS[variety.season], 9)
    field = str(rng.choice(["grass", "turf", "pebble"]))
    fine = rough * float(rng.uniform(5, 14))
    dry = float(rng.uniform(0, 12)) * (2 if variety.season == "drought" else 1)
    layers = (
        Layer("grain", int(rng.integers(400)), (fine, fine, fine * 0.8)),
        Layer(field, int(rng.integers(400)), (fine * 0.8, fine * 0.8, fine * 0.6)),
        Layer("clump", int(rng.integers(400)), (rough * 4, rough * 4, rough * 3)),
        Layer("patch", int(rng.integers(400)), (dry * 0.5, dry * 0.3, dry * 0.2)),
        Layer("broad", int(rng.integers(400)), (dry, dry * 0.5, dry * 0.4)),
    )
    mown = Pattern(
        "stripes",
        float(rng.uniform(0, math.pi)),
        (float(rng.uniform(0.4, 1.4)), 1.0),
        base,
        1.0,
        float(rng.uniform(1, 7)),
    )
    clover = Spots("clump", int(rng.integers(400)), 1.6, shift(rng, base, 9), 0.5, 0.8)
    earth = Spots(
        "clump",
        int(rng.integers(400)),
        float(rng.uniform(2.0, 3.6)) - 0.8 * variety.care.age,
        pick(rng, SOILS, 6),
        0.5,
        1.0,
    )
    blossoms: tuple[Spots, ...] = ()
    if variety.season in ("spring", "summer") and rng.random() < 0.4:
        white = (232.0, 228.0, 206.0) if rng.random() < 0.6 else (226.0, 200.0, 70.0)
        blossoms = (Spots("grain", int(rng.integers(400)), 3.0, white, 0.7, 0.9),)
    pattern = mown if rough <= 1 and rng.random() < 0.4 else None
    return Surface(base, layers, pattern, (clover, earth, *blossoms, *_litter(rng, variety)))


def _lawn(rng: np.random.Generator, variety: Variety) -> Surface:
    return _grass(rng, variety, 0.8)


def _meadow(rng: np.random.Generator, variety: Variety) -> Surface:
    return _grass(rng, variety, 1.5)


def _gravel(rng: np.random.Generator, variety: Variety) -> Surface:
    base = _soaked(pick(rng, GRAVELS, 8), variety.care.wet)
    field = str(rng.choice(["stones", "grain", "pebble"]))
    fine = float(rng.uniform(5, 15))
    layers = (
        Layer("grain", int(rng.integers(400)), _grey(fine)),
        Layer(field, int(rng.integers(400)), _grey(fine * 0.8)),
        *_stains(rng, 4, 7),
    )
    return Surface(base, layers, None, _weeds(rng, variety, 3.4) + _litter(rng, variety))


def _grit(rng: np.random.Generator, variety: Variety) -> Surface:
    red, green, blue = pick(rng, GRAVELS, 8)
    base = _soaked((red - 10, green - 14, blue - 22), variety.care.wet)
    layers = (
        Layer("grain", int(rng.integers(400)), _grey(float(rng.uniform(3, 8)))),
        Layer("pebble", int(rng.integers(400)), _grey(3)),
        *_stains(rng, 5, 9),
    )
    return Surface(base, layers, None, _weeds(rng, variety, 3.6) + _litter(rng, variety))


def _asphalt(rng: np.random.Generator, variety: Variety) -> Surface:
    base = _soaked(pick(rng, ASPHALTS, 8), variety.care.wet)
    layers = (
        Layer("grain", int(rng.integers(400)), _grey(float(rng.uniform(2, 7)))),
        *_stains(rng, 4, 8),
    )
    patches = Spots("patch", int(rng.integers(400)), 2.3, shift(rng, base, 14), 0.7, 0.0)
    return Surface(base, layers, None, (patches, *_litter(rng, variety)))


def _laid(
    rng: np.random.Generator,
    variety: Variety,
    kind: PatternKind,
    width: tuple[float, float],
    ratio: float,
) -> Surface:
    base = _soaked(pick(rng, PAVINGS, 8), variety.care.wet)
    size = float(rng.uniform(*width))
    joint = shift(rng, (96, 94, 78), 14) if rng.random() < 0.7 else pick(rng, LAWNS["summer"], 8)
    angle = float(rng.uniform(0, math.pi))
    pattern = Pattern(
        kind,
        angle,
        (size, size * ratio),
        joint,
        float(rng.uniform(0.25, 0.8)),
        float(rng.uniform(2, 10)),
    )
    layers = (Layer("grain", int(rng.integers(400)), _grey(float(rng.uniform(2, 6)))),)
    return Surface(base, (*layers, *_stains(rng, 4, 7)), pattern, _litter(rng, variety))


def _paving(rng: np.random.Generator, variety: Variety) -> Surface:
    if rng.random() < 0.25:
        base = _soaked(pick(rng, PAVINGS, 10), variety.care.wet)
        brick = Layer("brick", 2 * int(rng.integers(200)), _grey(float(rng.uniform(8, 16))))
        return Surface(base, (brick, *_stains(rng, 5, 7)), None, _litter(rng, variety))
    kind: PatternKind = "pavers" if rng.random() < 0.5 else "herringbone"
    return _laid(rng, variety, kind, (0.09, 0.16), 2.0)


def _slabs(rng: np.random.Generator, variety: Variety) -> Surface:
    kind: PatternKind = "pavers" if rng.random() < 0.5 else "slabs"
    return _laid(rng, variety, kind, (0.3, 0.6), float(rng.choice([1.0, 1.0, 1.5])))


def _cobbles(rng: np.random.Generator, variety: Variety) -> Surface:
    return _laid(rng, variety, "cobbles", (0.08, 0.12), 1.1)


def _concrete(rng: np.random.Generator, variety: Variety) -> Surface:
    base = _soaked(shift(rng, (172, 168, 160), 14), variety.care.wet)
    layers = (Layer("grain", int(rng.integers(400)), _grey(2.5)), *_stains(rng, 7, 8))
    return Surface(base, layers, None, _weeds(rng, variety, 4.2) + _litter(rng, variety))


def _soil(rng: np.random.Generator, variety: Variety) -> Surface:
    base = _soaked(pick(rng, SOILS, 7), variety.care.wet)
    fine = float(rng.uniform(5, 12))
    layers = (
        Layer("grain", int(rng.integers(400)), (fine, fine * 0.9, fine * 0.8)),
        Layer("pebble", int(rng.integers(400)), (fine * 0.8, fine * 0.7, fine * 0.6)),
        *_stains(rng, 6, 7),
    )
    return Surface(base, layers, None, _weeds(rng, variety, 3.2) + _litter(rng, variety))


def _mulch(rng: np.random.Generator, variety: Variety) -> Surface:
    base = _soaked(shift(rng, (98, 72, 52), 14), variety.care.wet)
    layers = (
        Layer("grain", int(rng.integers(400)), (17, 13, 10)),
        Layer("stones", int(rng.integers(400)), (9, 7, 6)),
        Layer("patch", int(rng.integers(400)), (5, 4, 4)),
    )
    return Surface(base, layers, None, _weeds(rng, variety, 3.4))


def _sand(rng: np.random.Generator, variety: Variety) -> Surface:
    base = _soaked(shift(rng, (206, 186, 148), 12), variety.care.wet)
    layers = (Layer("grain", int(rng.integers(400)), (4, 4, 3)), *_stains(rng, 5, 4))
    return Surface(base, layers)


def _water(rng: np.random.Generator, variety: Variety) -> Surface:
    palette: tuple[Colour, ...] = ((46, 58, 56), (64, 74, 62), (38, 52, 66), (84, 92, 88))
    layers = (
        Layer("pebble", int(rng.integers(400)), _grey(float(rng.uniform(0.5, 5)))),
        Layer("clump", int(rng.integers(400)), _grey(float(rng.uniform(0.5, 6)))),
        Layer("broad", int(rng.integers(400)), (4, 6, 7)),
    )
    return Surface(pick(rng, palette, 8), layers)


def _crop(rng: np.random.Generator, variety: Variety) -> Surface:
    """Vegetables in rows on bare earth."""
    base = pick(rng, GREENS, 9)
    earth = _soaked(pick(rng, SOILS, 6), variety.care.wet)
    rows = Pattern(
        "rows",
        float(rng.uniform(0, math.pi)),
        (float(rng.uniform(0.12, 0.4)), 1.0),
        earth,
        0.9,
        0.0,
    )
    layers = (
        Layer("grain", int(rng.integers(400)), (11, 12, 8)),
        Layer("clump", int(rng.integers(400)), (8, 9, 6)),
    )
    return Surface(base, layers, rows)


SURFACES: dict[str, Callable[[np.random.Generator, Variety], Surface]] = {
    "meadow": _meadow,
    "lawn": _lawn,
    "gravel": _gravel,
    "grit": _grit,
    "asphalt": _asphalt,
    "paving": _paving,
    "slabs": _slabs,
    "cobbles": _cobbles,
    "concrete": _concrete,
    "soil": _soil,
    "mulch": _mulch,
    "sand": _sand,
    "water": _water,
    "crop": _crop,
}
"""How to draw each surface of a scene; names are used by the layouts."""
