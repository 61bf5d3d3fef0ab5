"""One grave of a varied scene: its outline, parts and materials."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import shapely

from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.texture.palettes import Stone

TombKind = Literal["single", "double", "urn", "child", "family"]
TombStatus = Literal["occupied", "neglected", "new"]
BorderKind = Literal["stone", "none", "hedge", "metal", "pebbles", "fence"]
FillingKind = Literal[
    "planted",
    "covered",
    "slab",
    "half slab",
    "pebbles",
    "mulch",
    "lawn",
    "soil",
    "ledger",
    "roof slab",
    "plot",
    "mound",
    "frame",
]
HeadKind = Literal["none", "block", "stele", "cross", "iron cross", "boulder", "pillow", "obelisk"]


@dataclass(frozen=True)
class Tomb:
    """One grave of a varied scene.

    Args:
        corners: Head left, head right, foot right, foot left, at the outer edge of border or bed.
        kind: Kind of plot.
        status: State of care.
        outlined: Whether it belongs to the ground truth; headstones in a lawn may not.
        border: Kind of border.
        rim_m: Width of the border in metres.
        rim_height_m: Height of the border in metres.
        filling: Ground cover within the border.
        head: Stone or cross at its head.
        stone: Stone of border and slab.
        head_stone: Stone of the head.
        lift_m: Height of slab or bed above the ground in metres.
        gifts: Mean number of lanterns, vases and shrubs.
        overgrown: 0–1, how much the planting has spread over everything.
        row: Its section and its row in the section; None if unknown.

    Shapes:
        corners (4, 2).
    """

    corners: Array
    kind: TombKind
    status: TombStatus
    outlined: bool
    border: BorderKind
    rim_m: float
    rim_height_m: float
    filling: FillingKind
    head: HeadKind
    stone: Stone
    head_stone: Stone
    lift_m: float
    gifts: float
    overgrown: float
    row: tuple[int, int] | None = None

    @property
    def outline(self) -> shapely.Polygon:
        """The polygon an office would draw."""
        return shapely.Polygon(self.corners)

    def placed(self, corners: Array) -> Tomb:
        """Return the same grave somewhere else."""
        return replace(self, corners=np.asarray(corners, float))
