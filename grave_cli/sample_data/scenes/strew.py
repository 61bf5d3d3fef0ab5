"""Things strewn over a box: which kinds belong to a park, a yard, a garden, a building site."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import shapely

from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.clutter.registry import draw_thing
from grave_cli.sample_data.plan import Frame
from grave_cli.sample_data.scenes.plan import ScenePlan
from grave_cli.sample_data.sections import Box
from grave_cli.sample_data.variety.draw import choose

PARK: Mapping[str, float] = {
    "bench": 4,
    "bin": 1.5,
    "boulder": 3,
    "ring": 3,
    "flower bed": 4,
    "planter": 1.5,
    "person": 2,
    "bicycle": 0.5,
    "table": 1,
    "steps": 0.7,
    "rockery": 0.7,
    "lamp": 0.7,
    "manhole": 0.7,
    "table tennis": 0.4,
    "slab": 1.2,
    "sign": 0.4,
}
YARD: Mapping[str, float] = {
    "car": 2,
    "shed": 1.5,
    "pool": 0.7,
    "trampoline": 0.7,
    "table": 1,
    "canopy": 0.7,
    "raised bed": 1.5,
    "patch": 1,
    "bin": 1.2,
    "logs": 0.7,
    "pergola": 0.6,
    "boulder": 0.7,
    "sandpit": 0.4,
    "slab": 1,
    "greenhouse": 0.3,
    "planter": 1,
    "flower bed": 1,
}
PLOT: Mapping[str, float] = {
    "patch": 6,
    "raised bed": 4,
    "hut": 1.2,
    "shed": 1.5,
    "greenhouse": 0.8,
    "compost": 1,
    "heap": 0.6,
    "barrow": 0.4,
    "pool": 0.3,
    "bin": 0.5,
    "tools": 0.3,
    "flower bed": 1.2,
    "pergola": 0.4,
    "tarp": 0.6,
}
SITE: Mapping[str, float] = {
    "heap": 3,
    "pallet": 3,
    "pipes": 1.5,
    "container": 1.5,
    "digger": 0.8,
    "stack": 1.5,
    "tarp": 1.5,
    "toilet": 0.6,
    "fence": 1.5,
    "pit": 0.8,
    "trailer": 0.7,
    "van": 0.7,
    "person": 1,
    "barrow": 0.7,
    "slab": 0.8,
}
PLAY: Mapping[str, float] = {
    "sandpit": 2,
    "swing": 1.2,
    "slide": 1.2,
    "climber": 1,
    "table tennis": 1,
    "bench": 2,
    "bin": 0.7,
    "trampoline": 0.5,
    "goal": 0.5,
    "person": 2,
    "ring": 0.7,
    "boulder": 0.7,
}


def strew(
    rng: np.random.Generator,
    plan: ScenePlan,
    box: Box,
    site: Frame,
    kinds: Mapping[str, float],
    per_m2: float,
    loose: float = 0.5,
) -> None:
    """Put things into a box, none on top of another.

    Args:
        rng: Source of randomness.
        plan: Receives them.
        box: Where they may stand, in the frame of the site.
        site: That frame.
        kinds: Relative frequency of each kind.
        per_m2: Their mean number per square metre.
        loose: Share of things at any angle; the others stand square to the site.
    """
    left, top, right, bottom = box
    taken = [_footprint(thing.centre, thing.size) for thing in plan.things]
    for _ in range(min(150, int(rng.poisson(per_m2 * (right - left) * (bottom - top))))):
        spot = site.place(np.array([(rng.uniform(left, right), rng.uniform(top, bottom))]))[0]
        square = site.angle + int(rng.integers(4)) * math.pi / 2
        angle = float(rng.uniform(0, 2 * math.pi)) if rng.random() < loose else square
        thing = draw_thing(rng, choose(rng, kinds), spot, angle)
        place = _footprint(thing.centre, thing.size)
        if plan.fits(spot[None, :], 6) and not any(place.intersects(other) for other in taken):
            plan.things.append(thing)
            taken.append(place)


def _footprint(centre: Array, size: tuple[float, float]) -> shapely.Polygon:
    return shapely.Point(centre).buffer(math.hypot(*size) / 2, quad_segs=3)
