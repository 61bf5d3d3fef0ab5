"""Rows in, fields out: rows that face each other across an aisle, and what lies beside them."""

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from grave_cli.register.frames import Floats, Frames, Ints, sum_by
from grave_cli.register.neighbours import MAX_OVERLAP_M, Pairs, measure_pairs, near_pairs
from grave_cli.settings.register import RegisterSettings

_JOIN_M = 4.0  # a small group of graves belongs to a field this near
_ACROSS = 0.3
"""Rows are neighbours if the shares of their width over which graves face each other add up to
this."""


def face_to_face(pairs: Pairs, rows: Ints, aisle_m: float) -> Pairs:
    """Select the pairs of graves across an aisle; whole rows decide, so that no single grave does.

    Two rows are neighbours if the mean distance of their graves is less than an aisle, weighted by
    the share of their width over which they face each other.

    Args:
        pairs: Pairs of neighbours, measured modulo a half turn.
        rows: Row of each grave.
        aisle_m: Widest aisle, metres.
    """
    pairs = pairs.take((pairs.facing[:, 0] > 0) & (pairs.gaps[:, 1] > -MAX_OVERLAP_M))
    ends = np.sort(np.stack([rows[pairs.first], rows[pairs.second]]), axis=0)
    _, group = np.unique(ends, axis=1, return_inverse=True)
    group, share = group.reshape(-1), np.minimum(pairs.facing[:, 0], 1)
    total = np.bincount(group, share)
    gap = np.bincount(group, share * pairs.gaps[:, 1]) / total
    return pairs.take(((total > _ACROSS) & (gap < aisle_m))[group])


def find_fields(frames: Frames, rows: Ints, across: Pairs, settings: RegisterSettings) -> Ints:
    """Join rows into fields, and fields of few graves to the nearest large one or to each other.

    A row whose aisle is a little too wide, or a lone grave, thus stays with its field.

    Args:
        frames: The graves.
        rows: Row of each grave.
        across: Pairs of graves across an aisle.
        settings: Smallest field.

    Returns:
        Field of each grave.
    """
    one, other = _chain(rows)
    count = len(rows)
    fields = connect(
        count, np.concatenate([one, across.first]), np.concatenate([other, across.second])
    )
    small = (np.bincount(fields) < settings.min_field_graves)[fields]
    first, second = near_pairs(frames, np.arange(count), _JOIN_M)
    first, second = (side[small[first] | small[second]] for side in (first, second))
    distance = measure_pairs(frames, first, second, frames.angles, 4).distance
    near = distance < _JOIN_M
    first, second, distance = first[near], second[near], distance[near]
    to_large = small[first] != small[second]
    inner = np.where(small[first], first, second)[to_large]
    outer = np.where(small[first], second, first)[to_large]
    order = np.lexsort((distance[to_large], fields[inner]))
    names, nearest = np.unique(fields[inner[order]], return_index=True)
    joined = np.arange(int(fields.max()) + 1)
    joined[names] = fields[outer[order[nearest]]]
    loose = small & ~np.isin(fields, names)
    both = loose[first] & loose[second]
    one, other = _chain(joined[fields])
    return connect(count, np.concatenate([one, first[both]]), np.concatenate([other, second[both]]))


def close_cracks(
    frames: Frames, directions: Floats, fields: Ints, gaps: Ints, path_m: float
) -> Ints:
    """Join fields whose rows go on in each other unless a straight path lies between them.

    Empty plots can line up to a crack through a field. A path leaves a straight strip free; a crack
    does not:

        path  ##  ###      crack  ##  ###
              ##  ###             #### ##
              ##  ###             #  ####

    Args:
        frames: The graves.
        directions: Direction of the row at each grave, radians.
        fields: Field of each grave.
        gaps: Pairs of graves on either side of a gap in a row.
        path_m: Width of the narrowest path, metres.

    Returns:
        Field of each grave.

    Shapes:
        gaps: (n, 2)
    """
    gaps = gaps[fields[gaps[:, 0]] != fields[gaps[:, 1]]]
    gaps = np.where((fields[gaps[:, 0]] > fields[gaps[:, 1]])[:, None], gaps[:, ::-1], gaps)
    _, group = np.unique(fields[gaps], axis=0, return_inverse=True)
    group, count = group.reshape(-1), len(gaps)
    way = np.exp(0.5j * np.angle(sum_by(group, np.exp(2j * directions[gaps]).sum(axis=1), count)))
    along = way[group]
    near, far = (((frames.centres[gaps] @ (1, 1j)) * along.conj()[:, None]).real).T
    half = frames.halves_along(gaps.ravel(), np.repeat(np.angle(along), 2))[:, 0].reshape(-1, 2).T
    sign = np.where(near < far, 1, -1)
    start = np.minimum(near + sign * half[0], far - sign * half[1])
    stop = np.maximum(near + sign * half[0], far - sign * half[1])
    low, high = np.full(count, -np.inf), np.full(count, np.inf)
    np.maximum.at(low, group, start)
    np.minimum.at(high, group, stop)
    crack = (np.bincount(group, minlength=count) > 1) & (high - low < path_m / 2)
    joined = gaps[crack[group]]
    one, other = _chain(fields)
    return connect(
        len(fields),
        np.concatenate([one, joined[:, 0]]),
        np.concatenate([other, joined[:, 1]]),
    )


def connect(count: int, first: Ints, second: Ints) -> Ints:
    """Number the groups of graves that pairs connect.

    Args:
        count: Number of graves.
        first: One grave of each pair.
        second: The other one.
    """
    matrix = sp.coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    return np.asarray(connected_components(matrix, directed=False)[1], np.intp)


def _chain(groups: Ints) -> tuple[Ints, Ints]:
    """Return pairs of graves that connect each group."""
    order = np.argsort(groups, kind="stable")
    same = groups[order[1:]] == groups[order[:-1]]
    return order[1:][same], order[:-1][same]
