"""Rows and fields in, numbers out: fields in reading order, rows across a field, graves along."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import spsolve

from grave_cli.register.frames import Floats, Frames, Ints, sum_by
from grave_cli.register.order import counting_plane, reading_order
from grave_cli.register.rows import Rows
from grave_cli.settings.register import RegisterSettings

_ONE_LINE_M = 0.4  # rows on one line follow each other along it
_HOLD = 0.01  # weight of a row's own place against its distances from the rows beside it

Complex = NDArray[np.complex128]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Numbers:
    """Field, row and number of each grave, each counted from 1; 0 for no field or no row.

    `taken` is how many numbers it takes, of which it bears the first.
    """

    field: Ints
    row: Ints
    number: Ints
    taken: Ints


@dataclass(frozen=True)
class _Plane:
    """The graves in the plane of counting, as complex numbers x + iy.

    Args:
        spots: Their centres, metres.
        ways: Direction of the row at each grave, of length 1, forwards or backwards.
        along: Direction in which the field of each grave counts along its rows, of length 1.
    """

    spots: Complex
    ways: Complex
    along: Complex


def number_graves(
    frames: Frames, directions: Floats, rows: Rows, settings: RegisterSettings
) -> Numbers:
    """Number fields, rows and graves.

    Args:
        frames: The graves.
        directions: Direction of the row at each grave, radians.
        rows: Rows and fields.
        settings: Start and direction of the numbers, double graves.
    """
    to_plane = counting_plane(frames, settings.start)
    spots = to_plane(frames.centres)
    in_row = (np.bincount(rows.row) >= settings.min_row_graves)[rows.row]
    field = _number_fields(spots, np.where(in_row, rows.field, -1), rows.field)
    ways = _complex(to_plane(np.column_stack([np.cos(directions), np.sin(directions)])))
    plane = _Plane(_complex(spots), ways, _field_directions(np.where(in_row, ways, 0), field))
    row = _number_rows(plane, rows, field, in_row)
    place = _places_in_row(plane, rows, row, settings.numbering == "serpentine")
    place = np.where(in_row, place, _places_without_row(spots, field, in_row))
    wide = 2 * frames.halves_along(np.arange(len(field)), directions)[:, 0]
    counts = np.where(wide >= settings.double_width_m, 2, 1)
    if settings.double_graves == "one":
        counts = np.ones_like(counts)
    return Numbers(field, row, _count(field, row, place, counts), counts)


def _complex(points: Floats) -> Complex:
    return np.asarray(points @ (1, 1j), np.complex128)


def _number_fields(spots: Floats, field_of_rows: Ints, field: Ints) -> Ints:
    """Number the fields that have a row; graves of other fields get 0."""
    names = np.unique(field_of_rows[field_of_rows >= 0])
    position = np.searchsorted(names, field)
    position[~np.isin(field, names)] = len(names)
    low, high = np.full((len(names) + 1, 2), np.inf), np.full((len(names) + 1, 2), -np.inf)
    np.minimum.at(low, position, spots)
    np.maximum.at(high, position, spots)
    number = np.zeros(len(names) + 1, np.intp)
    number[reading_order(low[:-1], high[:-1])] = np.arange(1, len(names) + 1)
    return number[position]


def _field_directions(ways: Complex, field: Ints) -> Complex:
    """Return the direction in which each grave's field counts along its rows, of length 1.

    Rows across count from the start to the right, rows down from the start downwards: directions
    from -45 to 135 degrees.
    """
    angle = np.angle(sum_by(field, ways**2, int(field.max(initial=0)) + 1)) / 2
    angle = (angle + np.pi / 4) % np.pi - np.pi / 4
    return np.asarray(np.exp(1j * angle)[field])


def _number_rows(plane: _Plane, rows: Rows, field: Ints, in_row: Flags) -> Ints:
    """Number the rows of each field from its start; rows on one line follow each other along it."""
    heights, reached = _row_places(plane, rows)
    one_of = np.unique(rows.row, return_index=True)[1]
    field_of = field[one_of]
    order = np.flatnonzero(in_row[one_of])
    order = order[np.lexsort((heights[order], field_of[order]))]
    drop, other = np.diff(heights[order]), np.diff(field_of[order]) != 0
    line = np.cumsum(np.concatenate([[False], (drop > _ONE_LINE_M) | other])[: len(order)])
    order = order[np.lexsort((reached[order], line))]
    number = np.zeros(len(heights), np.intp)
    first = np.searchsorted(field_of[order], field_of[order])
    number[order] = np.arange(len(order)) - first + 1
    return number[rows.row]


def _row_places(plane: _Plane, rows: Rows) -> tuple[Floats, Floats]:
    """Measure how far across its field each row lies, and how far along.

    The distances between neighbouring rows, measured where graves face each other, are summed up by
    least squares: curved rows are straightened. The place of a row itself holds the sum in place.

    Returns:
        Height and place along the field of each row, metres from the start.
    """
    across = plane.along * np.where(np.angle(plane.along) < np.pi / 4, 1j, -1j)
    count = np.bincount(rows.row)
    own = np.bincount(rows.row, (plane.spots * across.conj()).real) / count
    reached = np.bincount(rows.row, (plane.spots * plane.along.conj()).real) / count
    first, second = rows.across.first, rows.across.second
    local = 1j * np.exp(0.5j * np.angle(plane.ways[first] ** 2 + plane.ways[second] ** 2))
    local = np.where((local * across[first].conj()).real < 0, -local, local)
    drop = ((plane.spots[second] - plane.spots[first]) * local.conj()).real
    return _fit_heights(own, rows.row[first], rows.row[second], drop), reached


def _fit_heights(own: Floats, first: Ints, second: Ints, drop: Floats) -> Floats:
    """Solve height[second] - height[first] = drop by least squares, held weakly at `own`."""
    pair, ones = np.arange(len(drop)), np.ones(len(drop))
    place = np.concatenate([pair, pair]), np.concatenate([first, second])
    shape = (len(drop), len(own))
    design = sp.csr_array((np.concatenate([-ones, ones]), place), shape=shape)
    normal = sp.csc_array(design.T @ design + _HOLD * sp.eye_array(len(own)))
    return np.asarray(spsolve(normal, design.T @ drop + _HOLD * own)).reshape(len(own))


def _places_in_row(plane: _Plane, rows: Rows, row: Ints, serpentine: bool) -> Ints:
    """Return the place of each grave in its row, from the end at which the row starts."""
    last = np.zeros(int(rows.row.max()) + 1, np.intp)
    np.maximum.at(last, rows.row, rows.place)
    ends = np.zeros((2, len(last)), np.complex128)
    for end, at_end in enumerate((rows.place == 0, rows.place == last[rows.row])):
        ends[end, rows.row[at_end]] = plane.spots[at_end]
    back = ((ends[1] - ends[0])[rows.row] * plane.along.conj()).real < 0
    if serpentine:
        back ^= row % 2 == 0
    return np.where(back, last[rows.row] - rows.place, rows.place)


def _places_without_row(spots: Floats, field: Ints, in_row: Flags) -> Ints:
    """Return the place of each grave among those of its field that belong to no row."""
    place = np.zeros(len(field), np.intp)
    for name in np.unique(field[~in_row]):
        members = np.flatnonzero(~in_row & (field == name))
        place[members[reading_order(spots[members], spots[members])]] = np.arange(len(members))
    return place


def _count(field: Ints, row: Ints, place: Ints, counts: Ints) -> Ints:
    """Count along each row; a grave takes `counts` numbers and bears the first."""
    order = np.lexsort((place, row, field))
    before = np.cumsum(counts[order]) - counts[order]
    new = (np.diff(field[order], prepend=-1) != 0) | (np.diff(row[order], prepend=-1) != 0)
    number = np.empty(len(field), np.intp)
    number[order] = before - before[new][np.cumsum(new) - 1] + 1
    return number
