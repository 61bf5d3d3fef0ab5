"""The plan of a whole cemetery: its ground, sections, buildings, trees and surroundings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import shapely

from grave_cli.sample_data.plan import (
    Frame,
    Grave,
    Ground,
    Hedge,
    Plan,
    Thing,
    ThingKind,
    Tree,
    TreeKind,
)
from grave_cli.sample_data.sections import Box, fill_section, split_boxes
from grave_cli.sample_data.style import Style

Builder = Callable[[np.random.Generator, Plan, Box, Frame], None]
ROOMY_M = 20.0
"""Smaller squares have no street and hardly turn."""


def plan_cemetery(rng: np.random.Generator, size_m: float, style: Style) -> Plan:
    """Plan one cemetery.

    Args:
        rng: Source of randomness; equal generators give equal plans.
        size_m: Edge of the square that is flown, in metres.
        style: Habits of the cemetery.
    """
    plan = Plan(size_m, style)
    middle = np.array([size_m / 2, size_m / 2])
    site = Frame(
        middle, float(rng.uniform(-0.45, 0.45)) if size_m > ROOMY_M else float(rng.normal(0, 0.1))
    )
    half = size_m * (0.40 if size_m > ROOMY_M else 0.42)
    yard: Box = (-half, -half * 0.96, half, half * 0.96)
    plan.grounds.append(Ground(site.box(-size_m, -size_m, size_m, size_m), "meadow"))
    plan.grounds.append(Ground(site.box(*yard), style.path))
    _surround(rng, plan, yard, site)
    boxes = split_boxes(rng, _inset(yard, 0.6 if size_m > ROOMY_M else 0.3), 13.0, 2.3)
    special = _choose_special(boxes)
    for number, box in enumerate(boxes):
        if number in special:
            special[number](rng, plan, box, site)
        else:
            fill_section(rng, plan, box, site)
    _furnish_paths(rng, plan, boxes, site)
    plan.graves = _clear_graves(plan)
    return plan


def _inset(box: Box, by_m: float) -> Box:
    left, top, right, bottom = box
    return left + by_m, top + by_m, right - by_m, bottom - by_m


def _choose_special(boxes: list[Box]) -> dict[int, Builder]:
    """Return which sections hold no graves: the smallest ones of a larger cemetery."""
    by_area = sorted(
        range(len(boxes)),
        key=lambda i: (boxes[i][2] - boxes[i][0]) * (boxes[i][3] - boxes[i][1]),
    )
    builders: tuple[Builder, ...] = (_add_chapel, _add_garden)
    wanted = 2 if len(boxes) >= 7 else 1 if len(boxes) >= 5 else 0
    return dict(zip(by_area, builders[:wanted], strict=False))


def _add_chapel(rng: np.random.Generator, plan: Plan, box: Box, site: Frame) -> None:
    left, top, right, bottom = box
    centre = site.place(np.array([((left + right) / 2, (top + bottom) / 2)]))[0]
    size = (min(9.0, (right - left) * 0.72), min(6.5, (bottom - top) * 0.7))
    kind: ThingKind = "chapel" if min(size) > 3.5 else "shed"
    plan.grounds.append(Ground(site.box(*box), "paving" if kind == "chapel" else "grit"))
    plan.things.append(Thing(kind, centre, size, site.angle))


def _add_garden(rng: np.random.Generator, plan: Plan, box: Box, site: Frame) -> None:
    """Add a lawn with flower beds and a tree, and no grave."""
    left, top, right, bottom = box
    plan.grounds.append(Ground(site.box(*box), "lawn", edged=True))
    for _ in range(int(rng.integers(1, 4))):
        spot = np.array([(rng.uniform(left + 1.5, right - 1.5), rng.uniform(top + 1, bottom - 1))])
        size = (float(rng.uniform(1.0, 2.6)), float(rng.uniform(0.9, 1.8)))
        plan.things.append(Thing("bed", site.place(spot)[0], size, site.angle))
    spot = np.array([(rng.uniform(left + 1, right - 1), rng.uniform(top + 1, bottom - 1))])
    radius = float(rng.uniform(1.5, 2.8))
    plan.trees.append(Tree(site.place(spot)[0], radius, radius * 2.2, "broadleaf"))


def _surround(rng: np.random.Generator, plan: Plan, yard: Box, site: Frame) -> None:
    """Add the hedge or wall around the yard, the street beside it and the trees outside."""
    corners = site.box(*yard)
    wall = bool(rng.random() < 0.5)
    for side in range(4):
        start, end = corners[side], corners[(side + 1) % 4]
        gate = start + (end - start) * rng.uniform(0.35, 0.6)
        step = (end - start) / np.linalg.norm(end - start) * 1.3
        width, height = (
            (0.35, 1.5) if wall else (float(rng.uniform(0.6, 0.9)), float(rng.uniform(1.0, 1.7)))
        )
        if side % 2 == 0:
            plan.hedges += [
                Hedge(start, gate - step, width, height, wall),
                Hedge(gate + step, end, width, height, wall),
            ]
        else:
            plan.hedges.append(Hedge(start, end, width, height, wall))
    if plan.size_m > ROOMY_M:
        _add_street(rng, plan, yard, site)
    _add_border_trees(rng, plan, yard, site)


def _add_street(rng: np.random.Generator, plan: Plan, yard: Box, site: Frame) -> None:
    """Lay a car park strip along one side with a few cars, and compost bays at the other."""
    left, _, right, bottom = yard
    plan.grounds.append(
        Ground(site.box(left, bottom + 1.0, right, bottom + 7.0), "asphalt", edged=True)
    )
    for u in np.arange(left + 2, right - 2, 2.7):
        line = site.place(np.array([(u - 1.35, bottom + 3.6)]))[0]
        plan.things.append(Thing("line", line, (0.1, 4.6), site.angle))
        if rng.random() < 0.45:
            spot = site.place(np.array([(u, bottom + 3.6 + rng.normal(0, 0.15))]))[0]
            plan.things.append(
                Thing("car", spot, (1.8, 4.3), site.angle + float(rng.normal(0, 0.03)))
            )
    for number in range(3):
        spot = site.place(np.array([(left - 1.8, -4 + 2.3 * number)]))[0]
        plan.things.append(Thing("compost", spot, (2.2, 2.2), site.angle))


def _add_border_trees(rng: np.random.Generator, plan: Plan, yard: Box, site: Frame) -> None:
    left, top, right, bottom = yard
    count = max(1, round(plan.size_m / 7))
    for _ in range(count):
        along, across = rng.uniform(left, right), rng.choice([top - 1.2, bottom + 0.6])
        if rng.random() < 0.5:
            along, across = rng.choice([left - 1.2, right + 1.2]), rng.uniform(top, bottom)
        radius = float(rng.uniform(0.04, 0.085) * min(plan.size_m, 45))
        kind: TreeKind = "conifer" if rng.random() < 0.3 else "broadleaf"
        radius *= 0.7 if kind == "conifer" else 1.0
        spot = site.place(np.array([(along, across)]))[0]
        plan.trees.append(Tree(spot, radius, radius * float(rng.uniform(1.3, 2.1)), kind))


def _furnish_paths(rng: np.random.Generator, plan: Plan, boxes: list[Box], site: Frame) -> None:
    """Put benches, bins and a water tap on the paths beside the sections."""
    kinds: tuple[ThingKind, ...] = ("bench", "bench", "tap", "bin", "slab")
    sizes = {"bench": (1.6, 0.5), "tap": (1.0, 0.6), "bin": (0.5, 0.5), "slab": (0.8, 0.5)}
    for left, top, right, _ in boxes:
        if rng.random() < 0.6:
            kind = kinds[int(rng.integers(len(kinds)))]
            spot = site.place(np.array([(rng.uniform(left + 0.8, right - 0.8), top - 0.45)]))[0]
            plan.things.append(Thing(kind, spot, sizes[kind], site.angle))


def _clear_graves(plan: Plan) -> list[Grave]:
    """Return the graves that no hedge, wall or thing stands on."""
    solid = [
        shapely.LineString([hedge.start, hedge.end]).buffer(hedge.width_m / 2 + 0.1)
        for hedge in plan.hedges
    ]
    solid += [
        shapely.Point(thing.centre).buffer(max(thing.size) / 2)
        for thing in plan.things
        if thing.kind != "plot"
    ]
    tree = shapely.STRtree(solid)
    return [
        grave
        for grave in plan.graves
        if tree.query(shapely.Polygon(grave.corners), predicate="intersects").size == 0
    ]
