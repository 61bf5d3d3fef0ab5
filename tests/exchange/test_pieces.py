"""Pieces of graves on overlapping chips become whole graves again."""

from collections.abc import Sequence

import numpy as np
import pytest
import shapely

from grave_cli.exchange.pieces import Piece, whole_graves

# Two that touch, one on a seam and a corner, one larger than the overlap.
GRAVES = [
    shapely.box(10, 10, 30, 50),
    shapely.box(30, 10, 50, 50),
    shapely.affinity.rotate(shapely.box(85, 80, 115, 120), 30),
    shapely.box(20, 130, 170, 190),
]


def cut(graves: Sequence[shapely.Polygon], size: int, overlap: int) -> list[Piece]:
    step = size - overlap
    pieces = []
    for row in range(0, 200 - overlap, step):
        for column in range(0, 200 - overlap, step):
            frame = shapely.box(column, row, column + size, row + size)
            name = f"{row}_{column}"
            parts = [part for g in graves for part in shapely.get_parts(g & frame)]
            pieces += [Piece(p, frame, "grave", name) for p in parts if p.area > 0]
    return pieces


@pytest.mark.parametrize(("size", "overlap"), [(100, 0), (100, 40), (64, 32), (400, 0)])
def test_graves_cut_by_chips_come_back(size: int, overlap: int) -> None:
    pieces = cut(GRAVES, size, overlap)
    assert size == 400 or len(pieces) > len(GRAVES)
    found = [piece.outline for piece in whole_graves(pieces)]
    assert len(found) == len(GRAVES)
    for grave in GRAVES:
        best = min(found, key=lambda one: shapely.hausdorff_distance(one, grave))
        assert shapely.hausdorff_distance(best, grave) < 0.1


def test_a_whole_piece_is_kept_as_it_was_drawn() -> None:
    """On the second chip, somebody has drawn it a little larger; there it is nearer the middle."""
    pieces = cut(GRAVES[:1], 100, 80)
    larger = Piece(GRAVES[0].buffer(2), shapely.box(0, 0, 60, 60), "grave", "middle")
    (found,) = whole_graves([*pieces, larger])
    assert found.outline.equals(larger.outline)


def test_pieces_of_different_categories_or_graves_stay_apart() -> None:
    one, other = (shapely.box(left, 0, left + 100, 100) for left in (0, 100))
    left, right = shapely.box(80, 20, 100, 60), shapely.box(100, 20, 120, 60)
    below = shapely.box(100, 65, 120, 90)
    pieces = [
        Piece(left, one, "grave", "a"),
        Piece(right, other, "urn", "b"),
        Piece(below, other, "grave", "b"),
    ]
    assert len(whole_graves(pieces)) == 3
    assert np.isclose(sum(piece.outline.area for piece in whole_graves(pieces)), 800 + 800 + 500)


def test_nothing_gives_nothing() -> None:
    assert whole_graves([]) == []
