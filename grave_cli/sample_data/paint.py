"""Paints a planned cemetery: plan → picture with alpha, heights, visible graves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from scipy import ndimage

from grave_cli.sample_data.canvas import Array, Canvas, polygon_inside
from grave_cli.sample_data.graves import paint_grave
from grave_cli.sample_data.ground import BAND_PX, paint_ground, scatter_leaves
from grave_cli.sample_data.light import expose
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.plan import Grave, Plan
from grave_cli.sample_data.plants import paint_trees
from grave_cli.sample_data.things import paint_hedges, paint_thing

MOST_HIDDEN = 0.6
"""A grave hidden by crowns, or off the mosaic, by more than this share has no annotation."""


@dataclass(frozen=True)
class Picture:
    """One cemetery as the drone and the office have it.

    Args:
        rgba: The orthophoto.
        height: Metres above the ground.
        graves: The graves an office can outline.

    Shapes:
        rgba (H, W, 4) uint8; height (H, W) float32.
    """

    rgba: Array
    height: Array
    graves: list[Grave]


def paint_cemetery(rng: np.random.Generator, plan: Plan, gsd_m: float) -> Picture:
    """Paint one cemetery.

    Args:
        rng: Source of randomness; equal generators and plans give equal pixels.
        plan: Position of every object.
        gsd_m: Pixel edge on the ground in metres.
    """
    canvas, noise = Canvas.blank(plan.size_m, gsd_m), Noise(rng)
    paint_ground(canvas, plan, noise)
    low = ("plot", "bed", "slab", "line")
    for thing in sorted(plan.things, key=lambda thing: thing.kind not in low):
        paint_thing(rng, canvas, thing, noise, plan.style)
    for grave in plan.graves:
        paint_grave(rng, canvas, grave, noise, plan.style)
    scatter_leaves(canvas, noise, plan.style)
    paint_hedges(rng, canvas, plan, noise)
    paint_trees(rng, canvas, plan, noise)
    alpha = _mosaic_alpha(rng, canvas, noise)
    rgba = np.dstack([expose(rng, canvas, noise, plan.style), alpha])
    rgba[alpha == 0] = 0
    seen = [
        grave for grave in plan.graves if hidden_share(canvas, alpha, grave.corners) <= MOST_HIDDEN
    ]
    return Picture(rgba, canvas.height, seen)


def hidden_share(canvas: Canvas, alpha: Array, corners: Array) -> float:
    """Return the share of a grave that crowns hide or the mosaic does not hold.

    Args:
        canvas: The painted cemetery.
        alpha: 0 where the mosaic holds no imagery.
        corners: The grave's outline in metres.

    Shapes:
        alpha (H, W); corners (4, 2).
    """
    patch = canvas.patch(corners, 0.0)
    if patch is None:
        return 1.0
    inside = polygon_inside(patch.x, patch.y, corners) > 0
    lost = canvas.canopy[patch.rows, patch.cols] | (alpha[patch.rows, patch.cols] == 0)
    painted = np.count_nonzero(inside) * canvas.gsd_m**2
    unseen = np.count_nonzero(inside & lost) * canvas.gsd_m**2
    area = shapely.Polygon(corners).area
    return float((unseen + max(0.0, area - painted)) / area)


def _mosaic_alpha(rng: np.random.Generator, canvas: Canvas, noise: Noise) -> Array:
    """Return 255 inside an irregular mosaic edge, 0 outside.

    The edge bulges slowly and frays quickly, as where the last photos overlap too little.
    """
    edge, step = canvas.height.shape[0], 8
    position = (np.arange(0, edge + step, step) + 0.5) / edge * 2 - 1
    square = (np.abs(position[:, None]) ** 6 + np.abs(position[None, :]) ** 6) ** (1 / 6)
    slow = ndimage.zoom(rng.standard_normal((7, 7)), len(position) / 7, order=3, mode="nearest")
    slow = slow[: len(position), : len(position)]
    coarse = ndimage.zoom((square + 0.035 * slow).astype(np.float32), step, order=1)
    alpha = np.zeros((edge, edge), np.uint8)
    for top in range(0, edge, BAND_PX):
        rows = np.arange(top, min(top + BAND_PX, edge))
        spot = (rows[:, None], np.arange(edge)[None, :])
        fray = 0.006 * noise.at("patch", spot, 90) + 0.003 * noise.at("clump", spot, 91)
        alpha[rows] = (coarse[rows, :edge] + fray < 0.945) * 255
    return alpha
