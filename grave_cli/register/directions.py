"""The direction in which rows run at each grave."""

import numpy as np
import scipy.sparse as sp

from grave_cli.register.frames import Floats, Frames, sum_by
from grave_cli.register.neighbours import FACING, Pairs

_AGREE = np.radians(15)  # graves that differ by more, modulo a quarter turn, are no neighbours
_CLOSE_M = 0.7  # weight of neighbours: 1 when they touch, a third at this distance
_IN_LINE_M = 0.12  # the same for the distance between their heads or feet
_ROUNDS = 12  # of sharing; each reaches the next neighbours


def row_directions(frames: Frames, pairs: Pairs) -> Floats:
    """Find the direction of the row at each grave, radians, modulo a half turn.

    A grave offers two directions: along its one side or the other. Three things speak for one of
    them: most graves are longer than wide; neighbours in a row lie closer than rows; and their
    heads or feet are in line. These votes are averaged over neighbours.

    A vote is a complex number of twice its angle: the two directions of a grave cancel each other,
    and opposite ways of one direction add up.

    Args:
        frames: The graves.
        pairs: Pairs of neighbours, measured modulo a quarter turn.
    """
    count = len(frames.angles)
    pairs = pairs.take(pairs.difference < _AGREE)
    ratio = np.log(frames.halves[:, 1] / frames.halves[:, 0])
    votes = frames.clearness * np.tanh(1.5 * ratio) * np.exp(2j * frames.angles)
    for axis in (0, 1):
        gap, offset = np.maximum(pairs.gaps[:, axis], 0), pairs.offset[:, 1 - axis]
        weight = np.exp(-gap / _CLOSE_M - offset / _IN_LINE_M) * (
            pairs.facing[:, 1 - axis] > FACING
        )
        vote = weight * np.exp(2j * pairs.angles) * (-1) ** axis
        votes = votes + sum_by(pairs.first, vote, count) + sum_by(pairs.second, vote, count)
    weight = np.exp(-pairs.distance / _CLOSE_M)
    matrix = sp.coo_array((weight, (pairs.first, pairs.second)), shape=(count, count)).tocsr()
    matrix = matrix + matrix.T
    degree = matrix.sum(axis=1)
    shared = votes
    for _ in range(_ROUNDS):
        shared = (votes + matrix @ shared) / (1 + degree)
    return np.asarray(np.angle(shared) / 2)
