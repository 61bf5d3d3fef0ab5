from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grave_cli.learning.metrics import PixelScores, TileScores
from grave_cli.settings.mapping import DecodingSettings


def test_rates_follow_from_the_counts() -> None:
    scores = PixelScores()
    probability = torch.tensor([[[0.9, 0.8, 0.2, 0.6]]])
    body = torch.tensor([[[1, 0, 1, 1]]])
    scores.add(probability, body, torch.ones(1, 1, 4, dtype=torch.bool))
    # Two hits, one false positive, one miss.
    assert scores.rates() == pytest.approx(
        {"dice": 4 / 6, "iou": 2 / 4, "precision": 2 / 3, "recall": 2 / 3}
    )


def test_nothing_to_find_is_zero_not_one() -> None:
    scores = PixelScores()
    scores.add(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4), torch.ones(1, 4, 4, dtype=torch.bool))
    assert scores.rates() == {"dice": 0, "iou": 0, "precision": 0, "recall": 0}


def test_unscored_pixels_do_not_count() -> None:
    scores = PixelScores()
    scored = torch.tensor([[[True, False, False]]])
    scores.add(torch.tensor([[[0.9, 0.9, 0.1]]]), torch.tensor([[[1, 0, 1]]]), scored)
    assert scores.rates()["dice"] == 1


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(1, 63), max_size=5, unique=True), seed=st.integers(0, 1000))
def test_the_score_of_an_epoch_does_not_depend_on_its_batches(cuts: list[int], seed: int) -> None:
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


def squares(count: int) -> np.ndarray:
    """A row of square graves of 1 m at 0.1 m a pixel, ids from 1, in a tile of 64 px."""
    labels = np.zeros((64, 64), np.int32)
    for number in range(count):
        labels[10:20, 5 + 20 * number : 15 + 20 * number] = number + 1
    return labels


def add_tile(scores: TileScores, true_graves: int, predicted_graves: int) -> None:
    truth = torch.from_numpy(squares(true_graves))[None]
    everywhere = torch.ones_like(truth, dtype=torch.bool)
    body = (squares(predicted_graves) > 0).astype(np.float32)
    batch = {
        "core": everywhere,
        "scored": everywhere[:, None],
        "valid": everywhere,
        "targets": (truth > 0)[:, None],
        "instances": truth,
    }
    scores.add(np.stack([body, 0 * body, 0 * body])[None], batch)


def test_graves_are_counted_over_the_epoch_and_forgotten_after_it() -> None:
    scores = TileScores(0.1, DecodingSettings())
    add_tile(scores, true_graves=3, predicted_graves=1)
    add_tile(scores, true_graves=1, predicted_graves=2)
    taken = scores.take()
    assert taken["val/object_f1"] == pytest.approx(2 * 2 / 7)  # the mean of the tiles is 0.58
    assert taken["val/object_precision"] == pytest.approx(2 / 3)
    assert taken["val/object_recall"] == pytest.approx(2 / 4)
    add_tile(scores, true_graves=0, predicted_graves=0)
    assert set(scores.take().values()) == {0}
