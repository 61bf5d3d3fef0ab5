import numpy as np
import pytest
import shapely

from grave_cli.evaluation.judgement import judge
from grave_cli.evaluation.review_curve import review_curve


def boxes(*bounds: tuple[float, float, float, float]) -> np.ndarray:
    return np.array([shapely.box(*b) for b in bounds], dtype=object)


def one_wrong_in_twenty(confidence: np.ndarray) -> tuple:
    """Twenty graves of which the last is drawn 5 m off."""
    truth = boxes(*((10 * i, 0, 10 * i + 1, 2) for i in range(20)))
    drawn = truth.copy()
    drawn[-1] = shapely.box(195, 0, 196, 2)
    return judge(truth, drawn, confidence)


def test_wrong_merged_and_split_predictions_need_a_correction() -> None:
    truth = boxes((0, 0, 1, 2), (1, 0, 1.2, 2), (5, 0, 6, 2), (9, 0, 10, 2))
    drawn = boxes((0, 0, 1.2, 2), (5, 0, 6, 1.5), (5, 1.5, 6, 2), (9, 0, 10, 2), (20, 0, 21, 2))
    judgement = judge(truth, drawn)
    assert judgement.is_right.tolist() == [True, True, False, True, False]
    assert judgement.verdicts.needs_correction.tolist() == [True, True, True, False, True]


def test_a_flag_on_the_wrong_one_finds_it_at_once() -> None:
    flags = np.zeros(20, bool)
    flags[-1] = True
    curve = review_curve(one_wrong_in_twenty(np.full(20, 0.9)), flags)
    assert (curve.to_correct, curve.flagged, curve.flagged_caught) == (1, 0.05, 1.0)
    assert dict(zip(curve.reviewed, curve.caught, strict=True))[0.05] == 1.0
    assert curve.metrics() == {"review_share": 0.05, "review_yield": 1.0}


def test_flags_elsewhere_leave_it_to_the_confidence() -> None:
    flags, confidence = np.zeros(20, bool), np.full(20, 0.9)
    flags[:2] = True
    confidence[-1] = 0.2
    curve = review_curve(one_wrong_in_twenty(confidence), flags)
    caught = dict(zip(curve.reviewed, curve.caught, strict=True))
    assert curve.flagged_caught == 0
    assert (caught[0.1], caught[0.15]) == (0.0, 1.0)


def test_everything_looked_at_finds_everything() -> None:
    confidence = np.random.default_rng(0).random(20)
    curve = review_curve(one_wrong_in_twenty(confidence), np.zeros(20, bool))
    assert (curve.caught[0], curve.caught[-1]) == (0, 1)
    assert list(curve.caught) == sorted(curve.caught)


@pytest.mark.parametrize("drawn", [boxes(), boxes((0, 0, 1, 2))])
def test_without_a_wrong_one_nothing_is_claimed(drawn: np.ndarray) -> None:
    curve = review_curve(judge(boxes((0, 0, 1, 2)), drawn), np.zeros(len(drawn), bool))
    assert curve.to_correct == 0
    assert set(curve.caught) == {None}
    assert curve.metrics() == {"review_share": 0}
