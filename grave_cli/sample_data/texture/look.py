"""The look of one scene: every surface, stone and leaf it is painted with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from grave_cli.sample_data.canvas import Array, Colour
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.texture.grounds import SURFACES
from grave_cli.sample_data.texture.palettes import (
    FADED,
    FLOWERS,
    FOLIAGE,
    GREENS,
    HEATHERS,
    Stone,
    draw_stone,
    pick,
)
from grave_cli.sample_data.texture.surfaces import Spot, Surface, paint_surface
from grave_cli.sample_data.variety.settings import Variety


@dataclass(frozen=True)
class Look:
    """Surfaces, stones and colours of one scene.

    Args:
        gsd_m: Pixel edge in metres.
        surfaces: Grounds by name.
        stones: Stones, the common ones first.
        greens: Colours of low planting.
        foliage: Colours of crowns.
        flowers: Colours of blossoms.
        bare: Whether broadleaf trees have lost their leaves.
        lean: Metres a point moves per metre of height at a place, x and y.
    """

    gsd_m: float
    surfaces: dict[str, Surface]
    stones: tuple[Stone, ...]
    greens: tuple[Colour, ...]
    foliage: tuple[Colour, ...]
    flowers: tuple[Colour, ...]
    bare: bool
    lean: Callable[[Array], Array]

    def ground(self, name: str, noise: Noise, spot: Spot) -> Array:
        """Return the colours of a surface at pixels, S + (3,)."""
        return paint_surface(self.surfaces[name], noise, spot, self.gsd_m)

    def stone(self, rng: np.random.Generator) -> Stone:
        """Draw one of the stones, a common one more often."""
        return self.stones[min(int(rng.geometric(0.35)) - 1, len(self.stones) - 1)]


def draw_look(rng: np.random.Generator, variety: Variety) -> Look:
    """Draw everything a scene is painted with.

    Args:
        rng: Source of randomness.
        variety: Settings of the scene.
    """
    season, care = variety.season, variety.care
    faded = season in ("late autumn", "winter", "drought")
    count = int(rng.integers(4, 8))
    greens = tuple(pick(rng, GREENS, 7) for _ in range(count))
    extra = FADED if faded else HEATHERS
    return Look(
        gsd_m=variety.lens.gsd_m,
        surfaces={name: draw(rng, variety) for name, draw in SURFACES.items()},
        stones=tuple(draw_stone(rng, care.age) for _ in range(int(rng.integers(3, 9)))),
        greens=(*greens, *(pick(rng, extra, 7) for _ in range(2 if faded else 1))),
        foliage=tuple(pick(rng, FOLIAGE[season], 6) for _ in range(3)),
        flowers=tuple(pick(rng, FLOWERS, 10) for _ in range(int(rng.integers(2, 7)))),
        bare=season == "winter" or (season == "late autumn" and rng.random() < 0.4),
        lean=_draw_lean(rng, variety),
    )


def _draw_lean(rng: np.random.Generator, variety: Variety) -> Callable[[Array], Array]:
    cell, start = variety.mosaic.photo_m, rng.uniform(0, 30, 2)
    tilt, most = np.asarray(variety.mosaic.tilt), variety.mosaic.lean

    def lean(at: Array) -> Array:
        offset = (((at + start) / cell) % 1 - 0.5) * 2
        return np.asarray(offset * most + tilt)

    return lean
