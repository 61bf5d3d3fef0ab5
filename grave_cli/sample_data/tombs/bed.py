"""One grave on its patch: coordinates from its head, and the stone and plants laid into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grave_cli.sample_data.canvas import Array, Canvas, Colour, Patch, polygon_inside
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.plants import cover_plants, scatter_flowers
from grave_cli.sample_data.texture.look import Look
from grave_cli.sample_data.texture.palettes import Stone
from grave_cli.sample_data.tombs.tomb import Tomb

MOSS: Colour = (96, 104, 66)


@dataclass(frozen=True)
class Bed:
    """One grave on its patch.

    Args:
        patch: Where it is painted.
        tomb: The grave.
        inside: Distance to its outline in metres, positive inside.
        u: Metres across from the left edge, head up.
        v: Metres along from the head.
        size: Width and length in metres.
        layer: Noise layer of its textures.
        noise: Texture fields.
        look: Surfaces and colours of the scene.
    """

    patch: Patch
    tomb: Tomb
    inside: Array
    u: Array
    v: Array
    size: tuple[float, float]
    layer: int
    noise: Noise
    look: Look

    @property
    def whole(self) -> Array:
        """Coverage of the whole grave."""
        return self.patch.cover(self.inside)

    @property
    def filling(self) -> Array:
        """Coverage of the area within the border."""
        return self.patch.cover(self.inside - self.tomb.rim_m)

    def field(self, name: str, layer: int = 0) -> Array:
        """Return a texture field over the patch."""
        return self.noise.at(name, self.patch.spot, self.layer + layer)

    def ground(self, name: str) -> Array:
        """Return a surface of the scene over the patch, (h, w, 3)."""
        return self.look.ground(name, self.noise, self.patch.spot)


def lay_out(
    rng: np.random.Generator, canvas: Canvas, tomb: Tomb, noise: Noise, look: Look
) -> Bed | None:
    """Return a grave on its patch, or None where it lies outside the canvas."""
    patch = canvas.patch(tomb.corners, 0.25)
    if patch is None:
        return None
    head_left, head_right, foot_right, foot_left = tomb.corners
    across = (head_right - head_left) + (foot_right - foot_left)
    along = (foot_left - head_left) + (foot_right - head_right)
    width, length = float(np.linalg.norm(across)) / 2, float(np.linalg.norm(along)) / 2
    across, along = across / (2 * width), along / (2 * length)
    dx, dy = patch.x - head_left[0], patch.y - head_left[1]
    return Bed(
        patch,
        tomb,
        polygon_inside(patch.x, patch.y, tomb.corners),
        dx * across[0] + dy * across[1],
        dx * along[0] + dy * along[1],
        (width, length),
        int(rng.integers(40, 400)),
        noise,
        look,
    )


def stone_colours(
    rng: np.random.Generator, stone: Stone, noise: Noise, patch: Patch, layer: int
) -> Array:
    """Return the colours of a stone over a patch: grain, stains, moss, a reflection of the sky.

    Shapes:
        -> (h, w, 3).
    """
    grain = noise.at("grain", patch.spot, layer) * stone.speckle
    stain = noise.at("patch", patch.spot, layer + 1) * stone.stain
    stain = stain + noise.at("clump", patch.spot, layer + 2) * (0.5 * stone.stain)
    height, width = patch.height.shape
    ramp = np.linspace(0, 1, height)[:, None] * rng.uniform(-1, 1) + np.linspace(0, 1, width)[
        None, :
    ] * rng.uniform(-1, 1)
    gloss = 34 * stone.polish * ramp
    base = np.asarray(stone.colour, np.float32) * rng.uniform(0.9, 1.08)
    colours = base + (grain + stain + gloss)[..., None]
    if stone.moss > 0.1:
        mossy = noise.at("clump", patch.spot, layer + 5) + noise.at("pebble", patch.spot, layer)
        share = 0.6 * np.clip(mossy - 2.4 + 2.2 * stone.moss, 0, 1)[..., None]
        colours = colours * (1 - share) + np.asarray(MOSS, np.float32) * share
    return np.asarray(colours, np.float32)


def grow(rng: np.random.Generator, bed: Bed, cover: Array, density: float, kinds: int) -> None:
    """Grow cushions of low plants of a few kinds, and flowers among them.

    Args:
        rng: Source of randomness.
        bed: The grave.
        cover: Where plants may grow.
        density: From −0.5 (a few) to 2.5 (closed).
        kinds: Number of kinds.
    """
    greens, patch = bed.look.greens, bed.patch
    for number in range(kinds):
        colour = greens[int(rng.integers(len(greens)))]
        grown = bed.field("clump", 7 * number) + 0.3 * bed.field("pebble", number)
        allowed = cover * (grown > 0.3 - density + 0.7 * number)
        cover_plants(patch, allowed, colour, bed.noise, bed.layer + 11 * number)
    area = bed.size[0] * bed.size[1]
    count = min(40, int(rng.gamma(0.8, 8) * area))
    if count and rng.random() < 0.7:
        radius = float(rng.uniform(0.02, 0.045))
        scatter_flowers(rng, patch, cover, count, radius, bed.look.flowers)
