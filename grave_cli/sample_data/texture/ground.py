"""Paints the ground of a varied scene: areas → colours, frayed where surfaces meet."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import shapely
from affine import Affine
from rasterio import features

from grave_cli.sample_data.canvas import Array, Canvas, Colour
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.texture.look import Look

BAND_PX = 384
KEPT = ""
"""Stands for ground that no area covers."""
FRAY_M = 0.03
"""How far the border between two surfaces wanders: standard deviation in metres."""


class Area(Protocol):
    """A piece of ground, as in the plan of a scene."""

    @property
    def shape(self) -> shapely.Polygon:
        """Its outline in metres."""

    @property
    def surface(self) -> str:
        """Name of the surface."""

    @property
    def edging_m(self) -> float:
        """Width of the edging stones in metres, 0 without."""

    @property
    def edging(self) -> Colour:
        """Colour of the edging stones."""

    @property
    def depth_m(self) -> float:
        """How far it lies below its surroundings in metres."""


def paint_areas(canvas: Canvas, areas: Sequence[Area], noise: Noise, look: Look) -> None:
    """Cover the canvas with the surfaces of the areas; later ones lie on top.

    Pixels outside all areas keep their colours.

    Args:
        canvas: Receives colours and heights.
        areas: Grounds, the lowest first.
        noise: Texture fields.
        look: Surfaces by name.
    """
    if not areas:
        return
    names = [KEPT, *sorted({area.surface for area in areas})]
    codes = _burn(canvas, [(area.shape, names.index(area.surface)) for area in areas])
    for top in range(0, codes.shape[0], BAND_PX):
        _paint_band(canvas, codes, names, top, noise, look)
    _dig(canvas, areas)
    for area in areas:
        if area.edging_m > 0:
            _paint_edging(canvas, area, noise)


def _burn(canvas: Canvas, shapes: list[tuple[shapely.Polygon, int]]) -> Array:
    codes: Array = np.zeros(canvas.height.shape, np.uint8)
    features.rasterize(shapes, out=codes, transform=Affine.scale(canvas.gsd_m))
    return codes


def _paint_band(
    canvas: Canvas, codes: Array, names: list[str], top: int, noise: Noise, look: Look
) -> None:
    """Paint some rows; a surface that covers most of them is painted at once, which is faster."""
    band = canvas.rgb[top : top + BAND_PX]
    rows = np.arange(top, top + band.shape[0])[:, None]
    cols = np.arange(band.shape[1])[None, :]
    moved = _frayed(codes, rows, cols, noise, canvas.gsd_m)
    counts = np.bincount(moved.ravel(), minlength=len(names))
    most = int(counts.argmax()) if counts[0] == 0 else 0
    if most:
        band[...] = np.clip(look.ground(names[most], noise, (rows, cols)), 0, 255)
    for code in np.nonzero(counts)[0]:
        if code and code != most:
            here_rows, here_cols = np.nonzero(moved == code)
            spot = (here_rows + top, here_cols)
            band[here_rows, here_cols] = np.clip(look.ground(names[code], noise, spot), 0, 255)


def _frayed(codes: Array, rows: Array, cols: Array, noise: Noise, gsd_m: float) -> Array:
    amount = FRAY_M / gsd_m
    fray = noise.at("patch", (rows, cols), 20) + 0.5 * noise.at("clump", (rows, cols), 21)
    step = np.rint(fray * amount).astype(np.int32)
    moved_rows = np.clip(rows + step, 0, codes.shape[0] - 1)
    moved_cols = np.clip(cols - step, 0, codes.shape[1] - 1)
    return np.asarray(codes[moved_rows, moved_cols])


def _dig(canvas: Canvas, areas: Sequence[Area]) -> None:
    """Lower the sunken areas; nothing stands on the ground yet."""
    for area in areas:
        if area.depth_m > 0:
            inside = _burn(canvas, [(area.shape, 1)])
            canvas.height[inside == 1] = -area.depth_m


def _paint_edging(canvas: Canvas, area: Area, noise: Noise) -> None:
    """Lay stones along the outline of an area, in pieces so that each patch stays small."""
    ring = np.asarray(area.shape.exterior.coords)
    for start, end in itertools.pairwise(ring):
        count = max(1, round(float(np.linalg.norm(end - start)) / 2.0))
        posts = np.linspace(start, end, count + 1)
        for left, right in itertools.pairwise(posts):
            _paint_stones(canvas, left, right, area, noise)


def _paint_stones(canvas: Canvas, start: Array, end: Array, area: Area, noise: Noise) -> None:
    patch = canvas.patch(np.array([start, end]), area.edging_m)
    if patch is None:
        return
    along = (end - start) / max(1e-6, float(np.linalg.norm(end - start)))
    dx, dy = patch.x - start[0], patch.y - start[1]
    u, v = dx * along[0] + dy * along[1], dy * along[0] - dx * along[1]
    length = float(np.linalg.norm(end - start))
    inside = np.minimum(area.edging_m / 2 - np.abs(v), length / 2 - np.abs(u - length / 2))
    joint = np.abs(u - np.round(u / 0.5) * 0.5) < 0.012
    cover = patch.cover(inside)
    speck = 7 * noise.at("pebble", patch.spot, 3) - 25 * joint
    patch.paint(cover, np.asarray(area.edging, np.float32) + speck[..., None])
    patch.lift(cover, 0.04)
