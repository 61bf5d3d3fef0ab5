"""Confidence is learnt from few graves, and says how often graves are right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grave_cli.graves.confidence import FEATURES
from grave_cli.training.calibration import fit_calibration


def graves(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Graves whose chance to be right hangs on body and fit alone."""
    random = np.random.default_rng(seed)
    features = random.uniform(0.6, 1, (count, len(FEATURES)))
    odds = 12 * (features[:, FEATURES.index("body")] - 0.8)
    odds += 12 * (features[:, FEATURES.index("fit")] - 0.75)
    return features, random.random(count) < 1 / (1 + np.exp(-odds))


def test_of_many_graves_confidence_is_the_share_that_is_right() -> None:
    model = fit_calibration(*graves(4000, 0))
    assert model is not None
    features, is_right = graves(4000, 1)
    confidence = model.confidence(features)
    for low, high in ((0, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1)):
        within = (confidence >= low) & (confidence < high)
        assert is_right[within].mean() == pytest.approx(confidence[within].mean(), abs=0.06)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_of_fifty_graves_it_still_ranks_better_than_chance(seed: int) -> None:
    model = fit_calibration(*graves(50, seed))
    assert model is not None
    features, is_right = graves(2000, seed + 1)
    confidence = model.confidence(features)
    assert confidence[is_right].mean() > confidence[~is_right].mean()
    assert min(model.weights.values()) >= 0
    assert confidence.min() > 0
    assert confidence.max() < 1


@pytest.mark.parametrize("right", [True, False])
def test_graves_all_alike_give_no_certainty(right: bool) -> None:
    features, _ = graves(30, 0)
    model = fit_calibration(features, np.full(30, right))
    assert model is not None
    confidence = model.confidence(features)
    assert (abs(confidence - right) < 0.15).all()
    assert ((confidence > 0) & (confidence < 1)).all()


def test_a_handful_of_graves_teaches_nothing() -> None:
    features, is_right = graves(5, 0)
    assert fit_calibration(features, is_right) is None
    assert fit_calibration(features[:0], is_right[:0]) is None
