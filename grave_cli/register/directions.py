"""The direction in which rows run at each grave."""

import numpy as np
import scipy.sparse as sp

from grave_cli.register.frames import Floats, Frames, sum_by
from grave_cli.register.neighbours import FACING, Pairs

_AGREE = np.radians(15)
_CLOSE_M = 0.7
_IN_LINE_M = 0.12
_ROUNDS = 12
_SHAPE, _PAIR = 1.0, 1.0


def row_directions(frames: Frames, pairs: Pairs) -> Floats:
    """Find the direction of the row at each grave, radians, modulo a half turn.

    A grave offers two directions: along its one side or the other. Three things speak for one of
    them: graves are longer than wide; neighbours in a row lie closer than rows; and their heads or
    feet are in line. Neighbours share what they know.

    Args:
        frames: The graves.
        pairs: Pairs of neighbours, measured modulo a quarter turn.
    """
    count = len(frames.angles)
    pairs = pairs.take(pairs.difference < _AGREE)
    ratio = np.log(frames.halves[:, 1] / frames.halves[:, 0])
    votes = _SHAPE * frames.clearness * np.tanh(1.5 * ratio) * np.exp(2j * frames.angles)
    for axis in (0, 1):
        gap, offset = np.maximum(pairs.gaps[:, axis], 0), pairs.offset[:, 1 - axis]
        weight = np.exp(-gap / _CLOSE_M - offset / _IN_LINE_M) * (
            pairs.facing[:, 1 - axis] > FACING
        )
        vote = _PAIR * weight * np.exp(2j * pairs.angles) * (-1) ** axis
        votes = votes + sum_by(pairs.first, vote, count) + sum_by(pairs.second, vote, count)
    weight = np.exp(-pairs.distance / _CLOSE_M)
    matrix = sp.coo_array((weight, (pairs.first, pairs.second)), shape=(count, count)).tocsr()
    matrix = matrix + matrix.T
    degree = matrix.sum(axis=1)
    shared = votes
    for _ in range(_ROUNDS):
        shared = (votes + matrix @ shared) / (1 + degree)
    return np.asarray(np.angle(shared) / 2)
