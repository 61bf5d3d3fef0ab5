"""Every kind of thing: its painter, its size and its height."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from grave_cli.sample_data.canvas import Array, Canvas
from grave_cli.sample_data.clutter import (
    buildings,
    furniture,
    gardens,
    people,
    play,
    vehicles,
    works,
)
from grave_cli.sample_data.clutter.thing import Thing
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.site import Site, open_site
from grave_cli.sample_data.texture.look import Look

Range = tuple[float, float]


@dataclass(frozen=True)
class Kind:
    """One kind of thing.

    Args:
        paint: Its painter.
        width_m: Range of its width.
        depth_m: Range of its depth.
        height_m: Greatest height, which bounds how far it leans.
        flat: Whether it lies under graves and other things.
    """

    paint: Callable[[np.random.Generator, Site], None]
    width_m: Range
    depth_m: Range
    height_m: float
    flat: bool = False


KINDS: dict[str, Kind] = {
    "car": Kind(vehicles.car, (1.65, 1.95), (3.6, 4.9), 1.5),
    "van": Kind(vehicles.van, (1.9, 2.2), (4.8, 6.2), 2.2),
    "trailer": Kind(vehicles.trailer, (1.2, 1.7), (1.8, 3.2), 1.0),
    "bicycle": Kind(vehicles.bicycle, (0.6, 0.6), (1.7, 1.7), 1.0),
    "digger": Kind(vehicles.digger, (1.4, 1.4), (4.6, 4.6), 2.3),
    "container": Kind(vehicles.container, (1.4, 2.5), (2.0, 6.2), 2.5),
    "bench": Kind(furniture.bench, (1.4, 2.2), (0.4, 0.55), 0.9),
    "table": Kind(furniture.table, (1.6, 2.2), (1.6, 1.6), 0.8),
    "bin": Kind(furniture.bin_, (0.4, 0.75), (0.45, 0.8), 1.2),
    "tap": Kind(furniture.tap, (0.7, 1.6), (0.5, 0.9), 1.1),
    "cans": Kind(furniture.cans, (1.2, 2.6), (0.5, 0.5), 0.9),
    "lamp": Kind(furniture.lamp, (0.4, 0.4), (0.4, 0.4), 5.0),
    "planter": Kind(furniture.planter, (0.6, 1.6), (0.5, 1.0), 0.9),
    "barrow": Kind(furniture.barrow, (0.7, 0.7), (1.6, 1.6), 0.6),
    "tools": Kind(furniture.tools, (1.2, 1.2), (1.8, 1.8), 0.1),
    "manhole": Kind(furniture.manhole, (0.65, 0.65), (0.65, 0.65), 0.0, flat=True),
    "slab": Kind(furniture.slab, (0.5, 2.0), (0.4, 1.2), 0.1, flat=True),
    "steps": Kind(furniture.steps, (0.5, 0.5), (2.0, 5.0), 0.1, flat=True),
    "marking": Kind(furniture.marking, (0.1, 0.12), (4.5, 5.0), 0.0, flat=True),
    "sign": Kind(furniture.sign, (0.9, 1.6), (0.3, 0.3), 2.0),
    "tile roof": Kind(buildings.tile_roof, (6.0, 14.0), (5.0, 10.0), 9.0),
    "flat roof": Kind(buildings.flat_roof, (3.0, 12.0), (3.0, 9.0), 6.0),
    "tin roof": Kind(buildings.tin_roof, (2.0, 10.0), (2.0, 7.0), 5.0),
    "shed": Kind(buildings.tin_roof, (1.4, 3.0), (1.2, 2.6), 4.0),
    "hut": Kind(buildings.tile_roof, (2.0, 4.0), (1.8, 3.4), 4.0),
    "chapel": Kind(buildings.chapel, (7.0, 12.0), (5.0, 8.0), 9.0),
    "tomb chapel": Kind(buildings.tomb_chapel, (1.6, 2.6), (1.8, 3.0), 3.5),
    "columbarium": Kind(buildings.columbarium, (2.0, 7.0), (0.4, 0.9), 2.1),
    "pergola": Kind(buildings.pergola, (2.5, 7.0), (2.0, 3.5), 2.6),
    "greenhouse": Kind(buildings.greenhouse, (2.0, 5.0), (1.8, 3.0), 2.4),
    "canopy": Kind(buildings.canopy, (2.0, 3.5), (2.0, 3.5), 3.5),
    "flower bed": Kind(gardens.flower_bed, (0.9, 3.5), (0.7, 2.4), 0.4),
    "ring": Kind(gardens.ring, (0.8, 2.4), (0.8, 2.4), 0.4),
    "boulder": Kind(gardens.boulder, (0.35, 1.3), (0.3, 1.0), 0.9),
    "raised bed": Kind(gardens.raised_bed, (0.8, 1.4), (1.2, 3.0), 0.9),
    "patch": Kind(gardens.patch, (1.0, 4.0), (1.5, 6.0), 0.3, flat=True),
    "trace": Kind(gardens.trace, (0.7, 1.2), (1.6, 2.2), 0.0, flat=True),
    "heap": Kind(gardens.heap, (1.2, 4.5), (1.0, 3.5), 1.6),
    "compost": Kind(gardens.compost, (1.0, 2.4), (1.0, 2.4), 1.1),
    "logs": Kind(gardens.logs, (1.0, 2.6), (0.6, 1.6), 0.9),
    "rockery": Kind(gardens.rockery, (1.2, 4.0), (0.8, 2.5), 0.4),
    "person": Kind(people.person, (0.6, 0.6), (0.6, 0.6), 1.7),
    "group": Kind(people.group, (2.0, 4.0), (1.5, 3.0), 1.7),
    "pallet": Kind(works.pallet, (0.8, 1.2), (1.0, 1.2), 1.2),
    "stack": Kind(works.stack, (1.2, 2.6), (1.2, 2.6), 0.6),
    "pipes": Kind(works.pipes, (0.5, 1.6), (2.0, 5.0), 0.5),
    "tarp": Kind(works.tarp, (0.9, 3.5), (1.2, 4.0), 0.5),
    "pit": Kind(works.pit, (0.8, 1.2), (1.9, 2.4), 0.1),
    "toilet": Kind(works.toilet, (1.1, 1.1), (1.1, 1.1), 2.3),
    "fence": Kind(works.fence, (3.4, 10.2), (0.7, 0.7), 1.8),
    "sandpit": Kind(play.sandpit, (1.2, 4.0), (1.2, 4.0), 0.3),
    "trampoline": Kind(play.trampoline, (2.0, 4.0), (2.0, 4.0), 0.9),
    "slide": Kind(play.slide, (1.6, 1.6), (6.4, 6.4), 2.5),
    "swing": Kind(play.swing, (3.4, 3.4), (2.0, 2.0), 2.2),
    "climber": Kind(play.climber, (2.0, 4.0), (2.0, 4.0), 1.8),
    "pool": Kind(play.pool, (1.5, 7.0), (1.5, 4.0), 1.1),
    "goal": Kind(play.goal, (2.4, 5.0), (2.2, 2.2), 2.0),
    "table tennis": Kind(play.table_tennis, (1.6, 1.6), (2.8, 2.8), 0.8),
}
"""Every kind of thing by name."""


def draw_thing(rng: np.random.Generator, kind: str, centre: Array, angle: float) -> Thing:
    """Return a thing of a kind with a size of its own.

    Args:
        rng: Source of randomness.
        kind: A name in `KINDS`.
        centre: Its middle in metres.
        angle: Direction of its width in radians from x.
    """
    entry = KINDS[kind]
    size = (float(rng.uniform(*entry.width_m)), float(rng.uniform(*entry.depth_m)))
    return Thing(kind, np.asarray(centre, float), size, angle)


def paint_thing(
    rng: np.random.Generator, canvas: Canvas, thing: Thing, noise: Noise, look: Look
) -> None:
    """Paint one thing.

    Args:
        rng: Source of randomness.
        canvas: Receives colours and heights.
        thing: The object.
        noise: Texture fields.
        look: Surfaces and colours of the scene.
    """
    kind = KINDS[thing.kind]
    site = open_site(canvas, thing.centre, thing.angle, thing.size, kind.height_m, noise, look)
    if site is not None:
        kind.paint(rng, site)
