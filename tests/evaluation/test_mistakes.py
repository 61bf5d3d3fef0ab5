"""Merges and splits of rows made by hand."""

import numpy as np
import pytest
import shapely

from grave_cli.evaluation.matching import overlaps_of_polygons
from grave_cli.evaluation.mistakes import Mistakes, find_mistakes


def boxes(*bounds: tuple[float, float, float, float]) -> np.ndarray:
    return np.array([shapely.box(*b) for b in bounds], dtype=object)


def mistakes_of(truth: np.ndarray, predicted: np.ndarray) -> Mistakes:
    areas = shapely.area(truth), shapely.area(predicted)
    return find_mistakes(overlaps_of_polygons(truth, predicted), *areas)


# Three graves of 1 x 2 that touch.
ROW = boxes((0, 0, 1, 2), (1, 0, 2, 2), (2, 0, 3, 2))

CASES = {
    "perfect": (ROW, ROW, [0, 0, 0], [0, 0, 0]),
    "two in one": (ROW, boxes((0, 0, 2, 2), (2, 0, 3, 2)), [1, 0], [1, 1, 0]),
    "a blob over all": (ROW, boxes((-5, -5, 8, 8)), [1], [1, 1, 1]),
    "half of the neighbour is enough": (ROW, boxes((0, 0, 1.5, 2)), [1], [1, 1, 0]),
    "a little of the neighbour is not": (ROW, boxes((0, 0, 1.4, 2)), [0], [0, 0, 0]),
    "nothing drawn": (ROW, boxes(), [], [0, 0, 0]),
    "nothing there": (boxes(), ROW, [0, 0, 0], []),
}


@pytest.mark.parametrize("case", CASES)
def test_merges(case: str) -> None:
    truth, predicted, is_merge, is_merged = CASES[case]
    found = mistakes_of(truth, predicted)
    assert found.is_merge.tolist() == is_merge
    assert found.is_merged.tolist() == is_merged


@pytest.mark.parametrize("case", CASES)
def test_splits_are_merges_seen_from_the_other_side(case: str) -> None:
    truth, predicted, is_merge, is_merged = CASES[case]
    found = mistakes_of(predicted, truth)
    assert found.is_split.tolist() == is_merge
    assert found.is_piece.tolist() == is_merged
