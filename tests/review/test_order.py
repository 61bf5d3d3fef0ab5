"""The order of a review: risk first, one look for the two halves of a grave."""

import numpy as np
import shapely

from grave_cli.review.order import rank_together, scores_after_looks

GSD_M = 0.1


def test_graves_and_candidates_share_one_order_without_gaps() -> None:
    graves, candidates = rank_together(np.array([0.1, 0.9, 0.3]), np.array([0.5, 0.05]))
    assert graves.tolist() == [4, 1, 3]
    assert candidates.tolist() == [2, 5]


def test_the_second_half_of_a_grave_goes_back_in_the_order() -> None:
    graves = np.array([shapely.box(x, 0, x + 8, 20) for x in (0, 8, 40)], dtype=object)
    score = scores_after_looks(graves, np.array([0.8, 0.7, 0.5]), np.array([1.0, 1.0, 1.0]), GSD_M)
    assert score[0] == 0.8
    assert score[1] < 0.2
    assert score[2] == 0.5  # touches nothing


def test_neighbours_that_are_no_halves_keep_their_risk() -> None:
    graves = np.array([shapely.box(x, 0, x + 8, 20) for x in (0, 8)], dtype=object)
    risk = np.array([0.8, 0.8])
    assert scores_after_looks(graves, risk, np.zeros(2), GSD_M).tolist() == [0.8, 0.8]
    assert scores_after_looks(graves, risk, np.ones(2), GSD_M)[0] == 0.8  # of equals, the first


def test_a_map_without_graves_has_an_empty_order() -> None:
    none = np.zeros(0)
    assert len(scores_after_looks(np.zeros(0, object), none, none, GSD_M)) == 0
    assert [len(ranks) for ranks in rank_together(none, none)] == [0, 0]
