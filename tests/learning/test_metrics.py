from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grave_cli.evaluation.score import ObjectScore
from grave_cli.learning.metrics import ObjectScores, PixelScores


def test_rates_are_those_of_counts() -> None:
    scores = PixelScores()
    probability = torch.tensor([[[0.9, 0.8, 0.2, 0.6]]])
    body = torch.tensor([[[1, 0, 1, 1]]])
    scores.add(probability, body, torch.ones(1, 1, 4, dtype=torch.bool))
    # Two hits, one false, one missed.
    assert scores.rates() == pytest.approx(
        {"dice": 4 / 6, "iou": 2 / 4, "precision": 2 / 3, "recall": 2 / 3}
    )


def test_nothing_to_find_is_zero_not_one() -> None:
    scores = PixelScores()
    scores.add(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4), torch.ones(1, 4, 4, dtype=torch.bool))
    assert scores.rates() == {"dice": 0, "iou": 0, "precision": 0, "recall": 0}


def test_pixels_that_do_not_count_do_not_count() -> None:
    scores = PixelScores()
    scored = torch.tensor([[[True, False, False]]])
    scores.add(torch.tensor([[[0.9, 0.9, 0.1]]]), torch.tensor([[[1, 0, 1]]]), scored)
    assert scores.rates()["dice"] == 1


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(1, 63), max_size=5, unique=True), seed=st.integers(0, 1000))
def test_an_epoch_s_score_does_not_depend_on_its_batches(cuts: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    probability = torch.rand(64, 4, 4, generator=generator)
    body = torch.rand(64, 4, 4, generator=generator) > 0.8
    scored = torch.rand(64, 4, 4, generator=generator) > 0.2
    whole, parts = PixelScores(), PixelScores()
    whole.add(probability, body, scored)
    borders = [0, *sorted(cuts), 64]
    for start, stop in pairwise(borders):
        parts.add(probability[start:stop], body[start:stop], scored[start:stop])
    assert parts.rates() == pytest.approx(whole.rates())


def test_graves_are_counted_over_the_epoch_and_forgotten_after_it() -> None:
    scores = ObjectScores()
    scores.update(ObjectScore(truths=3, predictions=1, matches=1, mean_iou=0.8))
    scores.update(ObjectScore(truths=1, predictions=3, matches=1, mean_iou=0.7))
    assert scores.score().f1 == pytest.approx(2 * 2 / 8)
    scores.reset()
    assert scores.score().truths == 0
