"""Probabilities and free ground in, faint instances out: what may be a grave but was not drawn.

The body is cut at several levels, from the threshold of the graves downwards. What is one instance
at a low level may be two at a higher one: all are returned, and a choice among those that overlap
is made later, when the graves around them are known (`candidates`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from grave_cli.graves.instances import quantile_by_label, seed_certainty
from grave_cli.graves.targets import BODY

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_CELL_M = 0.08  # edge of a pooled pixel: a grave has some sixty or more
_LEVELS = (1.0, 0.7, 0.45, 0.25, 0.12)  # shares of the body threshold
_PEAK = 0.9  # quantile, as in `instances.keep_graves`
_SQUARE = np.ones((3, 3), np.bool_)


@dataclass(frozen=True)
class Faint:
    """Faint instances, one entry each; lengths in pixels of the input.

    Args:
        centre: Column and row of the centroid.
        spread: Covariance of the columns and rows of its pixels.
        area: Number of pixels.
        level: Level of the body at which it was cut out.
        body: Mean body probability.
        peak: Body probability that a tenth of its pixels reach.
        certainty: Certainty (`seed_certainty`) that a tenth of its pixels reach.
        steep: Share of the area of the instance around it at the next lower level.

    Shapes:
        centre: (n, 2); spread: (n, 2, 2); the others: (n,)
    """

    centre: Floats
    spread: Floats
    area: Floats
    level: Floats
    body: Floats
    peak: Floats
    certainty: Floats
    steep: Floats

    def __len__(self) -> int:
        return len(self.area)

    def take(self, keep: Mask | NDArray[np.intp]) -> "Faint":
        """Select instances by a mask, or by indices in the wanted order."""
        return Faint(*(getattr(self, field.name)[keep] for field in fields(self)))

    @staticmethod
    def join(parts: Sequence["Faint"]) -> "Faint":
        """Concatenate the instances of several windows; none is a window without any."""
        columns = ([getattr(part, field.name) for part in parts] for field in fields(Faint))
        return Faint(*(np.concatenate(column) for column in columns)) if parts else _nothing()


def _nothing() -> Faint:
    none = np.zeros(0)
    return Faint(np.zeros((0, 2)), np.zeros((0, 2, 2)), none, none, none, none, none, none)


def pooling(gsd_m: float) -> int:
    """Return how many pixels are pooled along each axis before faint instances are searched."""
    return max(1, round(_CELL_M / gsd_m))


def find_faint(
    levels: NDArray[np.uint8],
    free: Mask,
    gsd_m: float,
    threshold: float,
    area_m2: tuple[float, float],
) -> Faint:
    """Find what may be a grave on ground that no grave takes.

    Strips narrower than three pooled pixels are left out: they are the rims of drawn graves.

    Args:
        levels: Probabilities of body, border and contact, times 255.
        free: Ground that no grave takes.
        gsd_m: Pixel edge in metres.
        threshold: Body probability of the graves.
        area_m2: Smallest and largest area.

    Shapes:
        levels: (3, H, W); free: (H, W); H and W are multiples of `pooling`
    """
    step = pooling(gsd_m)
    pooled = np.stack([_pooled(channel, step) for channel in levels]) / np.float32(255)
    body = pooled[BODY]
    open_ground = _pooled(free, step) == 1
    smallest, largest = (area / (gsd_m * step) ** 2 for area in area_m2)
    if not (open_ground & (body >= _LEVELS[-1] * threshold)).any():
        return _nothing()
    certainty = seed_certainty(pooled)
    found = []
    around: NDArray[np.int32] | None = None
    for share in reversed(_LEVELS):  # from the lowest level, so that each knows the next lower one
        inside = ndimage.binary_opening(open_ground & (body >= share * threshold), _SQUARE)
        labels = np.asarray(ndimage.label(inside)[0], np.int32)
        if not labels.any():
            break
        around = labels if around is None else around
        one = _measure(labels, body, certainty, around)
        keep = (one.area >= smallest) & (one.area <= largest) & ~_cut(labels)
        found.append(_scaled(one, share * threshold, step).take(keep))
        around = labels
    return Faint.join(found)


def _pooled(values: NDArray[Any], step: int) -> NDArray[np.float32]:
    """Average square blocks of pixels."""
    total = sum(
        values[row::step, column::step].astype(np.uint16)
        for row in range(step)
        for column in range(step)
    )
    return np.asarray(total / np.float32(step**2), np.float32)


def _cut(labels: NDArray[np.int32]) -> Mask:
    """Find labels that touch the edge of the window; entry i is for label i + 1."""
    cut = np.zeros(int(labels.max()) + 1, np.bool_)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        cut[side] = True
    return cut[1:]


def _measure(
    labels: NDArray[np.int32],
    body: NDArray[np.float32],
    certainty: NDArray[np.float32],
    around: NDArray[np.int32],
) -> Faint:
    """Measure all labels at once, by sums over their pixels."""
    rows, columns = np.nonzero(labels)
    owner = labels[rows, columns] - 1
    area = np.bincount(owner).astype(np.float64)

    def mean(values: NDArray[Any]) -> Floats:
        return np.asarray(np.bincount(owner, values) / area)

    x, y = mean(columns), mean(rows)
    dx, dy = columns - x[owner], rows - y[owner]
    # A pixel is a square, not a point: its own variance along each axis is 1/12.
    xx, xy, yy = mean(dx * dx) + 1 / 12, mean(dx * dy), mean(dy * dy) + 1 / 12
    first = np.unique(owner, return_index=True)[1]
    outer = np.bincount(around.ravel())[around[rows[first], columns[first]]]
    return Faint(
        centre=np.column_stack([x, y]) + 0.5,
        spread=np.stack([np.stack([xx, xy], -1), np.stack([xy, yy], -1)], -2),
        area=area,
        level=np.zeros(len(area)),
        body=mean(body[rows, columns]),
        peak=quantile_by_label(body, labels, _PEAK),
        certainty=quantile_by_label(certainty, labels, _PEAK),
        steep=area / outer,
    )


def _scaled(one: Faint, level: float, step: int) -> Faint:
    """Return lengths in pixels of the input."""
    return Faint(
        one.centre * step,
        one.spread * step**2,
        one.area * step**2,
        np.full(len(one), level),
        one.body,
        one.peak,
        one.certainty,
        one.steep,
    )
