"""Sections of a cemetery: the ground divided by paths, and each section filled with rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import shapely

from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.plan import Frame, Ground, Hedge, Plan, Thing, Tree, TreeKind
from grave_cli.sample_data.rows import Row, fill_row

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in the frame of the cemetery, metres."""


@dataclass(frozen=True)
class Habit:
    """How one section is laid out.

    Args:
        ground: Its ground.
        frame: Frame of its rows, u and v from its middle.
        half_m: Half the extent of the rows along u and v.
        urns: Whether it holds urn graves only.
        paired: Whether rows stand back to back.
    """

    ground: Ground
    frame: Frame
    half_m: tuple[float, float]
    urns: bool
    paired: bool


def split_boxes(rng: np.random.Generator, box: Box, widest_m: float, path_m: float) -> list[Box]:
    """Cut a box by paths until no side is longer than `widest_m`.

    Args:
        rng: Source of randomness.
        box: The box to cut.
        widest_m: Longest side that is left alone, in metres.
        path_m: Width of the first path in metres; later ones are narrower.
    """
    left, top, right, bottom = box
    width, depth = right - left, bottom - top
    if max(width, depth) <= widest_m * rng.uniform(0.85, 1.15):
        return [box]
    share, narrower = rng.uniform(0.38, 0.62), max(1.2, path_m * 0.75)
    if width >= depth:
        cut = left + share * width
        parts = [(left, top, cut - path_m / 2, bottom), (cut + path_m / 2, top, right, bottom)]
    else:
        cut = top + share * depth
        parts = [(left, top, right, cut - path_m / 2), (left, cut + path_m / 2, right, bottom)]
    return [small for part in parts for small in split_boxes(rng, part, widest_m, narrower)]


def fill_section(rng: np.random.Generator, plan: Plan, box: Box, site: Frame) -> None:
    """Add one section of graves with its ground, hedges, plots and trees to the plan.

    Args:
        rng: Source of randomness.
        plan: Receives the section.
        box: The section in the frame of the cemetery.
        site: Frame of the cemetery.
    """
    habit = _draw_habit(rng, plan, box, site)
    plan.grounds.append(habit.ground)
    area = shapely.Polygon(habit.ground.corners).buffer(-0.25)
    section = len(plan.grounds)
    for number, row in enumerate(_rows(rng, habit, plan.style.aisle_m)):
        filled = fill_row(rng, row, habit.frame, plan.style)
        plan.graves += [
            replace(grave, row=(section, number))
            for grave in filled.graves
            if area.contains(shapely.Polygon(grave.corners))
        ]
        plan.things += [
            _empty_plot(corners, habit.frame.angle)
            for corners in filled.empty
            if area.contains(shapely.Polygon(corners)) and rng.random() < 0.6
        ]
    _add_hedges(rng, plan, habit)
    _add_trees(rng, plan, box, site)


def _draw_habit(rng: np.random.Generator, plan: Plan, box: Box, site: Frame) -> Habit:
    left, top, right, bottom = box
    middle = site.place(np.array([((left + right) / 2, (top + bottom) / 2)]))[0]
    upright = rng.random() < 0.4
    turn = float(rng.normal(0, 0.03)) + (math.pi / 2 if upright else 0.0)
    large = min(right - left, bottom - top) > 7
    if large and rng.random() < 0.22:
        turn += float(rng.choice([-1, 1]) * rng.uniform(0.2, 0.7))
    bend = float(rng.choice([-1, 1]) * rng.uniform(0.008, 0.028)) if rng.random() < 0.35 else 0.0
    other = [surface for surface in plan.style.grounds if surface != plan.style.path]
    surface = (other or plan.style.grounds)[int(rng.integers(len(other or plan.style.grounds)))]
    half_u, half_v = (right - left) / 2, (bottom - top) / 2
    if upright:
        half_u, half_v = half_v, half_u
    slack = 1.0 + 0.5 * abs(math.sin(2 * turn))
    return Habit(
        ground=Ground(site.box(*box), surface, edged=bool(rng.random() < 0.6)),
        frame=Frame(middle, site.angle + turn, bend),
        half_m=(half_u * slack - 0.3, half_v * slack - 0.3),
        urns=bool(large and rng.random() < 0.18),
        paired=bool(rng.random() < 0.5),
    )


def _rows(rng: np.random.Generator, habit: Habit, aisle_m: float) -> list[Row]:
    """Return the rows from one end of the section to the other, back to back or all one way.

    Space left over when no further row fits widens the aisles.
    """
    half_u, half_v = habit.half_m
    deep, aisle = (0.95, 0.7) if habit.urns else (2.2, aisle_m)
    lines = _stack(deep, aisle, 2 * half_v, habit.paired)
    spare = 2 * half_v - (lines[-1][0] + deep if lines else 0.0)
    spread = min(0.5, max(0.0, spare) / (len(lines) + 1))
    return [
        Row(
            head_v=top - half_v + spread * (number + 1) + (0 if towards > 0 else deep),
            towards=towards,
            start_u=-half_u + float(rng.uniform(0, 0.4)),
            end_u=half_u,
            urns=habit.urns,
        )
        for number, (top, towards) in enumerate(lines)
    ]


def _stack(deep: float, aisle: float, room: float, paired: bool) -> list[tuple[float, int]]:
    """Return the upper edge of each row and where its feet point.

    Example: rows of 2 m, aisles of 1 m, room for 8 m, one way → 0, 3, 6.
    """
    lines: list[tuple[float, int]] = []
    top = 0.0
    while top + deep <= room:
        back_to_back = paired and len(lines) % 2 == 0
        lines.append((top, -1 if back_to_back else 1))
        top += deep + (0.4 if back_to_back else aisle)
    return lines


def _empty_plot(corners: Array, angle: float) -> Thing:
    width = float(np.linalg.norm(corners[1] - corners[0]))
    depth = float(np.linalg.norm(corners[3] - corners[0]))
    return Thing("plot", corners.mean(axis=0), (width, depth), angle)


def _add_hedges(rng: np.random.Generator, plan: Plan, habit: Habit) -> None:
    """Put a hedge along one side of the section, well inside its path."""
    if rng.random() > 0.3:
        return
    first = int(rng.integers(4))
    start, end = habit.ground.corners[first], habit.ground.corners[(first + 1) % 4]
    plan.hedges.append(
        Hedge(start, end, float(rng.uniform(0.4, 0.55)), float(rng.uniform(0.6, 1.3)))
    )


def _add_trees(rng: np.random.Generator, plan: Plan, box: Box, site: Frame) -> None:
    """Plant shrubs and now and then a tree among the graves."""
    left, top, right, bottom = box
    roomy = min(right - left, bottom - top) > 6
    for _ in range(int(rng.poisson(0.015 * (right - left) * (bottom - top)))):
        spot = np.array([(rng.uniform(left, right), rng.uniform(top, bottom))])
        draw = _draw_tree if roomy and rng.random() < 0.22 else _draw_shrub
        plan.trees.append(draw(rng, site.place(spot)[0]))


def _draw_tree(rng: np.random.Generator, centre: Array) -> Tree:
    radius = float(rng.uniform(1.4, 2.6))
    kind: TreeKind = "broadleaf" if rng.random() < 0.7 else "conifer"
    return Tree(centre, radius, radius * float(rng.uniform(1.5, 2.3)), kind)


def _draw_shrub(rng: np.random.Generator, centre: Array) -> Tree:
    radius = float(rng.uniform(0.3, 0.7))
    kind: TreeKind = "conifer" if rng.random() < 0.5 else "shrub"
    return Tree(centre, radius, radius * float(rng.uniform(1.0, 2.2)), kind)
