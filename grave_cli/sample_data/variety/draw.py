"""A preset and a seeded generator → the settings of one scene."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from grave_cli.sample_data.variety.presets import ALL, NEGATIVES, PRESETS, Preset, check_preset
from grave_cli.sample_data.variety.settings import (
    Care,
    HabitKind,
    Lens,
    Mosaic,
    Order,
    Outline,
    Relief,
    SceneKind,
    Season,
    Sun,
    Variety,
)

T = TypeVar("T")
SEASONS: dict[Season, float] = {
    "spring": 2,
    "summer": 3,
    "drought": 1,
    "autumn": 2,
    "late autumn": 1.2,
    "winter": 1.3,
}
SUN_DEG: dict[Season, tuple[float, float]] = {
    "spring": (28, 60),
    "summer": (32, 70),
    "drought": (35, 68),
    "autumn": (20, 48),
    "late autumn": (17, 36),
    "winter": (17, 34),
}
"""Lowest and highest sun of a flight, degrees, between 40° and 60° of latitude."""
OUTLINES: dict[Outline, float] = {
    "full": 5,
    "square": 3,
    "round": 1.5,
    "turned": 2.5,
    "strip": 0.7,
}


def draw_variety(rng: np.random.Generator, preset: str = ALL) -> Variety:
    """Draw the settings of one scene.

    Args:
        rng: Source of randomness; equal generators give equal settings.
        preset: A name from `preset_names`.

    Raises:
        DatasetError: No preset has this name.
    """
    check_preset(preset)
    names = {name: entry.share for name, entry in PRESETS.items()}
    name = choose(rng, names) if preset == ALL else preset
    chosen, season = PRESETS[name], choose(rng, SEASONS)
    return Variety(
        preset=name,
        scene=_draw_scene(rng, chosen),
        habits=_draw_habits(rng, chosen),
        season=season,
        care=_draw_care(rng, season),
        order=_draw_order(rng, chosen),
        sun=_draw_sun(rng, season),
        lens=_draw_lens(rng),
        mosaic=_draw_mosaic(rng),
        relief=_draw_relief(rng),
    )


def choose(rng: np.random.Generator, weights: Mapping[T, float]) -> T:
    """Return one key, drawn in proportion to its weight."""
    names = list(weights)
    share = np.array([weights[name] for name in names], float)
    return names[int(rng.choice(len(names), p=share / share.sum()))]


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a number drawn evenly from a range."""
    return float(rng.uniform(low, high))


def _mostly(rng: np.random.Generator, low: float, high: float, power: float = 2.0) -> float:
    """Return a number that usually lies near the low end."""
    return float(low + (high - low) * rng.random() ** power)


def _geometric(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def _draw_scene(rng: np.random.Generator, preset: Preset) -> SceneKind:
    return "cemetery" if preset.habits else choose(rng, NEGATIVES)


def _draw_habits(rng: np.random.Generator, preset: Preset) -> tuple[HabitKind, ...]:
    """Return the cemetery's layouts; the first one has at least one grave to outline."""
    if not preset.habits:
        return ()
    graves = {k: w for k, w in preset.habits.items() if k not in ("headstones", "cleared")}
    count = int(rng.integers(1, preset.mixed + 1))
    return (choose(rng, graves), *(choose(rng, preset.habits) for _ in range(count - 1)))


def _draw_care(rng: np.random.Generator, season: Season) -> Care:
    leafy = season in ("autumn", "late autumn")
    return Care(
        age=between(rng, 0, 1),
        overgrowth=_mostly(rng, 0, 1),
        litter=between(rng, 0.1, 1) if leafy else _mostly(rng, 0, 0.35, 4),
        wet=between(rng, 0.3, 1) if rng.random() < 0.18 else 0.0,
        clutter=_mostly(rng, 0.1, 1, 1.3),
        trees=_mostly(rng, 0, 1, 1.4),
    )


def _draw_order(rng: np.random.Generator, preset: Preset) -> Order:
    wild = rng.random() < 0.25
    return Order(
        yard_share=between(rng, 0.7, 1.5),
        section_m=between(rng, 7, 24),
        path_m=between(rng, 0.9, 4),
        aisle_m=_mostly(rng, 0.3, 2.2, 1.4),
        gap_m=between(rng, *preset.gap_m),
        touching=between(rng, *preset.touching),
        occupancy=1 - _mostly(rng, 0, 0.6, 2.5),
        jitter_m=between(rng, 0.02, 0.10) if wild else between(rng, 0, 0.03),
        twist_deg=between(rng, 1, 5) if wild else between(rng, 0, 0.8),
        bend_per_m=between(rng, 0.005, 0.03) if rng.random() < 0.2 else 0.0,
        turned=_mostly(rng, 0, 0.5),
    )


def _draw_sun(rng: np.random.Generator, season: Season) -> Sun:
    clear = rng.random()
    share = 0.0 if clear < 0.15 else between(rng, 0.15, 0.7) if clear < 0.4 else 1.0
    deep = between(rng, 0.27, 0.55)
    return Sun(
        azimuth_deg=between(rng, 0, 360) if rng.random() < 0.3 else between(rng, 90, 270),
        elevation_deg=between(rng, *SUN_DEG[season]),
        share=share,
        shadow=(deep * 0.95, deep, deep * between(rng, 1.0, 1.42)),
        blur_m=between(rng, 0.01, 0.04) if share == 1.0 else between(rng, 0.04, 0.12),
    )


def _draw_lens(rng: np.random.Generator) -> Lens:
    warmth, green = float(rng.normal(0, 0.05)), float(rng.normal(0, 0.02))
    balance = np.clip([1 + warmth, 1 + green, 1 - warmth], 0.87, 1.13)
    return Lens(
        gsd_m=_geometric(rng, 0.015, 0.06),
        blur_px=_mostly(rng, 0.3, 1.2, 2.0),
        gain=float(np.clip(np.exp(rng.normal(0.02, 0.15)), 0.65, 1.5)),
        contrast=between(rng, 0.8, 1.2),
        saturation=float(np.clip(rng.normal(0.98, 0.15), 0.55, 1.3)),
        white_balance=(float(balance[0]), float(balance[1]), float(balance[2])),
        haze=_mostly(rng, 0, 0.25, 3),
        noise=_mostly(rng, 0.4, 5),
        sharpen=_mostly(rng, 0, 0.5),
        jpeg_quality=int(rng.integers(60, 98))
        if rng.random() < 0.85
        else int(rng.integers(45, 60)),
    )


def _draw_mosaic(rng: np.random.Generator) -> Mosaic:
    return Mosaic(
        photo_m=between(rng, 6, 30),
        gain_spread=_mostly(rng, 0, 0.05),
        shift_m=_mostly(rng, 0, 0.035),
        ghosting=_mostly(rng, 0, 0.4, 3),
        lean=_mostly(rng, 0, 0.10, 1.5),
        tilt=(
            float(np.clip(rng.normal(0, 0.02), -0.06, 0.06)),
            float(np.clip(rng.normal(0, 0.02), -0.06, 0.06)),
        ),
        outline=choose(rng, OUTLINES),
        fray_m=_mostly(rng, 0, 0.6),
    )


def _draw_relief(rng: np.random.Generator) -> Relief:
    none = rng.random() < 0.12
    return Relief(
        gsd_m=0.0 if none else _geometric(rng, 0.02, 0.20),
        noise_m=_mostly(rng, 0.002, 0.04),
        soften_m=_mostly(rng, 0, 0.35, 1.5),
        holes=_mostly(rng, 0, 0.06, 3),
        slope=_mostly(rng, 0, 0.18),
        waves_m=_mostly(rng, 0, 0.4),
        terraces=int(rng.integers(1, 4)) if rng.random() < 0.12 else 0,
        shift_m=(
            float(np.clip(rng.normal(0, 0.02), -0.08, 0.08)),
            float(np.clip(rng.normal(0, 0.02), -0.08, 0.08)),
        ),
    )
