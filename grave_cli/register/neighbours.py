"""Pairs of neighbouring graves, measured in a frame that lies along both of them."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.register.frames import Floats, Frames, Ints

FACING = 0.5
"""Graves lie side by side if their sides face each other over this share of the shorter one."""
MAX_OVERLAP_M = 0.5
"""Outlines that overlap deeper than this do not lie side by side."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of graves in a common frame: first axis along its angle, second axis across.

    Args:
        first: One grave of each pair.
        second: The other one.
        angles: Direction of the common frame, radians.
        difference: Angle between the directions of the two graves, radians.
        steps: From centre to centre, metres.
        gaps: Free distance along each axis, metres; negative where the graves overlap.
        facing: Share of the shorter graves' side that faces the other grave along each axis.
        offset: Distance between the nearest edges of the two graves along each axis, metres: 0 for
            heads (or feet) on one line.

    Shapes:
        first, second, angles, difference: (n,); steps, gaps, facing, offset: (n, 2)
    """

    first: Ints
    second: Ints
    angles: Floats
    difference: Floats
    steps: Floats
    gaps: Floats
    facing: Floats
    offset: Floats

    @property
    def distance(self) -> Floats:
        """Free distance between the two boxes, metres."""
        return np.asarray(np.hypot(*np.maximum(self.gaps, 0).T))

    def take(self, keep: NDArray[np.bool_]) -> "Pairs":
        """Select pairs."""
        return Pairs(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))


def near_pairs(frames: Frames, members: Ints, reach_m: float) -> tuple[Ints, Ints]:
    """Find the pairs of graves whose upright bounds are at most `reach_m` apart.

    Args:
        frames: The graves.
        members: Graves to look at.
        reach_m: Distance, metres.
    """
    turn = np.abs(frames.angles[members])
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    halves, centres = frames.halves[members], frames.centres[members]
    half = cos * halves + sin * halves[:, ::-1] + reach_m / 2
    boxes = shapely.box(*(centres - half).T, *(centres + half).T)
    first, second = shapely.STRtree(boxes).query(boxes)
    once = first < second
    return members[first[once]], members[second[once]]


def measure_pairs(
    frames: Frames, first: Ints, second: Ints, directions: Floats, folds: int
) -> Pairs:
    """Measure pairs of graves.

    Args:
        frames: The graves.
        first: One grave of each pair.
        second: The other one.
        directions: Direction of every grave, radians.
        folds: Turns that make no difference: 4 for a quarter turn, 2 for a half turn.
    """
    one, other = (np.exp(1j * folds * directions[index]) for index in (first, second))
    angles = np.angle(one + other) / folds
    step = ((frames.centres[second] - frames.centres[first]) @ (1, 1j)) * np.exp(-1j * angles)
    steps = np.column_stack([step.real, step.imag])
    mine, theirs = frames.halves_along(first, angles), frames.halves_along(second, angles)
    low, high = np.maximum(-mine, steps - theirs), np.minimum(mine, steps + theirs)
    return Pairs(
        first,
        second,
        angles,
        np.abs(np.angle(one * other.conj())) / folds,
        steps,
        low - high,
        (high - low) / (2 * np.minimum(mine, theirs)),
        np.abs(np.abs(steps) - np.abs(mine - theirs)),
    )
