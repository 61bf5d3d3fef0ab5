"""A simulated review: which look shows which error."""

import numpy as np
import pytest
import shapely

from grave_cli.evaluation.judgement import judge
from grave_cli.evaluation.review_looks import REVIEWED, Looks, caught_together, look_through

NONE = np.zeros(0, object)


def row(*lefts: float, width: float = 1.0) -> np.ndarray:
    return np.array([shapely.box(left, 0, left + width, 2) for left in lefts], dtype=object)


def looks(
    truth: np.ndarray, graves: np.ndarray, ranks: list[int], candidates: np.ndarray = NONE,
    candidate_ranks: tuple[int, ...] = (),
) -> Looks:  # fmt: skip
    judged = judge(truth, graves)
    return look_through(
        judged, truth, graves, np.array(ranks), candidates, np.array(candidate_ranks, np.intp)
    )


def test_a_map_without_errors_has_nothing_to_show() -> None:
    seen = looks(row(0, 3), row(0, 3), [1, 2])
    assert seen.items == 2
    assert seen.caught(1.0) is None
    assert seen.curve() == (None,) * len(REVIEWED)


def test_a_wrong_grave_is_seen_when_it_is_looked_at() -> None:
    assert looks(row(0), row(0, 9), [1, 2]).shown.tolist() == [2]


def test_a_missed_grave_is_seen_at_its_candidate_and_never_without_one() -> None:
    truth, graves = row(0, 3, 6), row(0, 3)
    assert looks(truth, graves, [2, 3], row(6.2), (1,)).shown.tolist() == [1]
    assert looks(truth, graves, [1, 2]).shown.tolist() == [np.inf]
    far = looks(truth, graves, [2, 3], row(9), (1,))
    assert far.shown.tolist() == [np.inf]


def test_one_look_shows_a_wrong_outline_and_the_grave_it_missed() -> None:
    seen = looks(row(0), row(0.6), [1])  # IoU 0.25
    assert seen.shown.tolist() == [1, 1]


def test_a_split_grave_is_one_error_and_its_first_piece_shows_it() -> None:
    seen = looks(row(0, width=2), row(0, 1), [2, 1])
    assert seen.shown.tolist() == [1]


def test_a_merge_is_one_error() -> None:
    assert looks(row(0, 1), row(0, width=2), [1]).shown.tolist() == [1]


def test_the_curve_counts_errors_by_share_of_the_map() -> None:
    seen = Looks(20, np.array([1.0, 3.0, 12.0, np.inf]))
    assert seen.caught(0.15) == pytest.approx(0.5)
    assert seen.caught(1.0) == pytest.approx(0.75)
    assert seen.curve()[0] == 0
    assert list(seen.curve()) == sorted(seen.curve())


def test_errors_of_several_maps_count_alike() -> None:
    parts = [Looks(10, np.array([1.0])), Looks(10, np.array([9.0, 9.0, 9.0])), Looks(5, NONE)]
    assert caught_together(parts, 0.15) == pytest.approx(0.25)
    assert caught_together([Looks(5, np.zeros(0))], 0.15) is None
