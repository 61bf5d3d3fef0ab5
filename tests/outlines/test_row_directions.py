"""Graves follow their row, unless they lie askew on purpose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grave_cli.outlines.row_directions import follow_rows


def within(count: int) -> np.ndarray:
    return np.full(count, np.radians(3))


def row(count: int) -> np.ndarray:
    return np.column_stack([np.arange(count) * 20.0, np.zeros(count)])


def test_directions_at_right_angles_meet_in_the_middle() -> None:
    # 88 and 1 degrees are 3 degrees from being at right angles.
    aligned = follow_rows(np.radians([88.0, 1.0]), np.ones(2), row(2), 100.0, np.radians([4, 4]))
    assert np.degrees(aligned) == pytest.approx([89.5, -0.5])
    apart = follow_rows(np.radians([88.0, 1.0]), np.ones(2), row(2), 100.0, np.radians([2, 2]))
    assert np.degrees(apart) == pytest.approx([88, 1])


@settings(deadline=None, max_examples=50)
@given(direction=st.floats(-4, 4), seed=st.integers(0, 99))
def test_a_rows_directions_become_one_with_less_noise(direction: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    noise = random.normal(0, np.radians(0.5), 30)
    quarters = random.integers(0, 4, 30) * np.pi / 2  # lengthwise or crosswise makes no difference
    angles = direction + noise + quarters
    aligned = follow_rows(angles, np.ones(30), row(30), 100.0, within(30)) - quarters
    assert np.abs(np.diff(aligned)).max() < np.radians(0.15)
    assert np.abs(aligned - direction).max() < np.radians(0.6)


def test_a_grave_that_lies_askew_keeps_its_direction_and_turns_no_other() -> None:
    angles = np.zeros(9)
    angles[4] = np.radians(8)
    aligned = follow_rows(angles, np.ones(9), row(9), 60.0, within(9))
    assert np.degrees(aligned) == pytest.approx(np.degrees(angles), abs=1e-6)


def test_a_grave_without_weight_follows_the_others() -> None:
    angles = np.radians([0.0, 0.0, 2.0, 0.0])
    aligned = follow_rows(angles, np.array([1.0, 1, 0, 1]), row(4), 60.0, within(4))
    assert np.degrees(aligned) == pytest.approx(0, abs=0.01)


def test_rows_that_fan_out_stay_a_fan() -> None:
    fan = np.radians(np.arange(30) * 1.0)
    aligned = follow_rows(fan, np.ones(30), row(30), 45.0, within(30))
    assert np.degrees(aligned[5:-5]) == pytest.approx(np.arange(5, 25), abs=0.1)


def test_far_rows_do_not_matter() -> None:
    centres = np.concatenate([row(5), row(5) + 1000])
    angles = np.radians([0.0] * 5 + [2.0] * 5)
    assert follow_rows(angles, np.ones(10), centres, 100.0, within(10)) == pytest.approx(angles)


@pytest.mark.parametrize("count", [0, 1])
def test_a_grave_without_neighbours_keeps_its_direction(count: int) -> None:
    aligned = follow_rows(np.full(count, 0.3), np.zeros(count), row(count), 100.0, within(count))
    assert aligned.tolist() == [0.3] * count


def test_a_small_grave_may_turn_farther_than_a_large_one() -> None:
    angles = np.zeros(9)
    angles[[3, 6]] = np.radians(8)
    tolerance = within(9)
    tolerance[3] = np.radians(10)
    aligned = follow_rows(angles, np.ones(9), row(9), 100.0, tolerance)
    assert np.degrees(aligned[[3, 6]]) == pytest.approx([0, 8], abs=1.5)
