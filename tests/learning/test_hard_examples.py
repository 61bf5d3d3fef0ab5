import numpy as np
import pytest
import torch

from grave_cli.learning.hard_examples import (
    HardExamples,
    MineHardExamples,
    false_positive_shares,
)


def found(*epochs: list[tuple[int, float]]) -> HardExamples:
    """Hard examples after epochs that found these (row, share) pairs."""
    examples = HardExamples()
    for pairs in epochs:
        rows = torch.tensor([[0, row, 0] for row, _ in pairs])
        examples.add(rows, torch.tensor([share for _, share in pairs], dtype=torch.float64))
        examples.end_epoch()
    return examples


def test_examples_are_drawn_from_the_epoch_after_they_were_found() -> None:
    examples = HardExamples()
    examples.add(torch.tensor([[0, 1, 2]]), torch.tensor([0.5]))
    assert len(examples) == 0
    examples.end_epoch()
    assert examples.draw(np.random.default_rng(0)) == (0, 1, 2)


def test_examples_are_drawn_in_proportion_to_their_share() -> None:
    examples = found([(1, 0.3), (2, 0.1), (3, 0.0)])
    rng = np.random.default_rng(0)
    rows = [examples.draw(rng)[1] for _ in range(2000)]
    assert rows.count(1) / len(rows) == pytest.approx(0.75, abs=0.04)
    assert rows.count(3) == 0


def test_old_examples_fade_and_the_worst_are_kept() -> None:
    many = [(row, 0.4 + row / 1e4) for row in range(300)]
    examples = found([(999, 1.0)], many)
    assert len(examples) == 256
    assert examples.places[0, 1] == 999
    examples.end_epoch()
    examples.add(torch.tensor([[0, 5000, 0]]), torch.tensor([0.9]))
    examples.end_epoch()
    assert examples.places[0, 1] == 5000


def test_only_background_away_from_graves_is_a_false_positive() -> None:
    body = torch.zeros(2, 40, 40)
    body[:, :, :10] = 1
    probability = torch.zeros(2, 40, 40)
    probability[:, :, :13] = 0.9  # the edge of the grave is off by 3 px
    probability[1, 20:30, 20:30] = 0.9  # a car
    scored = torch.ones(2, 40, 40)
    assert false_positive_shares(probability, body, scored).tolist() == pytest.approx(
        [0, 100 / 1600]
    )
    scored[1, 20:25] = 0
    assert false_positive_shares(probability, body, scored).tolist() == pytest.approx(
        [0, 50 / 1600]
    )


def test_a_resumed_training_keeps_its_examples() -> None:
    before, after = found([(1, 0.3), (2, 0.1)]), HardExamples()
    MineHardExamples(after).load_state_dict(MineHardExamples(before).state_dict())
    assert (after.places == before.places).all()
    assert (after.shares == before.shares).all()


def test_checkpoints_written_before_the_class_was_renamed_still_hold_its_state() -> None:
    assert MineHardExamples(HardExamples()).state_key == "RememberConfusion"
