"""Rows of graves in one section: widths, gaps, shared curbs, empty plots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.plan import Frame, Grave, GraveKind, GraveStatus
from grave_cli.sample_data.style import Style

WIDTHS_M: dict[GraveKind, tuple[float, float]] = {
    "single": (0.8, 1.1),
    "double": (1.6, 2.3),
    "urn": (0.55, 0.95),
    "child": (0.55, 0.75),
}
LENGTHS_M: dict[GraveKind, tuple[float, float]] = {
    "single": (1.75, 2.2),
    "double": (1.8, 2.3),
    "urn": (0.6, 1.0),
    "child": (1.0, 1.35),
}
JITTER_M = 0.018
"""How far a corner was laid beside its string line."""


@dataclass(frozen=True)
class Row:
    """One row of graves in the frame of its section.

    Args:
        head_v: Line of the headstones.
        towards: +1 when the feet point to growing v, -1 otherwise.
        start_u: Where the row begins.
        end_u: Where it ends.
        urns: Whether it holds urn graves only.
    """

    head_v: float
    towards: int
    start_u: float
    end_u: float
    urns: bool


@dataclass(frozen=True)
class Filled:
    """Content of one row: graves, and the corners of empty plots."""

    graves: list[Grave]
    empty: list[Array]


def fill_row(rng: np.random.Generator, row: Row, frame: Frame, style: Style) -> Filled:
    """Fill a row with graves from its start to its end.

    A grave that touches the one before takes over its two corners, so the shared edge is exactly
    the same in both outlines.

    Args:
        rng: Source of randomness.
        row: Where the row runs.
        frame: Frame of its section.
        style: How crowded the cemetery is.
    """
    filled = Filled([], [])
    cursor, before, length = row.start_u, None, 0.0
    while True:
        kind = _draw_kind(rng, row)
        touches = before is not None and rng.random() < style.touching
        if not touches:
            cursor += _draw_gap(rng, style, first=not filled.graves)
            before, length = None, float(rng.uniform(*LENGTHS_M[kind]))
        narrowest, widest = WIDTHS_M[kind]
        if cursor + narrowest > row.end_u:
            return filled
        edge = cursor + float(rng.uniform(narrowest, min(widest, row.end_u - cursor)))
        left = _cut(rng, row, cursor, length) if before is None else before
        right = _cut(rng, row, edge, length)
        corners = frame.place(np.array([left[0], right[0], right[1], left[1]]))
        occupied = touches or rng.random() < style.occupancy
        if occupied:
            filled.graves.append(Grave(corners, kind, _draw_status(rng, style)))
        else:
            filled.empty.append(corners)
        cursor, before = edge, right if occupied else None


def _draw_kind(rng: np.random.Generator, row: Row) -> GraveKind:
    if row.urns:
        return "urn"
    names: tuple[GraveKind, ...] = ("single", "double", "urn", "child")
    return names[int(rng.choice(4, p=[0.6, 0.25, 0.1, 0.05]))]


def _draw_gap(rng: np.random.Generator, style: Style, first: bool) -> float:
    if first:
        return float(rng.uniform(0.0, 0.3))
    if rng.random() < style.near / (1 - style.touching):
        return float(rng.uniform(0.045, 0.075))
    return float(rng.choice([0.2, 0.3, 0.45, 0.9]) * rng.uniform(0.8, 1.2))


def _draw_status(rng: np.random.Generator, style: Style) -> GraveStatus:
    chance = rng.random()
    if chance < 0.22 * style.age:
        return "neglected"
    return "new" if chance > 0.97 else "occupied"


def _cut(rng: np.random.Generator, row: Row, u: float, length: float) -> Array:
    """Return head and foot corner of a cut across the row, laid not quite straight."""
    jitter = np.clip(rng.normal(0, JITTER_M / 2, (2, 2)), -JITTER_M, JITTER_M)
    return np.array([(u, row.head_v), (u, row.head_v + row.towards * length)]) + jitter
