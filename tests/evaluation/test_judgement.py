"""Each grave is judged, and several places are judged like one."""

import numpy as np
import pytest
import shapely
from spiked import SPIKED, UTM

from grave_cli.evaluation.judgement import (
    IOU_LEVELS,
    Judgement,
    join_judgements,
    judge,
    judge_on_ground,
)
from grave_cli.evaluation.scorecard import fill_scorecard


def row(*lefts: float, width: float = 1.0, bottom: float = 0.0) -> np.ndarray:
    """Graves of 2 m, side by side."""
    return np.array([shapely.box(x, bottom, x + width, bottom + 2) for x in lefts], dtype=object)


NONE = row()


def random_place(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    lefts = np.arange(12) * 1.05
    truth = row(*lefts[random.random(12) < 0.8])
    drawn = lefts[random.random(12) < 0.8] + random.normal(0, 0.15)
    return truth, row(*drawn, width=random.uniform(0.8, 1.9)), random.random(len(drawn))


def test_levels_are_those_of_coco() -> None:
    assert IOU_LEVELS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def test_matches_grow_fewer_with_the_level() -> None:
    # Shares of 10, 8, 6 of 10 m2 drawn: IoU 1, 0.8 and 0.6.
    truth = row(0, 10, 20, width=5)
    drawn = np.array([*row(0, width=5), *row(10, width=4), *row(20, width=3)])
    matches = [score.matches for score in judge(truth, drawn).scores]
    assert matches == [3, 3, 3, 2, 2, 2, 2, 1, 1, 1]


def test_touching_is_within_ten_centimetres() -> None:
    judgement = judge(row(0, 1, 2.09, 3.2), NONE)
    assert judgement.touches.tolist() == [True, True, True, False]


def test_each_prediction_belongs_to_its_match_else_to_whom_it_covers_most() -> None:
    truth = row(0, 1, 2)
    drawn = np.array([shapely.box(0.1, 0, 1, 2), shapely.box(1.4, 0, 2.3, 0.5), *row(9)])
    judgement = judge(truth, drawn)
    assert judgement.nearest.tolist() == [0, 1, -1]
    assert judgement.is_found.tolist() == [True, False, False]
    assert judgement.is_right.tolist() == [True, False, False]


def test_an_unknown_confidence_is_not_zero() -> None:
    assert np.isnan(judge(row(0), row(0)).confidence).all()


@pytest.mark.parametrize(("truth", "drawn"), [(row(0), NONE), (NONE, row(0)), (NONE, NONE)])
def test_nothing_is_judged_without_complaint(truth: np.ndarray, drawn: np.ndarray) -> None:
    judgement = judge(truth, drawn)
    assert len(judgement.pairs.iou) == 0
    assert judgement.scores[0].f1 == 0
    assert len(judgement.is_found) == len(truth)
    assert len(judgement.is_right) == len(drawn)


def test_two_places_joined_are_judged_like_one() -> None:
    far = 1000.0
    places = [random_place(1), random_place(2)]
    moved = [shapely.transform(p, lambda xy: xy + far) for p in places[1][:2]]
    whole = judge(
        np.concatenate([places[0][0], moved[0]]),
        np.concatenate([places[0][1], moved[1]]),
        np.concatenate([places[0][2], places[1][2]]),
    )
    joined = join_judgements([judge(*place) for place in places])
    assert joined.nearest.tolist() == whole.nearest.tolist()
    assert joined.pairs.truth.tolist() == whole.pairs.truth.tolist()
    assert joined.pairs.predicted.tolist() == whole.pairs.predicted.tolist()
    assert _rounded(joined) == _rounded(whole)


def _rounded(judgement: Judgement) -> dict:
    metrics = fill_scorecard(judgement).metrics()
    return {name: round(value, 6) for name, value in metrics.items()}


@pytest.mark.parametrize("crs", ["EPSG:25832", "EPSG:3857", "EPSG:4326"])
def test_the_same_graves_are_judged_alike_in_any_crs(crs: str) -> None:
    from pyproj import Transformer

    place = (500_000, 5_317_000)  # near 48 degrees north, where a unit of EPSG:3857 is 67 cm
    to_crs = Transformer.from_crs("EPSG:25832", crs, always_xy=True)

    def there(graves: np.ndarray) -> np.ndarray:
        moved = shapely.transform(graves, lambda xy: xy / 0.9996 + place)  # true metres at UTM 32
        return np.asarray(shapely.transform(moved, to_crs.transform, interleaved=False))

    truth, drawn = row(0, 5), row(0.1, 5.1)
    score = fill_scorecard(judge_on_ground(there(truth), there(drawn), crs))
    assert score.at_50.matches == 2
    assert judge_on_ground(there(truth), there(drawn), crs).truth_area == pytest.approx(
        [2, 2], rel=2e-3
    )
    # Both short sides run on, both long ones are 10 cm apart.
    assert score.boundary_p95_cm == pytest.approx(10, rel=2e-3)
    assert score.corner_rmse_cm == pytest.approx(10, rel=2e-3)


def test_a_spiked_grave_is_judged_like_others() -> None:
    graves = np.array([SPIKED, shapely.box(500004, 5300001, 500005, 5300003)], dtype=object)
    judgement = judge_on_ground(graves, graves, UTM)
    assert judgement.scores[0].matches == 2
