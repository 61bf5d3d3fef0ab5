"""Pieces of graves on overlapping chips in, whole graves out.

A grave may lie on several chips: whole on some, cut on others. Two pieces belong to one grave if
they agree where their chips overlap:

    chip A |----a----|          a is cut by A's right edge, b by B's left edge; between the edges,
    chip B     |----b----|      both show the same. Chips that only touch share a line.

Of each grave, a whole piece is kept, the one nearest to the middle of its chip. If all are cut,
they are united.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from grave_cli.outlines.polygons import Polygons

_SAME_IOU = 0.5  # of two pieces where their chips overlap
_EDGE_PX = 0.25  # a piece as near to the edge of its chip is cut by it
_STRAIGHT_PX = 0.05  # tolerance for corners that a seam leaves in a united outline


@dataclass(frozen=True)
class Piece:
    """An annotation on a chip.

    Args:
        outline: Its outline, in pixels of the cemetery's grid.
        frame: The chip's rectangle.
        category: Its category.
        image: Name of the chip.
        is_box: It was drawn as a box.
    """

    outline: shapely.Polygon
    frame: shapely.Polygon
    category: str
    image: str
    is_box: bool = False


def whole_graves(pieces: Sequence[Piece]) -> list[Piece]:
    """Join the pieces of each grave; the order is that of their first pieces."""
    if not pieces:
        return []
    graves: dict[int, list[Piece]] = {}
    for piece, group in zip(pieces, _groups(pieces), strict=True):
        graves.setdefault(int(group), []).append(piece)
    return [joined for group in graves.values() for joined in _join(group)]


def _groups(pieces: Sequence[Piece]) -> NDArray[np.int32]:
    outlines: Polygons = np.array([piece.outline for piece in pieces], dtype=object)
    pairs = shapely.STRtree(outlines).query(outlines, predicate="intersects").T
    same = [(a, b) for a, b in pairs.tolist() if a < b and _are_one(pieces[a], pieces[b])]
    first, second = np.array(same, np.intp).reshape(-1, 2).T
    count = len(pieces)
    links = coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    groups: NDArray[np.int32] = connected_components(links, directed=False)[1]
    return groups


def _are_one(one: Piece, other: Piece) -> bool:
    if one.image == other.image or one.category != other.category:
        return False
    shared = one.frame & other.frame
    both = one.outline & other.outline & shared
    either = (one.outline & shared) | (other.outline & shared)
    if shared.area > 0:
        return bool(both.area > _SAME_IOU * either.area)
    return bool(both.length > _SAME_IOU * either.length)


def _join(group: list[Piece]) -> list[Piece]:
    whole = [piece for piece in group if not _is_cut(piece)]
    if whole:
        return [min(whole, key=_off_centre)]
    first = group[0]
    united = shapely.union_all([piece.outline for piece in group])
    if len(group) > 1:
        united = shapely.simplify(united, _STRAIGHT_PX)
    return [
        Piece(part, first.frame, first.category, first.image, first.is_box)
        for part in shapely.get_parts(united)
        if part.geom_type == "Polygon"
    ]


def _off_centre(piece: Piece) -> float:
    return float(piece.outline.centroid.distance(piece.frame.centroid))


def _is_cut(piece: Piece) -> bool:
    return bool(piece.outline.distance(piece.frame.exterior) < _EDGE_PX)
