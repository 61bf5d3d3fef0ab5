"""Odds of candidates and mistakes are learnt from few graves, and never from fewer."""

import numpy as np
import pytest
import shapely

from grave_cli.graves.review_model import CANDIDATE_FEATURES, DEFAULT_REVIEW, DOUBTS, Odds
from grave_cli.training.review_fitting import Lesson, fit_lessons, fit_odds

NAMES = ("one", "other")
START = Odds(intercept=-2.0, weights={"one": 2.0})


def cases(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cases whose odds hang on the second feature alone."""
    random = np.random.default_rng(seed)
    features = random.uniform(0, 1, (count, 2))
    return features, random.random(count) < 1 / (1 + np.exp(4 - 8 * features[:, 1]))


def test_many_cases_teach_the_true_odds() -> None:
    odds = fit_odds(*cases(5000, 0), START, NAMES)
    features, is_so = cases(5000, 1)
    found = odds.probability(features, NAMES)
    for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1)):
        within = (found >= low) & (found < high)
        assert is_so[within].mean() == pytest.approx(found[within].mean(), abs=0.05)


def test_few_cases_leave_the_odds_near_their_start() -> None:
    features, is_so = cases(5, 0)
    odds = fit_odds(features, is_so, START, NAMES)
    assert odds.weights["one"] == pytest.approx(START.weights["one"], abs=0.5)
    nothing = fit_odds(features[:0], is_so[:0], START, NAMES)
    assert nothing.intercept == pytest.approx(START.intercept, abs=1e-3)
    assert nothing.weights == pytest.approx({"one": 2.0, "other": 0.0}, abs=1e-3)


def test_no_weight_is_negative_and_equal_outcomes_give_no_certainty() -> None:
    features, is_so = cases(60, 0)
    assert min(fit_odds(1 - features, is_so, START, NAMES).weights.values()) >= 0
    for outcome in (True, False):
        found = fit_odds(features, np.full(60, outcome), START, NAMES).probability(features, NAMES)
        assert ((found > 0) & (found < 1)).all()


def lesson(graves: int, candidates: int, hits: int, shown: float = 0.9) -> Lesson:
    """Graves that are right, and candidates far apart of which the first ones are graves."""
    features = np.zeros((candidates, len(CANDIDATE_FEATURES)))
    features[:, [CANDIDATE_FEATURES.index(n) for n in ("certainty", "fit", "usual")]] = shown
    places = [shapely.box(x, 0, x + 10, 20) for x in range(0, 30 * candidates, 30)]
    return Lesson(
        doubts=np.full((graves, len(DOUBTS)), 0.1),
        is_wrong=np.zeros(graves, np.bool_),
        polygons=np.array([shapely.box(x, 0, x + 10, 20) for x in range(0, 30 * graves, 30)]),
        gsd_m=0.1,
        evidence=features,
        is_grave=np.arange(candidates) < hits,
        outlines=np.array(places, dtype=object),
    )


def test_a_handful_of_graves_teaches_nothing() -> None:
    assert fit_lessons([lesson(5, 2, 1)]) == DEFAULT_REVIEW


def test_worthless_candidates_are_no_longer_shown() -> None:
    fitted = fit_lessons([lesson(60, 40, 0), lesson(60, 40, 0)])
    evidence = lesson(1, 1, 0).evidence
    assert fitted.candidates.probability(evidence, CANDIDATE_FEATURES) < fitted.min_probability


def test_worthwhile_candidates_are_shown() -> None:
    fitted = fit_lessons([lesson(60, 20, 10, shown=0.5)])
    evidence = lesson(1, 1, 0, shown=0.5).evidence
    assert fitted.candidates.probability(evidence, CANDIDATE_FEATURES) >= fitted.min_probability


def test_the_proof_counts_every_validation_grave_once() -> None:
    fitted = fit_lessons([lesson(40, 1, 0), lesson(30, 1, 0)])
    assert fitted.proof[-1].graves == 70
    assert fitted.proof[-1].wrong == 0
    assert fit_lessons([lesson(40, 1, 0)]).proof == ()
