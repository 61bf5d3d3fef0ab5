"""Matches of graves on geometry made by hand."""

import tracemalloc

import numpy as np
import pytest
import rasterio.features
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from grave_cli.evaluation.matching import (
    Overlaps,
    choose_pairs,
    count_pixels,
    match_labels,
    match_polygons,
    overlaps_of_labels,
    overlaps_of_polygons,
)
from grave_cli.evaluation.score import score_labels


def boxes(*bounds: tuple[float, float, float, float]) -> np.ndarray:
    return np.array([shapely.box(*b) for b in bounds], dtype=object)


def labels_of(polygons: np.ndarray, size: int = 40) -> np.ndarray:
    return rasterio.features.rasterize(
        [(polygon, index + 1) for index, polygon in enumerate(polygons)],
        out_shape=(size, size),
        transform=Affine.identity(),
        dtype="int32",
    )


def test_shared_ground_is_measured_and_mere_contact_is_none() -> None:
    truth = boxes((0, 0, 4, 8), (4, 0, 8, 8))
    found = overlaps_of_polygons(truth, boxes((2, 0, 4, 8), (20, 0, 24, 8)))
    assert (found.truth.tolist(), found.predicted.tolist()) == ([0], [0])
    assert found.common.tolist() == [16]
    assert found.iou.tolist() == [0.5]


def test_pairs_are_chosen_for_the_largest_sum_not_greedily() -> None:
    # Widths from 0: truth 10 and 8; drawn 9 and 4. Greedy takes 10-9 (0.90) and 8-4 (0.50), which
    # is 1.40; 8-9 (0.89) and 10-4 (0.40) is less. From 0.3 on both pairings are possible.
    truth, drawn = boxes((0, 0, 10, 1), (0, 0, 8, 1)), boxes((0, 0, 9, 1), (0, 0, 4, 1))
    found, hits = match_polygons(truth, drawn, min_iou=0.3)
    assert sorted(zip(found.tolist(), hits.tolist(), strict=True)) == [(0, 0), (1, 1)]
    # Widths drawn 9 and 12: greedily 10-9 (0.90) would leave 8-12 (0.67), below 0.7. The best sum
    # of pairs above 0.7 is 8-9 (0.89) and 10-12 (0.83).
    found, hits = match_polygons(truth, boxes((0, 0, 9, 1), (0, 0, 12, 1)), min_iou=0.7)
    assert sorted(zip(found.tolist(), hits.tolist(), strict=True)) == [(0, 1), (1, 0)]


def test_the_example_of_the_docstring() -> None:
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    iou = np.array([0.90, 0.40, 0.89, 0.50])
    chosen = choose_pairs(Overlaps(truth, predicted, iou, iou), 0.3)
    assert (chosen.truth.tolist(), chosen.predicted.tolist()) == ([0, 1], [0, 1])
    assert chosen.iou.sum() == pytest.approx(1.40)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_overlaps_are_those_of_every_pair_of_polygons(seed: int) -> None:
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 10, (2, 8, 2))
    truth, predicted = (
        shapely.box(*low.T, *(low + random.uniform(0.5, 4, (8, 2))).T) for low in corners
    )
    found = overlaps_of_polygons(truth, predicted)
    measured = {
        (int(i), int(j)): (r, c)
        for i, j, r, c in zip(found.truth, found.predicted, found.iou, found.common, strict=True)
    }
    for i, true in enumerate(truth):
        for j, drawn in enumerate(predicted):
            common = true.intersection(drawn).area
            expected = (common / true.union(drawn).area, common)
            assert measured.get((i, j), (0, 0)) == pytest.approx(expected, abs=1e-5)


def test_overlaps_of_labels_are_counted_pixel_by_pixel() -> None:
    truth = np.array([[1, 1, 1, 0], [2, 2, 0, 0]], np.int32)
    predicted = np.array([[3, 3, 1, 1], [3, 0, 0, 1]], np.int32)
    assert count_pixels(truth).tolist() == [3, 2]
    assert count_pixels(predicted).tolist() == [3, 0, 3]
    found = overlaps_of_labels(truth, predicted)
    pairs = list(zip(found.truth.tolist(), found.predicted.tolist(), strict=True))
    assert pairs == [(0, 0), (0, 2), (1, 2)]  # index 0 is id 1
    assert found.common.tolist() == [1, 2, 1]
    assert found.iou == pytest.approx([1 / 5, 2 / 4, 1 / 4])


def test_memory_does_not_grow_with_the_square_of_the_graves() -> None:
    truth = np.arange(1, 4001, dtype=np.int32).reshape(40, 100)
    tracemalloc.start()
    score = score_labels(truth, truth[:, ::-1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (score.matches, score.mean_iou) == (4000, 1.0)
    assert peak < 5e6  # a table of all pairs takes 128 MB


@given(st.data())
@settings(deadline=None, max_examples=80)
def test_groups_solved_apart_give_the_best_sum_of_the_whole(data: st.DataObject) -> None:
    cells = st.tuples(st.integers(0, 6), st.integers(0, 6))
    links = data.draw(st.dictionaries(cells, st.integers(50, 99), max_size=20))
    gain = np.zeros((7, 7))
    for cell, percent in links.items():
        gain[cell] = percent / 100
    truth, predicted = np.nonzero(gain)
    iou = gain[truth, predicted]
    best = gain[linear_sum_assignment(gain, maximize=True)].sum()
    chosen = choose_pairs(Overlaps(truth, predicted, iou, iou), 0.5)
    assert len(set(chosen.truth)) == len(set(chosen.predicted)) == len(chosen.iou)
    assert chosen.iou.sum() == pytest.approx(best)


def test_pairs_of_labels_are_those_that_the_score_counts() -> None:
    truth = labels_of(boxes((0, 0, 4, 8), (4, 0, 8, 8), (8, 0, 12, 8)))
    predicted = np.where(truth == 2, 0, truth)  # the middle one is missed
    predicted[truth == 3] = 7
    found, hits = match_labels(truth, predicted)
    assert dict(zip(found.tolist(), hits.tolist(), strict=True)) == {1: 1, 3: 7}
    assert score_labels(truth, predicted).matches == 2
