"""Scores by kind of grave and by confidence, on rows made by hand."""

from itertools import pairwise

import numpy as np
import pytest
import shapely

from grave_cli.evaluation.breakdown import (
    Group,
    by_confidence,
    by_neighbours,
    by_size,
    by_values,
    calibration_error,
)
from grave_cli.evaluation.judgement import Judgement, judge


def graves(*sizes: tuple[float, float]) -> np.ndarray:
    """Graves of a width and height, 10 m apart."""
    boxes = [shapely.box(10 * i, 0, 10 * i + w, h) for i, (w, h) in enumerate(sizes)]
    return np.array(boxes, dtype=object)


def some_right(right: np.ndarray, confidence: np.ndarray) -> Judgement:
    """One grave per entry, drawn where it is right, else 5 m beside it."""
    truth = graves(*[(1, 2)] * len(right))
    shift = np.where(right, 0, 5)
    drawn = [
        shapely.affinity.translate(g, x) for g, x in zip(truth, shift.astype(float), strict=True)
    ]
    return judge(truth, np.array(drawn, dtype=object), confidence)


def test_graves_are_sorted_by_true_area_and_empty_classes_left_out() -> None:
    truth = graves((0.5, 1), (0.5, 1), (1, 1), (2, 2))
    drawn = truth[[0, 3]]
    small, single, double = by_size(judge(truth, drawn))
    assert small == Group("below 1 m² (urn, child)", 2, 1, 1, 0.5, 1.0)
    assert (single.truths, single.found, single.recall, single.precision) == (1, 0, 0.0, None)
    assert (double.truths, double.recall) == (1, 1.0)
    assert [group.name for group in by_size(judge(truth[:2], drawn))] == [small.name]
    assert by_size(judge(graves(), drawn)) == ()


def test_touching_and_isolated_graves_are_scored_apart() -> None:
    truth = np.array([shapely.box(x, 0, x + 1, 2) for x in (0, 1, 9)], dtype=object)
    merged = np.array([shapely.box(0, 0, 2, 2), truth[2]], dtype=object)
    isolated, touching = by_neighbours(judge(truth, merged))
    assert (isolated.recall, isolated.precision) == (1.0, 1.0)
    # The blob covers half of its own area of either: one of the two counts as found.
    assert (touching.truths, touching.found, touching.recall) == (2, 1, 0.5)


def test_columns_score_recall_and_precision_by_value() -> None:
    truth = graves((1, 2), (1, 2), (1, 2))
    drawn = np.array([truth[0], shapely.box(10, 0, 10.2, 2), truth[2], shapely.box(50, 50, 51, 52)])
    groups = by_values(judge(truth, drawn), np.array(["stone", "stone", None], dtype=object))
    assert groups == (
        Group("stone", truths=2, found=1, predictions=2, recall=0.5, precision=0.5),
        Group("(empty)", truths=1, found=1, predictions=1, recall=1.0, precision=1.0),
    )


def test_rare_values_are_taken_together_not_dropped() -> None:
    truth = graves(*[(1, 2)] * 60)
    values = np.array([f"plot {i // 2}" if i < 40 else f"other {i}" for i in range(60)], object)
    groups = by_values(judge(truth, truth), values)
    assert len(groups) == 31
    assert groups[-1].name == "(10 rarer values)"
    assert sum(group.truths for group in groups) == 60


def test_confidence_groups_hold_about_a_tenth_each() -> None:
    confidence = np.random.default_rng(0).random(200)
    groups = by_confidence(some_right(np.ones(200, bool), confidence))
    assert [group.predictions for group in groups] == [20] * 10
    assert groups[0].lowest == confidence.min()
    assert groups[-1].highest == confidence.max()
    assert all(a.highest < b.lowest for a, b in pairwise(groups))


def test_equal_confidences_stay_together() -> None:
    right = np.array([True] * 30 + [False] * 10)
    (group,) = by_confidence(some_right(right, np.full(40, 0.9)))
    assert (group.predictions, group.right, group.precision) == (40, 30, 0.75)
    assert calibration_error([group]) == pytest.approx(0.15)


def test_the_calibration_error_of_two_groups_is_worked_out_on_paper() -> None:
    # 20 of 0.9, all right; 20 of 0.5, 5 right: (20 x 0.1 + 20 x 0.25) / 40.
    right = np.array([True] * 25 + [False] * 15)
    confidence = np.repeat([0.9, 0.5], 20)
    assert calibration_error(by_confidence(some_right(right, confidence))) == pytest.approx(0.175)


def test_without_confidence_there_are_no_groups() -> None:
    judgement = some_right(np.ones(3, bool), np.full(3, np.nan))
    assert by_confidence(judgement) == ()
    assert calibration_error(()) is None
