"""Plants seen from above: crowns built of leaf clumps, ground cover, flowers."""

from __future__ import annotations

import math

import numpy as np

from grave_cli.sample_data.canvas import Array, Canvas, Colour, Patch
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.plan import Plan, Tree
from grave_cli.sample_data.style import Season, Style

HEATHER: dict[Season, Colour] = {
    "spring": (112, 116, 84),
    "summer": (104, 112, 82),
    "autumn": (126, 98, 108),
    "late autumn": (112, 92, 96),
}
CONIFERS: tuple[Colour, ...] = ((54, 72, 52), (62, 78, 50), (74, 92, 88))
FLOWERS: tuple[Colour, ...] = (
    (184, 62, 66),
    (206, 112, 140),
    (228, 222, 216),
    (214, 184, 88),
    (138, 100, 152),
    (214, 136, 86),
)


def paint_trees(rng: np.random.Generator, canvas: Canvas, plan: Plan, noise: Noise) -> None:
    """Paint all trees and shrubs, the low ones first, and mark the canopy.

    Args:
        rng: Source of randomness.
        canvas: Receives colours, heights and canopy.
        plan: Its trees.
        noise: Texture.
    """
    for tree in sorted(plan.trees, key=lambda tree: tree.height_m):
        palette = CONIFERS if tree.kind == "conifer" else plan.style.foliage
        colour = palette[int(rng.integers(len(palette)))]
        paint_crown(rng, canvas, tree, colour, noise)


def paint_crown(
    rng: np.random.Generator, canvas: Canvas, tree: Tree, colour: Colour, noise: Noise
) -> None:
    """Paint one crown as overlapping leaf clumps.

    Args:
        rng: Source of randomness.
        canvas: Receives colours, heights and canopy.
        tree: Its position, size and kind.
        colour: Colour of its leaves.
        noise: Texture of the leaves.
    """
    patch = canvas.patch(np.array([tree.centre]), tree.radius_m * 1.3 + 0.1)
    if patch is None:
        return
    top, tone = leaf_clumps(rng, patch, tree)
    leaf = noise.at("grain", patch.spot, 30) * 0.6 + noise.at("pebble", patch.spot, 31) * 0.6
    crown = top + 0.05 * leaf * min(1.0, tree.radius_m) > 0.35 * tree.height_m * 0.9
    depth = np.clip(top / tree.height_m, 0, 1)
    shade = (0.5 + 0.5 * depth + 0.15 * leaf)[..., None] + tone[..., None] * np.array(
        [0.10, 0.07, 0.03]
    )
    patch.paint(crown * 0.97, np.asarray(colour, np.float32) * shade)
    patch.lift(crown, np.maximum(top + 0.06 * leaf * min(1.0, tree.radius_m), 0.05))
    if tree.radius_m > 0.6:
        canvas.canopy[patch.rows, patch.cols] |= crown


def leaf_clumps(rng: np.random.Generator, patch: Patch, tree: Tree) -> tuple[Array, Array]:
    """Return the top of a crown in metres and a tone per leaf clump.

    Args:
        rng: Source of randomness.
        patch: Where the crown is painted.
        tree: Its size and kind.

    Shapes:
        -> two arrays (h, w).
    """
    at, lift, size = _draw_clumps(rng, tree)
    top = np.zeros(patch.height.shape, np.float32)
    tone = np.zeros_like(top)
    gsd = patch.canvas.gsd_m
    for (x, y), high, own in zip(at, lift, size, strict=True):
        rows, cols = _span(y, own, gsd, patch.rows), _span(x, own, gsd, patch.cols)
        dy = (np.arange(rows.start, rows.stop) + patch.rows.start + 0.5) * gsd - y
        dx = (np.arange(cols.start, cols.stop) + patch.cols.start + 0.5) * gsd - x
        round_m = own**2 - dy[:, None] ** 2 - dx[None, :] ** 2
        dome = np.where(round_m > 0, high - own + np.sqrt(np.maximum(round_m, 0)), 0)
        higher = dome > top[rows, cols]
        top[rows, cols][higher] = dome[higher]
        tone[rows, cols][higher] = rng.normal()
    return top, tone


def _draw_clumps(rng: np.random.Generator, tree: Tree) -> tuple[Array, Array, Array]:
    """Return position, top and radius of the leaf clumps, gathered on boughs."""
    conifer = tree.kind == "conifer"
    radius = tree.radius_m
    size = min(0.3, 0.3 * radius) * (0.8 if conifer else 1.0)
    count = int(2.8 * (radius / size) ** 2) + 6
    boughs = int(12 + 2 * radius**2)
    reach = np.sqrt(rng.random(boughs)) * radius * (0.9 if conifer else 0.74)
    bearing = rng.random(boughs) * 2 * math.pi
    if conifer:
        arms = int(rng.integers(7, 11))
        bearing = np.round(bearing / (2 * math.pi) * arms) / arms * 2 * math.pi
    bough = np.stack([reach * np.cos(bearing), reach * np.sin(bearing)], axis=1)
    mine = rng.integers(boughs, size=count)
    offset = bough[mine] + rng.normal(0, 0.1 * radius if conifer else 0.18 * radius, (count, 2))
    far = np.minimum(np.hypot(*offset.T) / radius, 1.1)
    drop = 0.6 * far if conifer else 0.42 * far**2
    wave = rng.normal(0, 0.07 * radius, boughs)[mine] - 0.25 * size * rng.random(count)
    away = np.hypot(*(offset - bough[mine]).T)
    lift = tree.height_m * (1 - drop) + wave - 0.6 * away**2 / radius
    return tree.centre + offset, lift, size * rng.uniform(0.6, 1.25, count)


def _span(centre: float, radius: float, gsd: float, within: slice) -> slice:
    """Return the pixels of a patch that a disc covers along one axis."""
    size = within.stop - within.start
    low = math.floor((centre - radius) / gsd) - within.start
    high = math.ceil((centre + radius) / gsd) - within.start
    return slice(min(max(low, 0), size), min(max(high, 0), size))


def cover_plants(patch: Patch, cover: Array, colour: Colour, noise: Noise, layer: int) -> None:
    """Grow low ground cover: small leaves in cushions, 3 to 12 cm high."""
    cushion = noise.at("clump", patch.spot, layer)
    leaf = noise.at("grain", patch.spot, layer + 1) + noise.at("pebble", patch.spot, layer + 2)
    shade = 0.92 + 0.12 * cushion + 0.13 * leaf
    patch.paint(cover, np.asarray(colour, np.float32) * shade[..., None])
    patch.lift(cover, 0.1 + 0.03 * np.clip(cushion, -1.5, 2) + 0.008 * leaf)


def scatter_flowers(
    rng: np.random.Generator,
    patch: Patch,
    allowed: Array,
    count: int,
    radius_m: float,
    colours: tuple[Colour, ...] = FLOWERS,
) -> None:
    """Set flower heads in clusters of one colour where allowed."""
    rows, cols = np.nonzero(allowed > 0.9)
    if rows.size == 0:
        return
    cluster = max(1, count // 6)
    anchors = rng.integers(rows.size, size=cluster)
    for _ in range(count):
        anchor = anchors[int(rng.integers(cluster))]
        row = rows[anchor] + rng.normal(0, 0.16 / patch.canvas.gsd_m)
        col = cols[anchor] + rng.normal(0, 0.16 / patch.canvas.gsd_m)
        colour = colours[(int(anchor) + int(rng.random() < 0.15)) % len(colours)]
        _dot(
            patch,
            allowed,
            (row, col),
            radius_m * rng.uniform(0.6, 1.3),
            colour,
            rng.uniform(0.8, 1.1),
        )


def _dot(
    patch: Patch,
    allowed: Array,
    at: tuple[float, float],
    radius_m: float,
    colour: Colour,
    gain: float,
) -> None:
    reach = radius_m / patch.canvas.gsd_m
    height, width = allowed.shape
    top, left = max(0, int(at[0] - reach - 1)), max(0, int(at[1] - reach - 1))
    bottom, right = min(height, int(at[0] + reach + 2)), min(width, int(at[1] + reach + 2))
    if bottom <= top or right <= left:
        return
    dy, dx = np.mgrid[top:bottom, left:right].astype(np.float32)
    weight = np.clip(reach - np.hypot(dy - at[0], dx - at[1]) + 0.5, 0, 1)
    weight = (weight * allowed[top:bottom, left:right])[..., None]
    view = patch.rgb[top:bottom, left:right]
    mixed = view * (1 - weight) + np.asarray(colour, np.float32) * gain * weight
    view[...] = np.clip(mixed, 0, 255)


def leaf_colours(style: Style) -> tuple[Colour, ...]:
    """Return the greens (and seasonal browns) of low planting."""
    return (
        (74, 92, 60),
        (92, 110, 70),
        (112, 122, 84),
        (82, 100, 78),
        HEATHER[style.season],
        (104, 104, 78),
    )
