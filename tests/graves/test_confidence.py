"""Confidence is a probability that rises with each piece of evidence."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from grave_cli.graves.confidence import (
    FEATURES,
    Calibration,
    confidence_features,
    size_deviations,
)
from grave_cli.graves.evidence import Evidence
from grave_cli.outlines.polygons import Outlines

shares = st.floats(0, 1)


def test_a_model_is_the_logistic_function_of_its_features() -> None:
    model = Calibration(intercept=-1.0, weights={"body": 2.0, "fit": 1.0})
    features = np.zeros((2, len(FEATURES)))
    features[1, FEATURES.index("body")] = features[1, FEATURES.index("fit")] = 1.0
    assert model.confidence(features) == pytest.approx([1 / (1 + np.e), 1 / (1 + np.exp(-2))])


@settings(deadline=None)
@given(weights=st.lists(st.floats(0, 50), min_size=6, max_size=6), at=st.integers(0, 5))
def test_better_evidence_never_lowers_confidence(weights: list[float], at: int) -> None:
    model = Calibration(intercept=-10, weights=dict(zip(FEATURES, weights, strict=True)))
    better = np.full((2, len(FEATURES)), 0.5)
    better[1, at] = 0.9
    low, high = model.confidence(better)
    assert 0 <= low <= high <= 1


def test_a_model_that_would_punish_evidence_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"weights\.body"):
        Calibration(intercept=0, weights={"body": -1.0})


def test_a_model_survives_being_written() -> None:
    model = Calibration(intercept=0.5, weights={"body": 2.0})
    assert Calibration.model_validate_json(model.model_dump_json()) == model


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_features_are_shares_in_the_order_of_their_names(seed: int) -> None:
    random = np.random.default_rng(seed)
    sides = random.uniform(5, 50, (20, 2))
    boxes = shapely.box(0, 0, *sides.T)
    outlines = Outlines(boxes, boxes, np.full(20, "rectangle"), random.random(20), np.arange(20))
    evidence = Evidence(*random.random((6, 20)), random.random(20) < 0.5)
    features = confidence_features(outlines, evidence)
    assert features.shape == (20, len(FEATURES))
    assert ((features >= 0) & (features <= 1)).all()
    assert (features[:, FEATURES.index("body")] == evidence.body).all()
    assert (features[:, FEATURES.index("sure")] == 1 - evidence.unsure).all()
    assert (features[:, FEATURES.index("fit")] == outlines.fit).all()


def test_features_of_one_grave_are_worked_out_on_paper() -> None:
    boxes = shapely.box(0, 0, np.full(9, 10.0), 20.0)
    boxes[0] = shapely.box(0, 0, 10, 20 * np.exp(0.3))
    outlines = Outlines(boxes, boxes, np.full(9, "rectangle"), np.full(9, 0.9), np.arange(9))
    numbers = [np.full(9, value) for value in (0.8, 0.1, 0.2, 0.3, 0.4, 0.5)]
    features = confidence_features(outlines, Evidence(*numbers, np.zeros(9, np.bool_)))
    # All other areas are equal, so the spread is its least, 0.15: 0.3 is 2 of the 5 that count.
    assert dict(zip(FEATURES, features[0], strict=True)) == pytest.approx(
        {"body": 0.8, "sure": 0.9, "undivided": 0.8, "single": 0.7, "fit": 0.9, "usual": 0.6}
    )


def test_the_spread_of_sizes_is_robust() -> None:
    logs = np.array([-0.3, -0.2, -0.1, 0, 0, 0.1, 0.2, 0.3, 2.0])
    # The median is 0, the median of the absolute values 0.2.
    assert size_deviations(np.exp(logs)) == pytest.approx(logs / (1.4826 * 0.2))


def test_sizes_are_compared_with_the_cemeterys_own() -> None:
    areas = np.array([1.8, 1.9, 2.0, 2.0, 2.1, 2.2, 2.0, 1.9, 2.1, 40.0, 0.1])
    off = size_deviations(areas)
    assert np.abs(off[:9]).max() < 1
    assert off[9] > 5
    assert off[10] < -5


def test_of_a_few_graves_none_has_an_unusual_size() -> None:
    assert size_deviations(np.array([0.2, 2.0, 30.0])).tolist() == [0, 0, 0]
    assert len(size_deviations(np.array([]))) == 0
