"""Ground without graves, box by box: park, car park, houses, allotments, water, works, wood."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import shapely

from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.clutter.registry import draw_thing
from grave_cli.sample_data.plan import Frame, Hedge
from grave_cli.sample_data.scenes.plan import Area, ScenePlan
from grave_cli.sample_data.scenes.sections import draw_shrub, draw_tree, scatter_trees
from grave_cli.sample_data.scenes.strew import PARK, PLAY, PLOT, SITE, YARD, strew
from grave_cli.sample_data.sections import Box, split_boxes
from grave_cli.sample_data.variety.draw import choose
from grave_cli.sample_data.variety.settings import SceneKind

Builder = Callable[[np.random.Generator, ScenePlan, Box, Frame], None]


def _ground(plan: ScenePlan, box: Box, site: Frame, surface: str, edging: float = 0.0) -> None:
    plan.areas.append(Area(shapely.Polygon(site.box(*box)), surface, edging))


def _blob(rng: np.random.Generator, centre: Array, radius: float) -> shapely.Polygon:
    """Return a rounded shape of about this radius."""
    bearing = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    far = radius * (
        1
        + 0.22 * np.cos(2 * bearing + rng.uniform(0, 6.3))
        + 0.1 * np.cos(3 * bearing + rng.uniform(0, 6.3))
    )
    return shapely.Polygon(centre + np.stack([np.cos(bearing), np.sin(bearing)], 1) * far[:, None])


def lay_path(
    rng: np.random.Generator, plan: ScenePlan, box: Box, site: Frame, surface: str, width: float
) -> shapely.Polygon:
    """Lay a curved path across a box and return its shape."""
    left, top, right, bottom = box
    v = rng.uniform(top, bottom, 3)
    share = np.linspace(0, 1, 24)[:, None]
    ends = np.array([(left - 2, v[0]), ((left + right) / 2, v[1]), (right + 2, v[2])])
    curve = (1 - share) ** 2 * ends[0] + 2 * share * (1 - share) * ends[1] + share**2 * ends[2]
    shape = shapely.LineString(site.place(curve)).buffer(width / 2, cap_style="flat")
    plan.areas.append(Area(shape, surface, float(rng.choice([0.0, 0.0, 0.08]))))
    return shape


def add_park(rng: np.random.Generator, plan: ScenePlan, box: Box, site: Frame) -> None:
    """Add lawn with paths, beds, boulders and trees."""
    _ground(plan, box, site, "lawn" if rng.random() < 0.8 else "meadow")
    for _ in range(int(rng.integers(0, 3))):
        surface = str(rng.choice(["gravel", "asphalt", "grit", "paving", "slabs"]))
        lay_path(rng, plan, box, site, surface, float(rng.uniform(1.0, 4.0)))
    strew(rng, plan, box, site, PARK, float(rng.uniform(0.01, 0.05)))
    scatter_trees(rng, plan, box, site, float(rng.uniform(0, 0.02)))


def add_car_park(rng: np.random.Generator, plan: ScenePlan, box: Box, site: Frame) -> None:
    """Add bays with cars along lanes."""
    surface = str(rng.choice(["asphalt", "asphalt", "paving", "gravel", "cobbles"]))
    _ground(plan, box, site, surface, 0.12)
    left, top, right, bottom = box
    full, turned = float(rng.uniform(0.2, 0.95)), rng.random() < 0.2
    rows = np.arange(top + 2.6, bottom - 2.0, float(rng.uniform(7.5, 11)))
    for v in rows:
        for u in np.arange(left + 1.5, right - 1.2, 2.5):
            spot = site.place(np.array([(u, v)]))[0]
            if not plan.fits(spot[None, :], 3):
                continue
            if surface in ("asphalt", "paving"):
                line = site.place(np.array([(u - 1.25, v)]))[0]
                plan.things.append(draw_thing(rng, "marking", line, site.angle))
            if rng.random() < full:
                kind = "van" if rng.random() < 0.1 else "car"
                angle = site.angle + float(rng.normal(0, 0.03)) + (math.pi if turned else 0.0)
                plan.things.append(draw_thing(rng, kind, spot + rng.normal(0, 0.12, 2), angle))
    strew(rng, plan, box, site, {"person": 3, "lamp": 1, "bin": 1, "container": 0.5}, 0.005)


def add_street(rng: np.random.Generator, plan: ScenePlan, box: Box, site: Frame) -> None:
    """Add a street along the longer side, with pavement and parked cars."""
    left, top, right, bottom = box
    _ground(plan, box, site, str(rng.choice(["lawn", "slabs", "paving", "grit"])))
    along_u = right - left >= bottom - top
    middle = (top + bottom) / 2 if along_u else (left + right) / 2
    half = min(3.2, (bottom - top if along_u else right - left) / 2.5)
    lane: Box = (
        (left, middle - half, right, middle + half)
        if along_u
        else (middle - half, top, middle + half, bottom)
    )
    _ground(plan, lane, site, "asphalt" if rng.random() < 0.8 else "cobbles", 0.15)
    start, end = (left, right) if along_u else (top, bottom)
    for at in np.arange(start + 3, end - 3, float(rng.uniform(5.2, 9))):
        if rng.random() < 0.5:
            place = (at, middle + half - 1.1) if along_u else (middle + half - 1.1, at)
            spot = site.place(np.array([place]))[0]
            angle = site.angle + (math.pi / 2 if along_u else 0.0)
            plan.things.append(draw_thing(rng, "car", spot, angle + float(rng.normal(0, 0.03))))


def add_village(rng: np.random.Generator, plan: ScenePlan, box: Box, site: Frame) -> None:
    """Add houses with yards and gardens."""
    _ground(plan, box, site, str(rng.choice(["grit", "asphalt", "gravel", "soil", "paving"])))
    for left, top, right, bottom in split_boxes(rng, box, float(rng.uniform(13, 20)), 2.0):
        own: Box = (left, top, right, bottom)
        surface = str(rng.choice(["lawn", "lawn", "paving", "soil", "gravel", "slabs", "meadow"]))
        _ground(plan, own, site, surface)
        middle = np.array([((left + right) / 2, (top + bottom) / 2)]) + rng.normal(0, 1.5, (1, 2))
        roof = choose(rng, {"tile roof": 4, "flat roof": 1.5, "tin roof": 2.5, "hut": 1})
        angle = site.angle + int(rng.integers(2)) * math.pi / 2
        plan.things.append(draw_thing(rng, roof, site.place(middle)[0], angle))
        strew(rng, plan, own, site, YARD, 0.02, loose=0.3)
        if rng.random() < 0.6:
            _fence_off(rng, plan, own, site)
        scatter_trees(rng, plan, own, site, 0.01)


def _fence_off(rng: np.random.Generator, plan: ScenePlan, box: Box, site: Frame) -> None:
    corners, wall = site.box(*box), bool(rng.random() < 0.4)
    width, height = (0.25, 1.2) if wall else (float(rng.uniform(0.4, 0.9)), 1.5)
    for side in range(4):
        if rng.random() < 0.75:
            plan.hedges.append(Hedge(corners[side], corners[(side + 1) % 4], width, height, wall))


def add_lawn(rng: np.random.Generator, plan: ScenePlan, box: Box, site: Frame) -> None:
    """Add open grass or a field with next to nothing on it."""
    _ground(plan, box, site, str(rng.choice(["lawn", "meadow", "crop", "soil", "meadow"])))
    strew(rng, plan, box, site, {"boulder": 1, "person": 1, "heap": 1, "bench": 1}, 0.002)
    scatter_trees(rng, plan, box, site, 0.003)


def add_water(rng: np.random.Generator, plan: ScenePlan, box: Box, site: Frame) -> None:
    """Add a pond in a lawn, with stones and shrubs at its shore."""
    add_park(rng, plan, box, site)
    left, top, right, bottom = box
    centre = site.place(np.array([(rng.uniform(left, right), rng.uniform(top, bottom))]))[0]
    radius = float(rng.uniform(0.15, 0.5)) * min(right - left, bottom - top)
    shape = _blob(rng, centre, radius)
    plan.areas.append(Area(shape.buffer(0.6), str(rng.choice(["soil", "gravel", "meadow"]))))
    plan.areas.append(Area(shape, "water", depth_m=0.35))
    wet = shape.buffer(1.2)
    plan.things[:] = [t for t in plan.things if not wet.contains(shapely.Point(t.centre))]
    for x, y in np.asarray(shape.buffer(0.3).exterior.coords)[:: int(rng.integers(2, 6))]:
        spot = np.array([x, y]) + rng.normal(0, 0.2, 2)
        if rng.random() < 0.5:
            plan.things.append(draw_thing(rng, "boulder", spot, float(rng.uniform(0, 6.3))))
        else:
            plan.trees.append(draw_shrub(rng, spot))


def add_allotments(rng: np.random.Generator, plan: ScenePlan, box: Box, site: Frame) -> None:
    """Add small gardens with huts, raised beds and rows of vegetables."""
    _ground(plan, box, site, str(rng.choice(["grit", "gravel", "lawn"])))
    for own in split_boxes(rng, box, float(rng.uniform(6, 13)), 1.2):
        _ground(plan, own, site, str(rng.choice(["lawn", "lawn", "soil", "meadow", "mulch"])))
        strew(rng, plan, own, site, PLOT, 0.09, loose=0.08)
        if rng.random() < 0.5:
            _fence_off(rng, plan, own, site)
        scatter_trees(rng, plan, own, site, 0.012)


def add_works(rng: np.random.Generator, plan: ScenePlan, box: Box, site: Frame) -> None:
    """Add a building site or a builder's yard."""
    _ground(plan, box, site, str(rng.choice(["soil", "grit", "gravel", "concrete", "sand"])))
    strew(rng, plan, box, site, SITE, float(rng.uniform(0.03, 0.08)), loose=0.7)


def add_playground(rng: np.random.Generator, plan: ScenePlan, box: Box, site: Frame) -> None:
    """Add play equipment on lawn, sand or bark."""
    _ground(plan, box, site, str(rng.choice(["lawn", "sand", "mulch", "lawn", "asphalt"])))
    strew(rng, plan, box, site, PLAY, float(rng.uniform(0.02, 0.05)))
    scatter_trees(rng, plan, box, site, 0.006)


def add_wood(rng: np.random.Generator, plan: ScenePlan, box: Box, site: Frame) -> None:
    """Add a closed wood with undergrowth."""
    _ground(plan, box, site, str(rng.choice(["mulch", "meadow", "soil"])))
    left, top, right, bottom = box
    for _ in range(min(160, int(rng.uniform(0.03, 0.09) * (right - left) * (bottom - top)))):
        spot = site.place(np.array([(rng.uniform(left, right), rng.uniform(top, bottom))]))[0]
        if plan.fits(spot[None, :], 5):
            plan.trees.append(draw_tree(rng, spot))
    scatter_trees(rng, plan, box, site, 0.05)
    strew(rng, plan, box, site, {"logs": 2, "boulder": 2, "heap": 0.5}, 0.004)


BUILDERS: dict[SceneKind | str, Builder] = {
    "park": add_park,
    "car park": add_car_park,
    "village": add_village,
    "lawn": add_lawn,
    "water": add_water,
    "allotments": add_allotments,
    "works": add_works,
    "playground": add_playground,
    "wood": add_wood,
    "street": add_street,
}
"""Builders of ground without graves; each covers its box."""
