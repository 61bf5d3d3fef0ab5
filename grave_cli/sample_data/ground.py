"""Paints the ground: which surface lies where, and its texture."""

from __future__ import annotations

import numpy as np
import shapely
from affine import Affine
from rasterio import features

from grave_cli.sample_data.canvas import Array, Canvas, Colour, polygon_inside
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.plan import Plan
from grave_cli.sample_data.style import Style
from grave_cli.sample_data.surfaces import SURFACES, speckle

BAND_PX = 512
CODES = {name: code for code, name in enumerate(SURFACES)}


def paint_ground(canvas: Canvas, plan: Plan, noise: Noise) -> None:
    """Cover the whole canvas with the surfaces of the plan, frayed at their edges.

    Args:
        canvas: Receives the colours.
        plan: Its grounds, the lowest first.
        noise: Texture.
    """
    codes: Array = np.zeros(canvas.height.shape, np.uint8)
    pieces = [(shapely.Polygon(g.corners), CODES[g.surface]) for g in plan.grounds]
    features.rasterize(pieces, out=codes, transform=Affine.scale(canvas.gsd_m))
    for top in range(0, codes.shape[0], BAND_PX):
        _paint_band(canvas, codes, top, noise, plan.style)
    for ground in plan.grounds:
        if ground.edged:
            _paint_edging(canvas, ground.corners, noise)


def _paint_band(canvas: Canvas, codes: Array, top: int, noise: Noise, style: Style) -> None:
    band = canvas.rgb[top : top + BAND_PX]
    rows, cols = np.mgrid[top : top + band.shape[0], 0 : band.shape[1]]
    fray = 2.0 * noise.at("clump", (rows, cols), 20) + 0.9 * noise.at("pebble", (rows, cols), 21)
    moved_rows = np.clip(rows + fray.astype(int), 0, codes.shape[0] - 1)
    moved_cols = np.clip(cols - fray.astype(int), 0, codes.shape[1] - 1)
    local = codes[moved_rows, moved_cols]
    for name, painter in SURFACES.items():
        here = local == CODES[name]
        if here.any():
            band[here] = np.clip(painter(noise, (rows[here], cols[here]), style), 0, 255)


def _paint_edging(canvas: Canvas, corners: Array, noise: Noise) -> None:
    """Set a line of small stones along each side of a piece of ground."""
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = (end - start) / np.linalg.norm(end - start)
        across = np.array([-along[1], along[0]]) * 0.04
        strip = np.array([start - across, end - across, end + across, start + across])
        for piece in _pieces(strip, 1.0):
            patch = canvas.patch(piece)
            if patch is None:
                continue
            cover = patch.cover(polygon_inside(patch.x, patch.y, piece))
            shade = 142 + 9 * noise.at("pebble", patch.spot, 3)[..., None] + np.zeros(3)
            patch.paint(0.85 * cover, shade)
            patch.lift(cover, 0.03)


def _pieces(strip: Array, length_m: float) -> list[Array]:
    """Cut a long strip into stones, so that each is painted on a small patch."""
    count = max(1, int(float(np.linalg.norm(strip[1] - strip[0])) / length_m))
    step = (strip[1] - strip[0]) / count
    gap = step * (0.02 / max(0.1, float(np.linalg.norm(step))))
    return [
        np.array(
            [
                strip[0] + i * step,
                strip[0] + (i + 1) * step - gap,
                strip[3] + (i + 1) * step - gap,
                strip[3] + i * step,
            ]
        )
        for i in range(count)
    ]


def scatter_leaves(canvas: Canvas, noise: Noise, style: Style) -> None:
    """Drop fallen leaves in autumn: many under trees, some everywhere."""
    if style.season not in ("autumn", "late autumn"):
        return
    colours: tuple[Colour, ...] = ((156, 112, 52), (128, 82, 44), (170, 140, 70))
    for top in range(0, canvas.height.shape[0], BAND_PX):
        band = canvas.rgb[top : top + BAND_PX]
        spot = (np.arange(top, top + band.shape[0])[:, None], np.arange(band.shape[1])[None, :])
        density = 0.45 * noise.at("patch", spot, 15) + 0.55 * noise.at("broad", spot, 8)
        for layer, colour in enumerate(colours):
            leaf = noise.at("grain", spot, 16 + 2 * layer) + 0.5 * density > 2.75
            band[...] = np.clip(speckle(band, leaf, colour, 0.75), 0, 255)
