"""One section of a varied cemetery: its ground, rows of graves, hedges, trees and traces."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import shapely

from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.clutter.thing import Thing
from grave_cli.sample_data.plan import Frame, Hedge, Tree, TreeKind
from grave_cli.sample_data.scenes.plan import Area, ScenePlan
from grave_cli.sample_data.scenes.rows import (
    Place,
    RowLine,
    Standard,
    draw_standard,
    fill_line,
    without_overlaps,
)
from grave_cli.sample_data.sections import Box
from grave_cli.sample_data.texture.look import Look
from grave_cli.sample_data.tombs.draw import MAKES, draw_tomb
from grave_cli.sample_data.variety.draw import choose
from grave_cli.sample_data.variety.settings import HabitKind, Variety

MINERAL: Mapping[str, float] = {
    "gravel": 4,
    "grit": 3,
    "slabs": 1,
    "paving": 0.7,
    "concrete": 1,
    "soil": 1.5,
    "sand": 0.7,
    "asphalt": 0.3,
    "cobbles": 0.4,
}
MIXED: Mapping[str, float] = {**MINERAL, "lawn": 6, "meadow": 1.5, "mulch": 0.3}
AISLES: Mapping[str, float] = {
    "gravel": 3,
    "grit": 2,
    "slabs": 3,
    "lawn": 2,
    "soil": 1.5,
    "paving": 1,
    "mulch": 0.7,
    "sand": 0.5,
}
GREEN: Mapping[str, float] = {"lawn": 7, "meadow": 2, "gravel": 0.5}
GROUNDS: Mapping[HabitKind, Mapping[str, float]] = {
    "bordered": MIXED,
    "slabs": {**MINERAL, "lawn": 1.5},
    "lawn plots": GREEN,
    "headstones": {"lawn": 7, "meadow": 3},
    "headstone plots": {"lawn": 7, "meadow": 2},
    "kerb sets": {"lawn": 5, "meadow": 2, "gravel": 2},
    "urns": MIXED,
    "children": MIXED,
    "family": MIXED,
    "mounds": {"lawn": 3, "meadow": 3, "soil": 3, "grit": 1, "sand": 1},
    "hedged": {"gravel": 4, "lawn": 3, "grit": 2},
    "fenced": {"lawn": 2, "meadow": 2, "soil": 3, "grit": 2, "sand": 1, "concrete": 1},
    "cleared": GREEN,
}
"""Ground between the graves of each habit, by relative frequency."""


@dataclass(frozen=True)
class Section:
    """One section of a cemetery.

    Args:
        box: Its extent in the frame of the site.
        site: Frame of the site.
        habit: Its layout.
    """

    box: Box
    site: Frame
    habit: HabitKind

    @property
    def outline(self) -> shapely.Polygon:
        """Its shape in metres."""
        return shapely.Polygon(self.site.box(*self.box))


@dataclass(frozen=True)
class _Rows:
    """The rows of one section.

    Args:
        frame: Frame of the rows.
        half_m: Half their room along u and v.
        standard: Sizes of the graves.
        lines: The rows.
        spare_m: Distance between rows that stand back to back, 0 without such rows.
    """

    frame: Frame
    half_m: tuple[float, float]
    standard: Standard
    lines: list[RowLine]
    spare_m: float


def fill_section(
    rng: np.random.Generator, plan: ScenePlan, section: Section, variety: Variety, look: Look
) -> None:
    """Add one section of graves with its ground, hedges, traces and trees to the plan.

    Args:
        rng: Source of randomness.
        plan: Receives the section.
        section: Its extent and layout.
        variety: Settings of the scene.
        look: Stones of the scene.
    """
    outline, make = section.outline, MAKES[section.habit]
    if not plan.fits(np.asarray(outline.exterior.coords), 1.0):
        return
    edging = float(rng.uniform(0.05, 0.14)) if rng.random() < 0.4 else 0.0
    plan.areas.append(Area(outline, choose(rng, GROUNDS[section.habit]), edging))
    rows = _draw_rows(rng, section, variety)
    _lay_aisles(rng, plan, outline, rows)
    inner, places = outline.buffer(-0.1), list[Place]()
    section_number = len(plan.areas)
    for number, line in enumerate(rows.lines):
        filled = fill_line(rng, line, rows.frame, rows.standard, make.kinds, variety.order)
        inside = [p for p in filled if inner.contains(shapely.Polygon(p.corners))]
        places += [replace(place, row=(section_number, number)) for place in inside]
    for place in without_overlaps(places):
        _add_place(rng, plan, place, section.habit, variety, look)
    _add_hedges(rng, plan, rows, variety)
    scatter_trees(rng, plan, section.box, section.site, 0.02 * variety.care.trees)


def _draw_rows(rng: np.random.Generator, section: Section, variety: Variety) -> _Rows:
    """Draw the direction of the rows, the sizes of the graves and the distance between rows."""
    left, top, right, bottom = section.box
    middle = section.site.place(np.array([((left + right) / 2, (top + bottom) / 2)]))[0]
    quarter = int(rng.integers(4))
    half = ((right - left) / 2, (bottom - top) / 2)
    if quarter % 2:
        half = (half[1], half[0])
    turn = float(rng.normal(0, 0.01))
    if rng.random() < variety.order.turned and min(half) > 3:
        turn += float(rng.choice([-1, 1]) * rng.uniform(0.15, 0.8))
        half = (1.4 * half[0], 1.4 * half[1])
    bend = variety.order.bend_per_m * float(rng.choice([-1, 1]))
    frame = Frame(middle, section.site.angle + quarter * math.pi / 2 + turn, bend)
    standard = draw_standard(rng, section.habit, list(MAKES[section.habit].kinds))
    spare = float(rng.choice([0.0, 0.05, 0.3, 0.9])) if rng.random() < 0.4 else None
    aisle = variety.order.aisle_m
    if section.habit in ("lawn plots", "headstones"):
        aisle += float(rng.uniform(0.8, 2.0))
    lines = _stack_lines(rng, half, standard.depth_m, aisle, spare)
    return _Rows(frame, half, standard, lines, spare or 0.0)


def _stack_lines(
    rng: np.random.Generator,
    half_m: tuple[float, float],
    depth_m: float,
    aisle_m: float,
    spare_m: float | None,
) -> list[RowLine]:
    """Return the rows from one end of a section to the other.

    With `spare_m`, rows stand back to back in pairs, and their heads meet at that distance.
    """
    half_u, half_v = half_m[0] - 0.2, half_m[1] - 0.2
    lines: list[RowLine] = []
    top = -half_v + float(rng.uniform(0, 0.3))
    while top + depth_m <= half_v:
        back = spare_m is not None and len(lines) % 2 == 0
        start = -half_u + float(rng.uniform(0, 0.3))
        head, towards = (top + depth_m, -1) if back else (top, 1)
        lines.append(RowLine(head, towards, start, half_u))
        top += depth_m + (spare_m if back and spare_m is not None else aisle_m)
    return lines


def _lay_aisles(
    rng: np.random.Generator, plan: ScenePlan, outline: shapely.Polygon, rows: _Rows
) -> None:
    """Cover the strips between rows, or those under the rows, with another surface."""
    chance = rng.random()
    if chance > 0.4 or rows.frame.bend:
        return
    surface = choose(rng, AISLES)
    for line in rows.lines:
        foot = line.head_v + line.towards * rows.standard.depth_m
        edges = (line.head_v, foot) if chance < 0.12 else (foot, foot + line.towards * 0.7)
        ends = line.start_u - 1, line.end_u + 1
        strip = rows.frame.box(ends[0], min(edges) - 0.05, ends[1], max(edges) + 0.05)
        shape = shapely.Polygon(strip).intersection(outline)
        if shape.geom_type == "Polygon" and shape.area > 0.3:
            plan.areas.append(Area(shape, surface, 0.06 if chance < 0.04 else 0.0))


def _add_place(
    rng: np.random.Generator,
    plan: ScenePlan,
    place: Place,
    habit: HabitKind,
    variety: Variety,
    look: Look,
) -> None:
    """Put a grave, or the trace of a former one, on its place."""
    if not plan.fits(place.corners):
        return
    if place.taken and habit != "cleared":
        tomb = draw_tomb(rng, habit, place.kind, place.corners, variety.care, look)
        plan.tombs.append(replace(tomb, row=place.row))
    elif rng.random() < 0.6:
        plan.things.append(_trace(place.corners))


def _trace(corners: Array) -> Thing:
    across = corners[1] - corners[0]
    angle = math.atan2(across[1], across[0])
    size = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[3] - corners[0])
    return Thing(
        "trace", corners.mean(axis=0), (float(size[0]) * 0.95, float(size[1]) * 0.95), angle
    )


def _add_hedges(rng: np.random.Generator, plan: ScenePlan, rows: _Rows, variety: Variety) -> None:
    """Grow hedges behind the heads where there is room, or along one side of the section."""
    width, height = float(rng.uniform(0.25, 0.5)), float(rng.uniform(0.4, 1.5))
    room = rows.spare_m if rows.spare_m else variety.order.aisle_m
    chance = rng.random()
    if chance < 0.2 and not rows.frame.bend and room > 2 * width + 0.2:
        for line in rows.lines:
            v = line.head_v - line.towards * (width / 2 + 0.12)
            ends = rows.frame.place(np.array([(line.start_u, v), (line.end_u, v)]))
            plan.hedges.append(Hedge(ends[0], ends[1], width, height))
    elif chance < 0.4:
        half_u, half_v = rows.half_m
        side = (half_v + width / 2) * float(rng.choice([-1, 1]))
        ends = rows.frame.place(np.array([(-half_u, side), (half_u, side)]))
        plan.hedges.append(Hedge(ends[0], ends[1], width, height, bool(rng.random() < 0.25)))


def scatter_trees(
    rng: np.random.Generator, plan: ScenePlan, box: Box, site: Frame, per_m2: float
) -> None:
    """Plant shrubs and trees over a box.

    Args:
        rng: Source of randomness.
        plan: Receives them.
        box: Where they may stand, in the frame of the site.
        site: That frame.
        per_m2: Their mean number per square metre.
    """
    left, top, right, bottom = box
    for _ in range(min(400, int(rng.poisson(per_m2 * (right - left) * (bottom - top))))):
        spot = site.place(np.array([(rng.uniform(left, right), rng.uniform(top, bottom))]))[0]
        tree = draw_tree(rng, spot) if rng.random() < 0.35 else draw_shrub(rng, spot)
        if plan.fits(spot[None, :], tree.radius_m + 8):
            plan.trees.append(tree)


def draw_tree(rng: np.random.Generator, centre: Array) -> Tree:
    """Return a tree with a crown of 1 to 5 m radius."""
    radius = float(1.0 + 4.0 * rng.random() ** 1.7)
    kind: TreeKind = "conifer" if rng.random() < 0.3 else "broadleaf"
    radius *= 0.6 if kind == "conifer" else 1.0
    return Tree(centre, radius, radius * float(rng.uniform(1.2, 2.4)), kind)


def draw_shrub(rng: np.random.Generator, centre: Array) -> Tree:
    """Return a shrub with a radius of 0.25 to 0.9 m."""
    radius = float(rng.uniform(0.25, 0.9))
    kind: TreeKind = "conifer" if rng.random() < 0.4 else "shrub"
    return Tree(centre, radius, radius * float(rng.uniform(0.9, 2.2)), kind)
