import numpy as np
import pytest
import torch

from grave_cli.learning.hard_places import ConfusedPlaces, RememberConfusion, false_shares


def remembered(*epochs: list[tuple[int, float]]) -> ConfusedPlaces:
    """Remember (row, share) pairs, epoch after epoch."""
    confused = ConfusedPlaces()
    for pairs in epochs:
        rows = np.array([[0, row, 0] for row, _ in pairs])
        confused.add(rows, np.array([share for _, share in pairs]))
        confused.end_epoch()
    return confused


def test_what_an_epoch_finds_counts_from_the_next_one_on() -> None:
    confused = ConfusedPlaces()
    confused.add(np.array([[0, 1, 2]]), np.array([0.5]))
    assert len(confused) == 0
    confused.end_epoch()
    assert confused.draw(np.random.default_rng(0)) == (0, 1, 2)


def test_the_more_confused_places_are_drawn_more_often() -> None:
    confused = remembered([(1, 0.3), (2, 0.1), (3, 0.0)])
    rng = np.random.default_rng(0)
    rows = [confused.draw(rng)[1] for _ in range(2000)]
    assert rows.count(1) / len(rows) == pytest.approx(0.75, abs=0.04)
    assert rows.count(3) == 0


def test_old_places_fade_and_the_worst_are_kept() -> None:
    many = [(row, 0.4 + row / 1e4) for row in range(300)]
    confused = remembered([(999, 1.0)], many)
    assert len(confused) == 256
    assert confused.places[0, 1] == 999
    confused.end_epoch()
    confused.add(np.array([[0, 5000, 0]]), np.array([0.9]))
    confused.end_epoch()
    assert confused.places[0, 1] == 5000


def test_only_background_away_from_graves_is_confused() -> None:
    body = torch.zeros(2, 40, 40)
    body[:, :, :10] = 1
    probability = torch.zeros(2, 40, 40)
    probability[:, :, :13] = 0.9  # the edge of the grave is off by 3 px
    probability[1, 20:30, 20:30] = 0.9  # a car
    scored = torch.ones(2, 40, 40)
    assert false_shares(probability, body, scored).tolist() == pytest.approx([0, 100 / 1600])
    scored[1, 20:25] = 0
    assert false_shares(probability, body, scored).tolist() == pytest.approx([0, 50 / 1600])


def test_a_resumed_training_remembers() -> None:
    before, after = remembered([(1, 0.3), (2, 0.1)]), ConfusedPlaces()
    RememberConfusion(after).load_state_dict(RememberConfusion(before).state_dict())
    assert (after.places == before.places).all()
    assert (after.shares == before.shares).all()
