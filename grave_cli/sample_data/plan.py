"""The layout of one sample cemetery: plain values in metres, x to the right, y down."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.style import Style, Surface

GraveKind = Literal["single", "double", "urn", "child"]
GraveStatus = Literal["occupied", "neglected", "new"]
ThingKind = Literal[
    "bench", "car", "chapel", "shed", "compost", "tap", "bed", "plot", "bin", "slab", "line"
]
TreeKind = Literal["broadleaf", "conifer", "shrub"]


@dataclass(frozen=True)
class Grave:
    """One grave, outlined at the outer edge of its curb.

    Args:
        corners: Head left, head right, foot right, foot left.
        kind: Kind of plot.
        status: State of care.
        row: Its section and its row in the section; None if unknown.

    Shapes:
        corners (4, 2).
    """

    corners: Array
    kind: GraveKind
    status: GraveStatus
    row: tuple[int, int] | None = None


@dataclass(frozen=True)
class Ground:
    """A convex piece of ground with one surface.

    Args:
        corners: Its outline.
        surface: Its surface.
        edged: Whether edging stones run around it.
    """

    corners: Array
    surface: Surface
    edged: bool = False


@dataclass(frozen=True)
class Thing:
    """An object that is not a grave.

    Args:
        kind: Kind of object.
        centre: Its middle.
        size: Width (along `angle`) and depth in metres.
        angle: Direction of its width in radians from x.
    """

    kind: ThingKind
    centre: Array
    size: tuple[float, float]
    angle: float


@dataclass(frozen=True)
class Hedge:
    """A straight hedge or wall.

    Args:
        start: One end.
        end: The other end.
        width_m: Thickness in metres.
        height_m: Height in metres.
        wall: Whether it is made of stone.
    """

    start: Array
    end: Array
    width_m: float
    height_m: float
    wall: bool = False


@dataclass(frozen=True)
class Tree:
    """A tree or shrub.

    Args:
        centre: Position of the stem.
        radius_m: Radius of the crown in metres.
        height_m: Height of its top in metres.
        kind: How the crown looks.
    """

    centre: Array
    radius_m: float
    height_m: float
    kind: TreeKind


@dataclass
class Plan:
    """Everything in one cemetery, in the order it is painted."""

    size_m: float
    style: Style
    grounds: list[Ground] = field(default_factory=list)
    graves: list[Grave] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)
    hedges: list[Hedge] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)


@dataclass(frozen=True)
class Frame:
    """A turned and slightly bent coordinate system: u along the rows, v across them.

    Args:
        origin: Where u = v = 0 lies, in metres.
        angle: Direction of u in radians from x.
        bend: Curvature of the rows, v += bend · (u² − 8), per metre.
    """

    origin: Array
    angle: float
    bend: float = 0.0

    def place(self, points: Array) -> Array:
        """Turn (u, v) into (x, y).

        Shapes:
            points (N, 2) -> (N, 2).
        """
        u, v = np.asarray(points, float).T
        v = v + self.bend * (u * u - 8.0)
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return np.stack([u * cos - v * sin, u * sin + v * cos], axis=1) + self.origin

    def box(self, left: float, top: float, right: float, bottom: float) -> Array:
        """Return the four corners of a box given in u and v."""
        return self.place(np.array([(left, top), (right, top), (right, bottom), (left, bottom)]))
