"""Rows of graves in one section of a varied cemetery: sizes, gaps, shared edges, gaps left open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import shapely

from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.plan import Frame
from grave_cli.sample_data.tombs.tomb import TombKind
from grave_cli.sample_data.variety.settings import HabitKind, Order

Range = tuple[float, float]
Size = tuple[Range, Range]
"""Ranges of width and length in metres."""

SIZES_M: Mapping[TombKind, Size] = {
    "single": ((0.65, 1.2), (1.5, 2.4)),
    "double": ((1.4, 2.5), (1.7, 2.5)),
    "urn": ((0.4, 1.0), (0.4, 1.05)),
    "child": ((0.45, 0.8), (0.85, 1.4)),
    "family": ((2.4, 4.2), (1.8, 3.2)),
}
OTHER_SIZES_M: Mapping[HabitKind, Mapping[TombKind, Size]] = {
    "lawn plots": {
        "single": ((0.5, 1.0), (0.4, 1.1)),
        "double": ((1.0, 1.9), (0.45, 1.1)),
        "urn": ((0.4, 0.7), (0.4, 0.7)),
    },
    "headstones": {
        "single": ((0.5, 0.9), (0.18, 0.4)),
        "double": ((0.9, 1.5), (0.2, 0.45)),
        "child": ((0.35, 0.55), (0.15, 0.3)),
    },
    "headstone plots": {
        "single": ((0.8, 1.2), (1.9, 2.4)),
        "double": ((1.7, 2.4), (1.9, 2.4)),
    },
    "hedged": {
        "single": ((1.2, 1.8), (1.8, 2.6)),
        "double": ((2.0, 3.2), (2.0, 3.0)),
        "family": ((3.0, 4.5), (2.4, 3.6)),
    },
    "fenced": {
        "single": ((1.2, 1.8), (2.0, 2.6)),
        "double": ((2.0, 2.8), (2.0, 2.8)),
        "family": ((2.6, 4.2), (2.2, 3.2)),
    },
}
"""Sizes of habits that differ: a bed at the stone in a lawn, only a plinth, a wider enclosure."""
PITCH_M: Mapping[HabitKind, Range] = {"lawn plots": (0.3, 1.4), "headstones": (0.3, 1.0)}
"""Extra distance between neighbours where only part of a plot is built on."""


@dataclass(frozen=True)
class Place:
    """A place in a row: its corners, its kind, whether a grave lies there, section and row."""

    corners: Array
    kind: TombKind
    taken: bool
    row: tuple[int, int] | None = None


@dataclass(frozen=True)
class Standard:
    """The sizes a section was laid out with; single graves deviate by some centimetres.

    Args:
        sizes: Width and length in metres by kind.
        spread_m: Standard deviation of a grave's size in metres.
        pitch_m: Extra distance between neighbours in metres.
    """

    sizes: Mapping[TombKind, tuple[float, float]]
    spread_m: float
    pitch_m: float

    @property
    def depth_m(self) -> float:
        """Length of the longest grave in metres, which a row has to hold."""
        return max(length for _, length in self.sizes.values()) + 2 * self.spread_m


def draw_standard(rng: np.random.Generator, habit: HabitKind, kinds: list[TombKind]) -> Standard:
    """Draw the sizes of one section.

    Args:
        rng: Source of randomness.
        habit: Its layout.
        kinds: Kinds of graves it holds.
    """
    other = OTHER_SIZES_M.get(habit, {})
    sizes = {}
    for kind in kinds:
        width, length = other.get(kind, SIZES_M[kind])
        sizes[kind] = (float(rng.uniform(*width)), float(rng.uniform(*length)))
    pitch = float(rng.uniform(*PITCH_M[habit])) if habit in PITCH_M else 0.0
    return Standard(sizes, float(rng.choice([0.005, 0.03, 0.09])), pitch)


@dataclass(frozen=True)
class RowLine:
    """One row in the frame of its section.

    Args:
        head_v: Line of the heads in metres.
        towards: +1 when the feet point to growing v, −1 otherwise.
        start_u: Where the row begins.
        end_u: Where it ends.
    """

    head_v: float
    towards: int
    start_u: float
    end_u: float


def fill_line(
    rng: np.random.Generator,
    line: RowLine,
    frame: Frame,
    standard: Standard,
    kinds: Mapping[TombKind, float],
    order: Order,
) -> list[Place]:
    """Fill a row from its start to its end.

    A grave that touches the one before takes over its two corners, so both outlines have exactly
    the same edge.

    Args:
        rng: Source of randomness.
        line: Where the row runs.
        frame: Frame of its section.
        standard: Sizes of the section.
        kinds: Relative frequency of each kind.
        order: How strictly the cemetery is laid out.
    """
    places: list[Place] = []
    names, share = list(kinds), np.array(list(kinds.values()))
    cursor, before, length = line.start_u, None, 0.0
    while True:
        kind = names[int(rng.choice(len(names), p=share / share.sum()))]
        touches = before is not None and rng.random() < order.touching
        width, own = _size(rng, standard, kind)
        if not touches:
            cursor += _gap(rng, order, standard) if places else 0.0
            before, length = None, own
        if cursor + width > line.end_u:
            return places
        left = _cut(rng, line, cursor, length, order) if before is None else before
        right = _cut(rng, line, cursor + width, length, order)
        corners = frame.place(np.array([left[0], right[0], right[1], left[1]]))
        taken = touches or bool(rng.random() < order.occupancy)
        if not touches:
            corners = _twist(rng, corners, order)
        places.append(Place(corners, kind, taken))
        lonely = standard.pitch_m > 0 or order.twist_deg > 1
        cursor, before = cursor + width, right if taken and not lonely else None


def _size(rng: np.random.Generator, standard: Standard, kind: TombKind) -> tuple[float, float]:
    width, length = standard.sizes[kind]
    noise = np.clip(
        rng.normal(0, standard.spread_m, 2), -2 * standard.spread_m, 2 * standard.spread_m
    )
    return max(0.3, width + float(noise[0])), max(0.15, length + float(noise[1]))


def _gap(rng: np.random.Generator, order: Order, standard: Standard) -> float:
    """Return the distance to the neighbour: mostly regular, now and then a wider one."""
    wide = float(rng.uniform(0.5, 2.5)) if rng.random() < 0.05 else 0.0
    usual = order.gap_m * float(rng.uniform(0.05, 1.0)) + 0.02
    return usual + wide + standard.pitch_m


def _cut(rng: np.random.Generator, line: RowLine, u: float, length: float, order: Order) -> Array:
    """Return head and foot corner of a cut across the row, laid not quite straight."""
    most = min(0.03, 0.5 * order.jitter_m)
    jitter = np.clip(rng.normal(0, most / 2 + 1e-9, (2, 2)), -most, most)
    return np.array([(u, line.head_v), (u, line.head_v + line.towards * length)]) + jitter


def _twist(rng: np.random.Generator, corners: Array, order: Order) -> Array:
    """Move and turn a grave that shares no edge with the one before."""
    if order.twist_deg <= 1:
        return corners
    angle = np.radians(rng.normal(0, order.twist_deg))
    middle = corners.mean(axis=0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray((corners - middle) @ turn.T + middle + rng.normal(0, order.jitter_m, 2))


def without_overlaps(places: list[Place], tolerance: float = 1e-6) -> list[Place]:
    """Drop graves that overlap one placed before, by area in square metres.

    Args:
        places: Places in order; open ones are kept only where nothing lies.
        tolerance: Largest overlap that is kept, m².
    """
    if not places:
        return []
    shapes = [shapely.Polygon(place.corners) for place in places]
    tree = shapely.STRtree(shapes)
    kept: set[int] = set()
    for number, shape in enumerate(shapes):
        rivals = [int(i) for i in tree.query(shape, predicate="intersects") if int(i) in kept]
        if all(shape.intersection(shapes[i]).area <= tolerance for i in rivals) and shape.is_valid:
            kept.add(number)
    return [places[number] for number in sorted(kept)]
