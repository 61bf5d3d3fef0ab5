import json

import numpy as np
import pytest
import shapely

from grave_cli.evaluation.judgement import judge
from grave_cli.evaluation.scorecard import fill_scorecard


def boxes(*bounds: tuple[float, float, float, float]) -> np.ndarray:
    return np.array([shapely.box(*b) for b in bounds], dtype=object)


NONE = boxes()
# Two touching graves and a lonely one, of 2 m2 each.
TRUTH = boxes((0, 0, 1, 2), (1, 0, 2, 2), (9, 0, 10, 2))


def test_a_perfect_map() -> None:
    card = fill_scorecard(judge(TRUTH, TRUTH[::-1]))
    assert (card.at_50.f1, card.at_75.f1, card.mean_f1, card.at_50.panoptic_quality) == (1,) * 4
    assert (card.merges, card.splits, card.count_error) == (0, 0, 0)
    assert (card.area_error_m2, card.boundary_p95_cm, card.corner_rmse_cm) == (0, 0, 0)
    assert card.rectangles == 3


def test_a_map_with_one_of_each_mistake() -> None:
    drawn = boxes((0, 0, 2, 2), (9, 0, 10, 1), (9, 1, 10, 2), (20, 0, 21, 2))
    card = fill_scorecard(judge(TRUTH, drawn))
    assert (card.truths, card.predictions, card.count_error) == (3, 4, 1)
    assert (card.merges, card.merged_truths) == (1, 2)
    assert (card.splits, card.split_pieces) == (1, 2)
    # The blob and a half overlap one truth each by exactly half.
    assert card.at_50.matches == 2
    assert card.at_75.matches == 0
    assert card.mean_f1 == pytest.approx(card.at_50.f1 / 10)
    assert card.at_50.panoptic_quality == pytest.approx(2 * 0.5 / (2 + 1 / 2 + 2 / 2))


def test_areas_are_biased_by_what_is_drawn_too_large() -> None:
    drawn = boxes((0, 0, 1, 2.2), (1, 0, 2, 1.9), (9, 0, 10, 2))
    card = fill_scorecard(judge(TRUTH, drawn))
    assert card.area_bias_m2 == pytest.approx((0.2 - 0.1) / 3)
    assert card.area_error_m2 == pytest.approx((0.2 + 0.1) / 3)
    assert card.area_bias_share == pytest.approx(0.1 / 3 / 2)
    assert card.area_error_share == pytest.approx((0.1 + 0.05) / 3)


def test_a_shift_is_measured_in_centimetres() -> None:
    shifted = shapely.transform(TRUTH, lambda xy: xy + np.array([0.03, 0.04]))
    card = fill_scorecard(judge(TRUTH, shifted))
    assert card.corner_rmse_cm == pytest.approx(5)
    assert 3 < card.boundary_mean_cm < 4
    assert card.boundary_p95_cm == pytest.approx(4)


@pytest.mark.parametrize(("truth", "drawn"), [(TRUTH, NONE), (NONE, TRUTH), (NONE, NONE)])
def test_what_cannot_be_said_is_none_and_no_metric(truth: np.ndarray, drawn: np.ndarray) -> None:
    card = fill_scorecard(judge(truth, drawn))
    assert card.count_error == len(drawn) - len(truth)
    unknown = (card.area_error_m2, card.boundary_mean_cm, card.boundary_p95_cm, card.corner_rmse_cm)
    assert unknown == (None,) * 4
    assert "boundary_cm" not in card.metrics()
    assert card.metrics()["object_f1"] == 0
    assert "NaN" not in json.dumps(card.as_dict())


def test_metrics_are_plain_numbers() -> None:
    metrics = fill_scorecard(judge(TRUTH, TRUTH)).metrics()
    assert {"object_f1", "object_f1_75", "panoptic_quality", "merges", "splits"} <= set(metrics)
    assert all(type(value) is float for value in metrics.values())
