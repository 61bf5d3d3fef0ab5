"""Plans a varied scene: a cemetery and its surroundings, or ground without graves."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import shapely

from grave_cli.sample_data.clutter.registry import draw_thing
from grave_cli.sample_data.plan import Frame, Hedge
from grave_cli.sample_data.scenes.plan import Area, ScenePlan
from grave_cli.sample_data.scenes.sections import Section, fill_section
from grave_cli.sample_data.scenes.strew import PARK, strew
from grave_cli.sample_data.scenes.surroundings import BUILDERS, lay_path
from grave_cli.sample_data.sections import Box, split_boxes
from grave_cli.sample_data.texture.look import Look
from grave_cli.sample_data.tombs.tomb import Tomb
from grave_cli.sample_data.variety.draw import choose
from grave_cli.sample_data.variety.settings import Variety

PATHS: Mapping[str, float] = {
    "gravel": 3,
    "asphalt": 2.5,
    "grit": 2.5,
    "paving": 2,
    "slabs": 1,
    "lawn": 1.5,
    "cobbles": 0.7,
    "concrete": 1,
    "soil": 0.7,
    "sand": 0.5,
}
ALONG_PATHS: Mapping[str, float] = {
    "bench": 5,
    "tap": 3,
    "bin": 2,
    "cans": 1.5,
    "planter": 1.5,
    "slab": 1.5,
    "barrow": 0.7,
    "tools": 0.6,
    "person": 2.5,
    "group": 0.4,
    "compost": 1.2,
    "sign": 0.5,
    "lamp": 0.4,
    "manhole": 0.7,
    "boulder": 0.7,
    "bicycle": 0.4,
    "stack": 0.6,
    "heap": 0.5,
    "container": 0.4,
    "trailer": 0.3,
    "digger": 0.15,
    "car": 0.4,
    "columbarium": 0.3,
    "pallet": 0.3,
    "tarp": 0.3,
}
OUTSIDE: Mapping[str, float] = {
    "lawn": 3,
    "street": 3,
    "village": 2,
    "park": 2,
    "car park": 1.5,
    "allotments": 1.5,
    "wood": 1.2,
    "works": 0.6,
    "playground": 0.6,
}
SPECIAL: Mapping[str, float] = {
    "garden": 3,
    "chapel": 1.2,
    "columbarium": 1,
    "store": 1.2,
    "tomb chapels": 0.6,
}
"""Uses of a section without graves, by relative frequency."""


def plan_scene(rng: np.random.Generator, size_m: float, variety: Variety, look: Look) -> ScenePlan:
    """Plan one scene.

    Args:
        rng: Source of randomness; equal generators give equal plans.
        size_m: Edge of the square in metres.
        variety: Settings of the scene.
        look: Stones of the scene.
    """
    plan = ScenePlan(size_m)
    square = rng.random() < 0.3
    angle = float(rng.normal(0, 0.05)) if square else float(rng.uniform(0, 2 * math.pi))
    shift = rng.uniform(-0.15, 0.15, 2) * size_m
    site = Frame(np.array([size_m / 2, size_m / 2]) + shift, angle)
    far = size_m * 1.1
    plan.areas.append(Area(shapely.Polygon(site.box(-far, -far, far, far)), "meadow"))
    if variety.scene == "cemetery":
        _plan_cemetery(rng, plan, site, variety, look)
    else:
        _plan_ground(rng, plan, site, variety)
    plan.tombs = _clear(plan)
    return plan


def _plan_ground(rng: np.random.Generator, plan: ScenePlan, site: Frame, variety: Variety) -> None:
    """Cover the scene with one kind of ground, and a strip of another beside it."""
    far = plan.size_m * 0.95
    edge = float(rng.uniform(-0.6, 0.9)) * plan.size_m / 2 if rng.random() < 0.6 else far
    BUILDERS[variety.scene](rng, plan, (-far, -far, edge, far), site)
    if edge < far:
        BUILDERS[choose(rng, OUTSIDE)](rng, plan, (edge, -far, far, far), site)


def _plan_cemetery(
    rng: np.random.Generator, plan: ScenePlan, site: Frame, variety: Variety, look: Look
) -> None:
    half = plan.size_m * variety.order.yard_share / 2
    half_v = half * float(rng.uniform(0.7, 1.0))
    yard: Box = (-half, -half_v, half, half_v)
    _surround(rng, plan, yard, site)
    plan.areas.append(Area(shapely.Polygon(site.box(*yard)), choose(rng, PATHS)))
    top = yard[1] + 0.5
    if "family" in variety.habits and rng.random() < 0.6:
        strip = Section((yard[0] + 0.5, top, yard[2] - 0.5, top + 3.4), site, "family")
        fill_section(rng, plan, strip, variety, look)
        top += 3.4 + variety.order.path_m
    inner = (yard[0] + 0.5, top, yard[2] - 0.5, yard[3] - 0.5)
    boxes = split_boxes(rng, inner, variety.order.section_m, variety.order.path_m)
    for number, box in enumerate(boxes):
        if len(boxes) > 2 and number and rng.random() < 0.03 + 0.1 * variety.care.clutter:
            _add_special(rng, plan, box, site)
        else:
            habits = variety.habits
            habit = habits[0] if number == 0 else habits[int(rng.integers(len(habits)))]
            fill_section(rng, plan, Section(box, site, habit), variety, look)
        _furnish(rng, plan, box, site, variety)
    if rng.random() < 0.15:
        path = lay_path(rng, plan, inner, site, choose(rng, PATHS), variety.order.path_m)
        plan.tombs = [tomb for tomb in plan.tombs if not tomb.outline.intersects(path)]
        plan.hedges = [
            hedge
            for hedge in plan.hedges
            if not shapely.LineString([hedge.start, hedge.end]).intersects(path)
        ]


def _surround(rng: np.random.Generator, plan: ScenePlan, yard: Box, site: Frame) -> None:
    """Put other ground, and a hedge or wall, around the yard."""
    left, top, right, bottom = yard
    far, gap = plan.size_m * 1.05, float(rng.uniform(0.5, 2.5))
    sides: list[Box] = [
        (-far, -far, far, top - gap),
        (-far, bottom + gap, far, far),
        (-far, top, left - gap, bottom),
        (right + gap, top, far, bottom),
    ]
    for side in sides:
        if min(side[2] - side[0], side[3] - side[1]) > 1 and plan.fits(site.box(*side)):
            near = _narrowed(side, yard, 9.0)
            BUILDERS[choose(rng, OUTSIDE)](rng, plan, near, site)
    _enclose(rng, plan, yard, site)


def _narrowed(side: Box, yard: Box, most_m: float) -> Box:
    """Return the part of a strip that lies within `most_m` of the yard."""
    left, top, right, bottom = side
    return (
        max(left, yard[0] - most_m - 6),
        max(top, yard[1] - most_m),
        min(right, yard[2] + most_m + 6),
        min(bottom, yard[3] + most_m),
    )


def _enclose(rng: np.random.Generator, plan: ScenePlan, yard: Box, site: Frame) -> None:
    chance = rng.random()
    if chance < 0.25:
        return
    corners, wall = site.box(*yard), bool(chance < 0.6)
    width = float(rng.uniform(0.25, 0.6) if wall else rng.uniform(0.5, 1.4))
    height = float(rng.uniform(0.8, 2.4))
    for side in range(4):
        start, end = corners[side], corners[(side + 1) % 4]
        gate = start + (end - start) * rng.uniform(0.3, 0.7)
        step = (end - start) / np.linalg.norm(end - start) * rng.uniform(0.8, 2.0)
        plan.hedges.append(Hedge(start, gate - step, width, height, wall))
        plan.hedges.append(Hedge(gate + step, end, width, height, wall))


def _add_special(rng: np.random.Generator, plan: ScenePlan, box: Box, site: Frame) -> None:
    """Add a section that holds no graves: a garden, a chapel, urn walls, a store."""
    left, top, right, bottom = box
    kind = choose(rng, SPECIAL)
    middle = site.place(np.array([((left + right) / 2, (top + bottom) / 2)]))[0]
    if kind == "garden":
        plan.areas.append(Area(shapely.Polygon(site.box(*box)), "lawn", 0.08))
        strew(rng, plan, box, site, PARK, 0.06, loose=0.4)
    elif kind == "chapel" and min(right - left, bottom - top) > 9:
        plan.areas.append(Area(shapely.Polygon(site.box(*box)), choose(rng, PATHS)))
        plan.things.append(draw_thing(rng, "chapel", middle, site.angle))
    elif kind == "columbarium":
        plan.areas.append(Area(shapely.Polygon(site.box(*box)), choose(rng, PATHS)))
        strew(rng, plan, box, site, {"columbarium": 5, "planter": 2, "bench": 2}, 0.05, loose=0.0)
    elif kind == "tomb chapels":
        plan.areas.append(Area(shapely.Polygon(site.box(*box)), choose(rng, PATHS)))
        strew(rng, plan, box, site, {"tomb chapel": 5, "planter": 1}, 0.06, loose=0.0)
    else:
        plan.areas.append(Area(shapely.Polygon(site.box(*box)), "grit"))
        store = {"shed": 3, "hut": 1, "compost": 3, "heap": 2, "stack": 2, "container": 1}
        strew(rng, plan, box, site, {**store, "trailer": 1, "pallet": 1, "logs": 1}, 0.06, 0.3)


def _furnish(
    rng: np.random.Generator, plan: ScenePlan, box: Box, site: Frame, variety: Variety
) -> None:
    """Put benches, taps, people and tools on the path along one side of a section."""
    left, top, right, _ = box
    for _ in range(int(rng.poisson(1.6 * variety.care.clutter))):
        beside = variety.order.path_m / 2 * float(rng.uniform(0.3, 1.0))
        spot = site.place(np.array([(rng.uniform(left, right), top - beside)]))[0]
        angle = site.angle + int(rng.integers(4)) * math.pi / 2 + float(rng.normal(0, 0.1))
        thing = draw_thing(rng, choose(rng, ALONG_PATHS), spot, angle)
        if plan.fits(spot[None, :], 4):
            plan.things.append(thing)


def _clear(plan: ScenePlan) -> list[Tomb]:
    """Return the graves on which no hedge, wall or thing stands."""
    solid = [
        shapely.LineString([hedge.start, hedge.end]).buffer(hedge.width_m / 2 + 0.08)
        for hedge in plan.hedges
    ]
    for thing in plan.things:
        if thing.kind != "trace":
            frame = Frame(thing.centre, thing.angle)
            half = thing.size[0] / 2 + 0.1, thing.size[1] / 2 + 0.1
            solid.append(shapely.Polygon(frame.box(-half[0], -half[1], half[0], half[1])))
    tree = shapely.STRtree(solid)
    return [t for t in plan.tombs if tree.query(t.outline, predicate="intersects").size == 0]
