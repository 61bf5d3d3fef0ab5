"""Connected parts of the body over a whole probability map, found cell by cell.

Parts that touch nowhere, not even at a corner, are decoded and outlined independently. Here each
part is found, however many cells it crosses, with one cell and the edges of its neighbours in
memory.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from grave_cli.graves.instances import Labels
from grave_cli.graves.targets import BODY
from grave_cli.mapping.probability_map import ProbabilityMap, to_probabilities
from grave_cli.rasters.grid import WorkingGrid, iter_windows

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Components:
    """Connected parts of the body, one entry each.

    Args:
        bounds: First row and column, and the row and column after the last.
        anchors: Row and column of the first pixel in row-major order.
        sizes: Number of pixels.

    Shapes:
        bounds: (n, 4); anchors: (n, 2); sizes: (n,)
    """

    bounds: NDArray[np.int64]
    anchors: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sizes)

    def take(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> "Components":
        """Select parts by a mask or by indices."""
        return Components(self.bounds[keep], self.anchors[keep], self.sizes[keep])

    @property
    def areas(self) -> NDArray[np.int64]:
        """Pixels of the bounding windows."""
        return np.asarray(np.prod(self.bounds[:, 2:] - self.bounds[:, :2], axis=1))


@dataclass(frozen=True)
class FoundComponents:
    """The parts of the body in a map.

    Args:
        whole: Parts that can be decoded as they are.
        pieces: Pieces, one per cell, of parts that are too large for that.
    """

    whole: Components
    pieces: Components


def label_parts(inside: NDArray[np.bool_]) -> Labels:
    """Number the connected parts of a mask from 1; corners connect.

    Shapes:
        inside: (H, W); returns: (H, W)
    """
    return np.asarray(ndimage.label(inside, np.ones((3, 3)))[0], np.int32)


def find_components(
    probabilities: ProbabilityMap, threshold: float, *, cell_px: int, max_px: int
) -> FoundComponents:
    """Find the connected parts of the body.

    Args:
        probabilities: The map.
        threshold: Lowest probability of the body.
        cell_px: Edge of the cells, which are read one after the other.
        max_px: Largest window of a part that is decoded whole, in pixels.
    """
    inside = to_probabilities(np.arange(256, dtype=np.uint8)) >= threshold
    seams = _Seams(probabilities.grid)
    pieces = [_nothing()]
    count = 0
    for window in iter_windows(probabilities.grid, cell_px):
        labels = np.zeros((int(window.height), int(window.width)), np.int32)
        found = _nothing()
        if probabilities.shows(window):
            labels = label_parts(inside[probabilities.read(window)[BODY]])
            found = _measure(labels, window)
        seams.add(labels, window, count)
        pieces.append(found)
        count += len(found)
    return _join(_concatenate(pieces), seams.pairs(), max_px)


def _nothing() -> Components:
    empty = np.zeros((0, 4), np.int64)
    return Components(empty, empty[:, :2], empty[:, 0])


def _concatenate(parts: list[Components]) -> Components:
    return Components(
        np.concatenate([part.bounds for part in parts]),
        np.concatenate([part.anchors for part in parts]),
        np.concatenate([part.sizes for part in parts]),
    )


def _measure(labels: Labels, window: Window) -> Components:
    """Measure the parts of one cell, in pixels of the grid."""
    places = ndimage.find_objects(labels)
    corner = np.array([window.row_off, window.col_off], np.int64)
    ends = [(rows.start, columns.start, rows.stop, columns.stop) for rows, columns in places]
    bounds = np.array(ends, np.int64).reshape(-1, 4) + np.tile(corner, 2)
    pixels = np.flatnonzero(labels)[::-1]  # reversed: the first pixel of each label is written last
    ids = labels.ravel()[pixels] - 1
    first = np.zeros(len(places), np.int64)
    first[ids] = pixels
    anchors = np.column_stack(np.divmod(first, labels.shape[1])) + corner
    return Components(bounds, anchors, np.bincount(ids, minlength=len(places)))


class _Seams:
    """Collects the pairs of parts that touch across the seams of cells; cells come row by row.

        last row of the cells above   . 1 1 | 2 .   1 and 2 touch at an edge
        seam                          ----- + ---
        first row of these cells      3 . . | . 4   3 touches 1, and 4 touches 2, at a corner

    Args:
        grid: The grid that the cells cover.
    """

    def __init__(self, grid: WorkingGrid) -> None:
        self._width = grid.width
        self._above = np.zeros(grid.width, np.int64)  # last rows of the cells above
        self._below = np.zeros(grid.width, np.int64)  # and of this row of cells
        self._left = np.zeros(0, np.int64)
        self._found: list[Numbers] = []

    def add(self, labels: Labels, window: Window, offset: int) -> None:
        """Compare the edges of a cell with its neighbours; `offset` parts precede its own."""
        first, last = int(window.col_off), int(window.col_off + window.width)
        if first == 0:
            self._above, self._below = self._below, np.zeros(self._width, np.int64)
        else:
            self._compare(self._left, _named(labels[:, 0], offset))
        around = slice(max(0, first - 1), last + 1)  # including the corners of the next cells
        above = self._above[around]
        top = np.zeros(len(above), np.int64)
        top[first - around.start :][: last - first] = _named(labels[0], offset)
        self._compare(above, top)
        self._below[first:last] = _named(labels[-1], offset)
        self._left = _named(labels[:, -1], offset)

    def _compare(self, before: Numbers, after: Numbers) -> None:
        """Pair the parts on both sides of a seam that meet at an edge or a corner."""
        for one, other in ((before, after), (before[1:], after[:-1]), (before[:-1], after[1:])):
            touching = (one > 0) & (other > 0)
            if not touching.any():
                continue
            pairs = np.column_stack([one[touching], other[touching]])
            self._found.append(np.unique(pairs, axis=0))

    def pairs(self) -> Numbers:
        """Return the numbers, from 0, of parts that touch, (pairs, 2)."""
        return np.concatenate([np.zeros((0, 2), np.int64), *self._found]) - 1


def _named(edge: Labels, offset: int) -> Numbers:
    return np.where(edge > 0, edge.astype(np.int64) + offset, 0)


def _join(pieces: Components, pairs: Numbers, max_px: int) -> FoundComponents:
    """Join the pieces that touch; a part that would become too large stays in pieces.

    Pieces 0 and 1 meet at a seam, and 1 and 3 at the next: the pairs (0, 1), (1, 3) are the edges
    of a graph whose connected components are the parts, {0, 1, 3} and {2}.
    """
    links = coo_array((np.ones(len(pairs), np.bool_), pairs.T), shape=(len(pieces),) * 2)
    count, group = connected_components(links, directed=False)
    bounds = np.empty((count, 4), np.int64)
    bounds[:, :2], bounds[:, 2:] = np.iinfo(np.int64).max, 0
    np.minimum.at(bounds[:, :2], group, pieces.bounds[:, :2])
    np.maximum.at(bounds[:, 2:], group, pieces.bounds[:, 2:])
    order = np.lexsort((pieces.anchors[:, 1], pieces.anchors[:, 0], group))
    first = order[np.searchsorted(group[order], np.arange(count))]
    sizes = np.bincount(group, pieces.sizes, count).astype(np.int64)
    joined = Components(bounds, pieces.anchors[first], sizes)
    too_large = joined.areas > max_px
    return FoundComponents(joined.take(~too_large), pieces.take(too_large[group]))
