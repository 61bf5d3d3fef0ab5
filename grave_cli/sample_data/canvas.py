"""The picture while it is painted: colours, heights above ground, tree crowns.

Sizes enter in metres, x to the right and y down from the upper left corner; pixels stay in here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Colour = tuple[float, float, float]
"""Red, green, blue in 0–255."""


@dataclass(frozen=True)
class Canvas:
    """Hold one cemetery on its pixel grid.

    Args:
        gsd_m: Pixel edge on the ground in metres.
        rgb: Colours under even light.
        height: Metres above the ground.
        canopy: True under a tree crown, where nothing below is visible.

    Shapes:
        rgb (H, W, 3) uint8; height (H, W) float32; canopy (H, W) bool.
    """

    gsd_m: float
    rgb: Array
    height: Array
    canopy: Array

    @classmethod
    def blank(cls, size_m: float, gsd_m: float) -> Canvas:
        """Return an empty square canvas of `size_m` metres."""
        edge = round(size_m / gsd_m)
        return cls(
            gsd_m,
            np.zeros((edge, edge, 3), np.uint8),
            np.zeros((edge, edge), np.float32),
            np.zeros((edge, edge), bool),
        )

    def patch(self, points_m: Array, margin_m: float = 0.1) -> Patch | None:
        """Return the part of the canvas around points, or None where they lie outside.

        Args:
            points_m: Positions x, y in metres.
            margin_m: Metres added on every side.

        Shapes:
            points_m (N, 2).
        """
        low = np.floor((np.min(points_m, axis=0) - margin_m) / self.gsd_m).astype(int)
        high = np.ceil((np.max(points_m, axis=0) + margin_m) / self.gsd_m).astype(int)
        left, top = np.maximum(low, 0)
        right, bottom = np.minimum(high, self.height.shape[::-1])
        if right <= left or bottom <= top:
            return None
        return Patch(self, slice(int(top), int(bottom)), slice(int(left), int(right)))


@dataclass(frozen=True)
class Patch:
    """A rectangle of the canvas that one object is painted on."""

    canvas: Canvas
    rows: slice
    cols: slice

    @property
    def spot(self) -> tuple[Array, Array]:
        """Row and column numbers, shaped (h, 1) and (1, w), for noise lookups."""
        return (
            np.arange(self.rows.start, self.rows.stop)[:, None],
            np.arange(self.cols.start, self.cols.stop)[None, :],
        )

    @property
    def x(self) -> Array:
        """Pixel centres in metres, (1, w)."""
        return (self.spot[1] + 0.5) * self.canvas.gsd_m

    @property
    def y(self) -> Array:
        """Pixel centres in metres, (h, 1)."""
        return (self.spot[0] + 0.5) * self.canvas.gsd_m

    @property
    def rgb(self) -> Array:
        """Colours of the patch, a view (h, w, 3)."""
        return self.canvas.rgb[self.rows, self.cols]

    @property
    def height(self) -> Array:
        """Heights of the patch, a view (h, w)."""
        return self.canvas.height[self.rows, self.cols]

    def local(self, centre: Array, angle: float) -> tuple[Array, Array]:
        """Return coordinates u, v in metres around `centre`, u turned by `angle` radians from x."""
        dx, dy = self.x - centre[0], self.y - centre[1]
        cos, sin = math.cos(angle), math.sin(angle)
        return dx * cos + dy * sin, dy * cos - dx * sin

    def cover(self, inside_m: Array) -> Array:
        """Turn a distance to the edge (metres, positive inside) into soft coverage 0–1."""
        return np.clip(inside_m / self.canvas.gsd_m + 0.5, 0.0, 1.0)

    def paint(self, cover: Array, colour: Array | Colour) -> None:
        """Lay a colour, one or per pixel, over the patch."""
        weight = np.asarray(cover, np.float32)[..., None]
        mixed = self.rgb * (1 - weight) + np.asarray(colour, np.float32) * weight
        self.rgb[...] = np.clip(mixed, 0, 255)

    def shade(self, cover: Array, factor: float) -> None:
        """Darken (or brighten) the patch."""
        self.paint(cover, self.rgb * np.float32(factor))

    def lift(self, cover: Array, height_m: Array | float) -> None:
        """Raise the surface to a height in metres where covered; nothing is lowered."""
        np.copyto(self.height, np.maximum(self.height, height_m), where=cover > 0.5)


def box_inside(u: Array, v: Array, size: tuple[float, float], radius: float = 0.0) -> Array:
    """Return metres to the edge of a (rounded) box at the origin, positive inside."""
    du = np.abs(u) - size[0] / 2 + radius
    dv = np.abs(v) - size[1] / 2 + radius
    outside = np.hypot(np.maximum(du, 0), np.maximum(dv, 0))
    return np.asarray(radius - outside - np.minimum(np.maximum(du, dv), 0))


def polygon_inside(x: Array, y: Array, corners: Array) -> Array:
    """Return the distance in metres to the nearest edge of a convex polygon, positive inside.

    Shapes:
        x (1, w); y (h, 1); corners (N, 2) -> (h, w).
    """
    following = np.roll(corners, -1, axis=0)
    edge = following - corners
    turn = np.sign(np.sum(corners[:, 0] * following[:, 1] - following[:, 0] * corners[:, 1]))
    length = np.hypot(edge[:, 0], edge[:, 1])
    distances = [
        turn * (ex * (y - py) - ey * (x - px)) / size
        for (px, py), (ex, ey), size in zip(corners, edge, length, strict=True)
    ]
    return np.asarray(np.minimum.reduce(distances))
