"""Where things lie in, in which order they are counted out."""

from collections.abc import Callable

import numpy as np

from grave_cli.register.frames import Floats, Frames, Ints
from grave_cli.settings.register import Corner

_STRIP_M = 1.0
_SLANT = 0.25


def counting_plane(frames: Frames, start: Corner) -> Callable[[Floats], Floats]:
    """Return the turn into the plane of counting: x goes across, y goes down from the start.

    The plane lies along the main direction of the graves, the one nearest to the compass. A map
    that is turned a little is thus counted alike.

    Args:
        frames: The graves.
        start: Corner at which counting starts.

    Returns:
        A function of vectors in metres, of shape (n, 2).
    """
    main = np.angle((frames.clearness * np.exp(4j * frames.angles)).sum()) / 4
    cos, sin = np.cos(main), np.sin(main)
    signs = np.array(["west" in start or -1, "south" in start or -1], float)
    turn = np.array([[cos, -sin], [sin, cos]]) * signs
    return lambda vectors: np.asarray(vectors @ turn)


def reading_order(low: Floats, high: Floats) -> Ints:
    """Sort boxes the way a page is read: line by line, each line from its start.

    Boxes are cut into lines where a strip across all of them is free, lines into blocks in the same
    way, and so on. Where no strip is free, the centre decides, more by its y than by its x. Free
    strips are as wide as paths: the order bears boxes that move by some centimetres.

    Args:
        low: Lowest x and y of each box, metres; y points down.
        high: Highest x and y.

    Shapes:
        low, high: (n, 2)
    """
    order: list[int] = []
    waiting = [np.arange(len(low))]
    while waiting:
        members = waiting.pop()
        for axis in (1, 0):
            parts = _cut(members, low[members, axis], high[members, axis])
            if len(parts) > 1:
                waiting += reversed(parts)
                break
        else:
            centres = (low[members] + high[members]) @ (_SLANT, 1.0)
            order += members[np.argsort(centres, kind="stable")].tolist()
    return np.array(order, np.intp)


def _cut(members: Ints, low: Floats, high: Floats) -> list[Ints]:
    order = np.argsort(low, kind="stable")
    reached = np.maximum.accumulate(high[order])
    cuts = np.flatnonzero(low[order][1:] - reached[:-1] > _STRIP_M) + 1
    return [members[part] for part in np.split(order, cuts)]
