import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import affinity

from grave_cli.register.frames import measure_frames

GRAVE = shapely.box(0, 0, 1, 2)


@given(st.floats(-44, 44))
def test_a_rectangle_is_its_own_box_in_any_direction(turn_deg: float) -> None:
    frames = measure_frames(np.array([affinity.rotate(GRAVE, turn_deg)]), 1.0)
    assert np.degrees(frames.angles[0]) == pytest.approx(turn_deg, abs=1e-6)
    assert frames.halves[0] == pytest.approx((0.5, 1))
    assert frames.clearness[0] == pytest.approx(1)
    index = np.zeros(2, np.intp)
    both = frames.halves_along(index, frames.angles[0] + np.radians([10, 80]))
    assert both == pytest.approx(np.array([(0.5, 1), (1, 0.5)]))


@given(st.integers(0, 1000))
def test_a_square_moves_little_when_its_corners_do(seed: int) -> None:
    corners = np.array([(0, 0), (0.8, 0), (0.8, 0.8), (0, 0.8)])
    moved = corners + np.random.default_rng(seed).uniform(-0.02, 0.02, (4, 2))
    frames = measure_frames(shapely.polygons([moved]), 1.0)
    assert abs(np.degrees(frames.angles[0])) < 4
    assert frames.halves[0] == pytest.approx((0.4, 0.4), abs=0.04)


def test_a_circle_has_no_direction_and_units_become_metres() -> None:
    circle = shapely.Point(500_000, 5_400_000).buffer(10)
    frames = measure_frames(np.array([circle]), 0.1)
    assert frames.clearness[0] < 0.1
    assert frames.halves[0] == pytest.approx((1, 1), abs=0.02)
