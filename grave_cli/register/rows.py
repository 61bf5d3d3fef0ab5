"""Neighbouring graves in, rows and their fields out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grave_cli.register.fields import close_cracks, connect, face_to_face, find_fields
from grave_cli.register.frames import Floats, Frames, Ints
from grave_cli.register.neighbours import (
    FACING,
    MAX_OVERLAP_M,
    Pairs,
    measure_pairs,
    near_pairs,
)
from grave_cli.settings.register import RegisterSettings

_IN_LINE_M = 0.3
"""Heads or feet of the graves on either side of a wide gap lie on one line within this."""


@dataclass(frozen=True)
class Rows:
    """The rows and fields of a cemetery, in no particular order.

    Args:
        row: Row of each grave.
        field: Field of each grave.
        place: Place of each grave in its row, from 0 at either end.
        across: Pairs of graves that face each other across rows, in one field.
    """

    row: Ints
    field: Ints
    place: Ints
    across: Pairs


def find_rows(frames: Frames, directions: Floats, pairs: Pairs, settings: RegisterSettings) -> Rows:
    """Join graves side by side into rows, and rows into fields.

    Graves less than a path apart come first: side by side they form rows, face to face they join
    rows into a field. Then a row goes on across a wider gap, such as empty plots, if both ends
    belong to one field: a path would have divided its other rows, too.

    Args:
        frames: The graves.
        directions: Direction of the row at each grave, radians.
        pairs: Pairs of neighbours, measured modulo a half turn.
        settings: Distances and angles.
    """
    count, turn = len(directions), np.radians(settings.turn_deg)
    pairs = pairs.take(pairs.difference < turn)
    close = _link(frames, directions, pairs.take(pairs.gaps[:, 0] < settings.path_m))
    chains = connect(count, *(close.T // 2))
    across = face_to_face(pairs, chains, settings.aisle_m)
    fields = find_fields(frames, chains, across, settings)
    taken = np.zeros(2 * count, np.bool_)
    taken[close.ravel()] = True
    ends = np.flatnonzero(~taken.reshape(-1, 2).all(axis=1))
    first, second = near_pairs(frames, ends, settings.row_gap_m)
    wide = measure_pairs(frames, first, second, directions, 2)
    wide = wide.take(
        (wide.difference < turn)
        & (wide.gaps[:, 0] < settings.row_gap_m)
        & (wide.offset[:, 1] < _IN_LINE_M)
    )
    gaps = _link(frames, directions, wide, taken)
    fields = close_cracks(frames, directions, fields, gaps // 2, settings.path_m)
    same = fields[wide.first] == fields[wide.second]
    links = np.concatenate([close, _link(frames, directions, wide.take(same), taken)])
    return Rows(connect(count, *(links.T // 2)), fields, _walk(links, frames.centres), across)


def _link(
    frames: Frames, directions: Floats, pairs: Pairs, taken: NDArray[np.bool_] | None = None
) -> Ints:
    """Link each grave to its nearest neighbour on either side, if that has no nearer one there.

    Each grave has two ports, 2 * grave and 2 * grave + 1, one on either side of it along its row.

    Args:
        frames: The graves.
        directions: Direction of the row at each grave, radians.
        pairs: Candidates.
        taken: Ports that are linked already; None for none.

    Returns:
        Linked ports.

    Shapes:
        taken: (2 * graves,); returns: (links, 2)
    """
    pairs = pairs.take((pairs.facing[:, 1] >= FACING) & (pairs.gaps[:, 0] > -MAX_OVERLAP_M))
    steps = (frames.centres[pairs.second] - frames.centres[pairs.first]) @ (1, 1j)
    ports = np.stack(
        [
            2 * index + ((sign * steps * np.exp(-1j * directions[index])).real > 0)
            for index, sign in ((pairs.first, 1), (pairs.second, -1))
        ],
        axis=1,
    )
    # The last term breaks exact ties by place, never by the order of the graves.
    middles = (frames.centres[pairs.second] + frames.centres[pairs.first]) @ (1.0, 0.7)
    cost = np.abs(pairs.steps[:, 0]) + 0.5 * pairs.offset[:, 1] + 1e-9 * middles
    if taken is not None:
        free = ~taken[ports].any(axis=1)
        ports, cost = ports[free], cost[free]
    best = np.full(2 * len(directions), np.inf)
    np.minimum.at(best, ports.ravel(), np.repeat(cost, 2))
    ports = ports[(best[ports] == cost[:, None]).all(axis=1)]
    once = np.bincount(ports.ravel(), minlength=len(best)) == 1  # twins are equally near
    return np.asarray(ports[once[ports].all(axis=1)])


def _walk(links: Ints, centres: Floats) -> Ints:
    """Count the graves of each row from one end to the other; a ring starts in the north."""
    count = len(centres)
    partner = np.full(2 * count, -1)
    partner[links[:, 0]], partner[links[:, 1]] = links[:, 1], links[:, 0]
    partners, place = partner.tolist(), [-1] * count
    is_end = (partner.reshape(-1, 2) < 0).any(axis=1)
    for start in np.lexsort((centres @ (0.3, -1.0), ~is_end)).tolist():
        port = 2 * start + (partners[2 * start] < 0)
        step = 0
        while port >= 0 and place[port // 2] < 0:
            place[port // 2] = step
            port, step = partners[port], step + 1
            port = port ^ 1 if port >= 0 else port
    return np.array(place, np.intp)
