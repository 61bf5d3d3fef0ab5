"""A place on the canvas where one object is built: local coordinates, colours, heights."""

from __future__ import annotations

import numpy as np

from grave_cli.sample_data.canvas import Array, Canvas, Colour, Patch, box_inside
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.texture.look import Look


class Site:
    """A place on the canvas where one object is built, with coordinates u and v around its middle.

    Heights seen from above lean away from the middle of the photo: `rise` paints a block from its
    foot to its top, so that a side shows.

    Args:
        patch: Part of the canvas around the object.
        centre: Its middle in metres.
        angle: Direction of u in radians from x.
        size: Width along u and depth along v in metres.
        noise: Texture fields.
        look: Surfaces and colours of the scene.
    """

    def __init__(
        self,
        patch: Patch,
        centre: Array,
        angle: float,
        size: tuple[float, float],
        noise: Noise,
        look: Look,
    ) -> None:
        self.patch, self.noise, self.look = patch, noise, look
        self.size, self.centre, self.angle = size, centre, angle
        self.lean = look.lean(centre)
        self.u, self.v = patch.local(centre, angle)

    def at(self, height_m: float) -> tuple[Array, Array]:
        """Return u and v for a point at a height."""
        return self.patch.local(self.centre + self.lean * height_m, self.angle)

    def box(
        self,
        size: tuple[float, float],
        radius: float = 0.0,
        shift: tuple[float, float] = (0.0, 0.0),
        height_m: float = 0.0,
    ) -> Array:
        """Return coverage of a box around the middle, as seen at a height."""
        u, v = self.at(height_m)
        return self.patch.cover(box_inside(u - shift[0], v - shift[1], size, radius))

    def disc(
        self, radius: float, shift: tuple[float, float] = (0.0, 0.0), height_m: float = 0.0
    ) -> Array:
        """Return coverage of a disc around the middle, as seen at a height."""
        u, v = self.at(height_m)
        return self.patch.cover(radius - np.hypot(u - shift[0], v - shift[1]))

    def build(self, cover: Array, colour: Array | Colour, height: Array | float) -> None:
        """Paint and lift at once."""
        self.patch.paint(cover, colour)
        self.patch.lift(cover, height)

    def rise(
        self,
        size: tuple[float, float],
        colour: Array | Colour,
        height: float,
        radius: float = 0.0,
        shift: tuple[float, float] = (0.0, 0.0),
        base: float = 0.0,
    ) -> Array:
        """Build an upright block with its leaning sides and return the coverage of its top."""
        away = float(np.hypot(*self.lean)) * (height - base)
        steps = min(8, int(away / self.patch.canvas.gsd_m) + 1)
        side = np.asarray(colour, np.float32) * 0.62
        for part in np.linspace(0, 1, steps, endpoint=False):
            low = base + part * (height - base)
            cover = self.box(size, radius, shift, low)
            self.build(cover, side, low)
        top = self.box(size, radius, shift, height)
        self.build(top, colour, height)
        return top

    def field(self, name: str, layer: int) -> Array:
        """Return a texture field over the patch."""
        return self.noise.at(name, self.patch.spot, layer)

    def ground(self, name: str) -> Array:
        """Return a surface of the scene over the patch, (h, w, 3)."""
        return self.look.ground(name, self.noise, self.patch.spot)


def open_site(
    canvas: Canvas,
    centre: Array,
    angle: float,
    size: tuple[float, float],
    height_m: float,
    noise: Noise,
    look: Look,
) -> Site | None:
    """Return the place of an object with room for its leaning top, or None outside the canvas.

    Args:
        canvas: Receives colours and heights.
        centre: Middle of the object in metres.
        angle: Direction of its width in radians from x.
        size: Width and depth in metres.
        height_m: Height of its highest point in metres.
        noise: Texture fields.
        look: Surfaces and colours of the scene.
    """
    top = centre + look.lean(centre) * height_m
    patch = canvas.patch(np.array([centre, top]), float(np.hypot(*size)) / 2 + 0.15)
    return None if patch is None else Site(patch, centre, angle, size, noise, look)
