"""The layout of one varied scene: plain values in metres, x to the right, y down."""

from __future__ import annotations

from dataclasses import dataclass, field

import shapely

from grave_cli.sample_data.canvas import Array, Colour
from grave_cli.sample_data.clutter.thing import Thing
from grave_cli.sample_data.plan import Hedge, Tree
from grave_cli.sample_data.tombs.tomb import Tomb


@dataclass(frozen=True)
class Area:
    """A piece of ground with one surface.

    Args:
        shape: Its outline.
        surface: Name of the surface that covers it.
        edging_m: Width of the edging stones around it, 0 without.
        edging: Their colour.
        depth_m: How far it lies below its surroundings, for water and beds.
    """

    shape: shapely.Polygon
    surface: str
    edging_m: float = 0.0
    edging: Colour = (150, 148, 142)
    depth_m: float = 0.0


@dataclass
class ScenePlan:
    """Everything in one scene, in the order it is painted.

    Args:
        size_m: Edge of the square in metres.
        areas: Grounds, the lowest first.
        tombs: Graves, outlined or not.
        things: Objects that are not graves.
        hedges: Hedges and walls.
        trees: Trees and shrubs.
    """

    size_m: float
    areas: list[Area] = field(default_factory=list)
    tombs: list[Tomb] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)
    hedges: list[Hedge] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)

    def fits(self, corners: Array, margin_m: float = 0.0) -> bool:
        """Return whether any part of a shape lies inside the scene."""
        low, high = corners.min(axis=0) - margin_m, corners.max(axis=0) + margin_m
        return bool((high > 0).all() and (low < self.size_m).all())
