"""Scores of geometry made by hand, whose answers can be worked out on paper."""

import numpy as np
import pytest
import rasterio.features
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from grave_cli.evaluation.judgement import judge
from grave_cli.evaluation.score import ObjectScore, add_scores, score_labels
from grave_cli.graves.instances import centroids
from grave_cli.rasters.grid import plan_tiles


def boxes(*bounds: tuple[float, float, float, float]) -> np.ndarray:
    return np.array([shapely.box(*b) for b in bounds], dtype=object)


NONE = boxes()
# Three graves of 4 x 8, side by side.
ROW = boxes((0, 0, 4, 8), (4, 0, 8, 8), (8, 0, 12, 8))


def labels_of(polygons: np.ndarray, size: int = 40) -> np.ndarray:
    shapes = [(polygon, index + 1) for index, polygon in enumerate(polygons)]
    if not shapes:
        return np.zeros((size, size), np.int32)
    return rasterio.features.rasterize(
        shapes, out_shape=(size, size), transform=Affine.identity(), dtype="int32"
    )


CASES = {
    "perfect": (ROW, ROW, 3, 1.0),
    "perfect, in another order": (ROW, ROW[::-1], 3, 1.0),
    # 3 of 4 columns remain: 24 / (32 + 32 - 24)
    "shifted by a quarter": (ROW[:1], boxes((1, 0, 5, 8)), 1, 0.6),
    "shifted by a half": (ROW[:1], boxes((2, 0, 6, 8)), 0, 0.0),
    "merged": (ROW, boxes((0, 0, 12, 8)), 0, 0.0),
    "split": (ROW[:1], boxes((0, 0, 4, 4), (0, 4, 4, 8)), 1, 0.5),
    "split unequally": (ROW[:1], boxes((0, 0, 4, 2), (0, 2, 4, 8)), 1, 0.75),
    "one missed": (ROW, ROW[:2], 2, 1.0),
    "one too many": (ROW[:2], ROW, 2, 1.0),
    "found nothing": (ROW, NONE, 0, 0.0),
    "nothing to find": (NONE, ROW, 0, 0.0),
    "nothing at all": (NONE, NONE, 0, 0.0),
    "elsewhere": (ROW, boxes((20, 20, 24, 28)), 0, 0.0),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", ["polygons", "labels"])
def test_known_answers(case: str, way: str) -> None:
    truth, drawn, matches, mean_iou = CASES[case]
    if way == "polygons":
        score = judge(truth, drawn).scores[0]
    else:
        score = score_labels(labels_of(truth), labels_of(drawn))
    assert (score.truths, score.predictions, score.matches) == (len(truth), len(drawn), matches)
    assert score.mean_iou == pytest.approx(mean_iou)


def test_rates_follow_from_the_counts() -> None:
    score = ObjectScore(truths=8, predictions=4, matches=3, mean_iou=0.7)
    assert (score.precision, score.recall, score.f1) == (0.75, 0.375, 0.5)
    assert score.as_dict() == {
        "truths": 8,
        "predictions": 4,
        "matches": 3,
        "mean_iou": 0.7,
        "precision": 0.75,
        "recall": 0.375,
        "f1": 0.5,
        "panoptic_quality": 0.35,
    }


def test_an_empty_yard_is_never_a_perfect_score() -> None:
    score = judge(NONE, NONE).scores[0]
    assert (score.precision, score.recall, score.f1) == (0, 0, 0)


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_labels_and_polygons_score_squares_alike(data: st.DataObject) -> None:
    cells = st.lists(st.integers(0, 15), max_size=8, unique=True)
    shift = st.tuples(st.integers(0, 4), st.integers(0, 4))

    def squares(cell: int, by: tuple[int, int]) -> tuple[int, int, int, int]:
        column, row = cell % 4 * 10 + by[0], cell // 4 * 10 + by[1]
        return column, row, column + 6, row + 6

    truth = boxes(*(squares(cell, (0, 0)) for cell in data.draw(cells)))
    drawn = boxes(*(squares(cell, data.draw(shift)) for cell in data.draw(cells)))
    by_labels = score_labels(labels_of(truth), labels_of(drawn))
    by_polygons = judge(truth, drawn).scores[0]
    assert by_labels.as_dict() == pytest.approx(by_polygons.as_dict())


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1))
def test_graves_cut_by_tile_borders_are_counted_once_over_all_tiles(seed: int) -> None:
    random = np.random.default_rng(seed)
    size, halo = 60, 12  # graves are 8 px: a tile sees each grave that it owns, and its partner
    places = np.array([(r, c) for r in range(0, 60, 12) for c in range(0, 60, 12)])
    kept = places[random.random(len(places)) < 0.8]
    truth = boxes(*((c, r, c + 8, r + 8) for r, c in kept))
    moved = kept[random.random(len(kept)) < 0.8] + random.integers(0, 4, 2)
    drawn = boxes(*((c, r, c + 8, r + 8) for r, c in moved))
    whole = labels_of(truth, size), labels_of(drawn, size)
    scores = []
    for tile in plan_tiles(size, size, 20 + 2 * halo, halo):
        rows, cols = int(tile.window.row_off), int(tile.window.col_off)
        seen = [
            np.pad(labels, halo)[rows + halo :, cols + halo :][
                : tile.window.height, : tile.window.width
            ]
            for labels in whole
        ]
        inner_rows, inner_cols = tile.core_in_tile
        counted = []
        for labels in seen:
            row, col = centroids(labels).T + 0.5
            inside = (row >= inner_rows.start) & (row < inner_rows.stop)
            inside &= (col >= inner_cols.start) & (col < inner_cols.stop)
            counted.append(np.concatenate([[False], inside]))
        scores.append(score_labels(seen[0], seen[1], (counted[0], counted[1])))
    assert add_scores(scores).as_dict() == pytest.approx(score_labels(*whole).as_dict())


def test_a_prediction_beyond_the_core_counts_with_the_truth_that_owns_it() -> None:
    labels = labels_of(boxes((0, 0, 8, 8), (20, 0, 28, 8)))
    owned = np.array([False, True, False])
    other = np.array([False, False, False])
    assert score_labels(labels, labels, (owned, other)) == ObjectScore(1, 1, 1, 1.0)
    assert score_labels(labels, labels, (other, owned)) == ObjectScore(0, 0, 0, 0.0)


def test_adding_scores_weighs_overlap_by_matches() -> None:
    scores = [ObjectScore(4, 5, 3, 0.9), ObjectScore(2, 2, 1, 0.5), ObjectScore(1, 0, 0, 0.0)]
    assert add_scores(scores) == ObjectScore(7, 7, 4, pytest.approx(0.8))
    assert add_scores([]) == ObjectScore(0, 0, 0, 0.0)
