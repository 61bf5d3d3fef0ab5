"""A promise about unseen errors holds as often as it says, and is not made from few graves."""

import numpy as np
import pytest

from grave_cli.graves.review_model import Step
from grave_cli.review.guarantee import (
    CONFIDENCE,
    FEWEST,
    LIMITS,
    Promise,
    count_steps,
    make_promises,
    most_wrong,
    usual_promise,
)


@pytest.mark.parametrize("rate", [0.005, 0.03, 0.15])
@pytest.mark.parametrize("known", [60, 300])
def test_the_bound_holds_in_nine_of_ten_cases(rate: float, known: int) -> None:
    random = np.random.default_rng(0)
    wrong, unseen = random.binomial(known, rate, 2000), random.binomial(120, rate, 2000)
    bounds = {int(k): most_wrong(int(k), known, 120) for k in np.unique(wrong)}
    held = np.array([bounds[int(k)] for k in wrong]) >= unseen
    assert held.mean() >= CONFIDENCE - 0.015  # chance of 2,000 draws


def test_the_worked_example() -> None:
    assert most_wrong(2, 100, 100) == 6


def test_a_bound_for_any_number_of_graves_takes_no_time() -> None:
    assert 0 < most_wrong(0, 400, 10**8) < 10**6


def test_no_grave_left_means_no_error_left() -> None:
    assert most_wrong(3, 80, 0) == 0


def test_more_known_graves_give_a_closer_bound() -> None:
    assert most_wrong(0, 400, 100) < most_wrong(0, 50, 100) < 100


def test_steps_count_the_graves_below_fixed_limits() -> None:
    score = np.linspace(0, 1, 101)
    steps = count_steps(score, score > 0.1, np.zeros(101, np.intp))
    assert [step.below for step in steps] == list(LIMITS)
    assert steps[0] == Step(below=0.03, graves=3, wrong=0)
    assert steps[4].wrong == np.count_nonzero((score > 0.1) & (score < 0.2))


def test_cemeteries_that_differ_widen_the_promise() -> None:
    score, place = np.full(400, 0.01), np.repeat(np.arange(4), 100)
    alike, apart = (np.zeros(400, np.bool_) for _ in range(2))
    alike[::40] = True
    apart[:10] = True  # all in one cemetery
    even, uneven = (count_steps(score, wrong, place)[0] for wrong in (alike, apart))
    assert (even.wrong, uneven.wrong) == (10, 10)
    assert even.spread == 1 < 5 < uneven.spread
    new, none = np.full(100, 0.01), np.zeros(0)
    bounds = [make_promises((step,), new, none)[0].unseen for step in (even, uneven)]
    assert bounds[0] < bounds[1] <= 100


@pytest.mark.parametrize("spread", [1.05, 1.2, 1.5, 1.9, 2.5])
def test_differences_never_make_a_promise_closer(spread: float) -> None:
    new, none = np.full(150, 0.01), np.zeros(0)
    for wrong in range(6):
        steps = [Step(below=0.03, graves=100, wrong=wrong, spread=one) for one in (1.0, spread)]
        alike, apart = (make_promises([step], new, none)[0].unseen for step in steps)
        assert alike <= apart


def test_promises_hold_for_cemeteries_that_differ() -> None:
    random = np.random.default_rng(0)
    held = []
    for _ in range(300):
        rates = random.beta(1.5, 40, 13)  # 12 validation cemeteries and a new one
        wrong = random.random((13, 80)) < rates[:, None]
        place = np.repeat(np.arange(12), 80)
        steps = count_steps(np.full(960, 0.01), wrong[:12].ravel(), place)
        promise = make_promises(steps[:1], np.full(80, 0.01), np.zeros(0))[0]
        held.append(promise.unseen >= wrong[12].sum())
    assert np.mean(held) >= 0.87


def test_few_graves_prove_nothing() -> None:
    score = np.full(FEWEST - 1, 0.1)
    assert count_steps(score, score > 1, np.zeros(len(score), np.intp)) == ()
    assert make_promises((), score, score) == ()
    assert usual_promise((), 10) is None


def test_a_promise_counts_graves_and_candidates_before_the_limit() -> None:
    proof = (Step(below=0.1, graves=200, wrong=1), Step(below=0.5, graves=220, wrong=6))
    graves, candidates = np.array([0.9, 0.4, *[0.01] * 20]), np.array([0.6, 0.2])
    promises = make_promises(proof, graves, candidates)
    assert [one.looked_at for one in promises] == [2, 4]
    assert promises[0].unseen >= promises[1].unseen
    assert usual_promise(promises, 24) == promises[1]
    assert usual_promise(promises, 12) == promises[0]
    assert usual_promise(promises, 2) == promises[0] == Promise(2, promises[0].unseen)
