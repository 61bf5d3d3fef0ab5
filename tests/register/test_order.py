import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import affinity

from grave_cli.register.frames import measure_frames
from grave_cli.register.order import counting_plane, reading_order

# Two lines: a tall box and two small ones stacked beside it, then one wide box. y points down.
LOW = np.array([(0, 20), (12, 11), (0, 0), (12, 0)], float)
HIGH = np.array([(30, 30), (20, 18), (10, 18), (20, 9)], float)


def test_lines_are_read_from_the_top_and_each_line_from_its_start() -> None:
    assert reading_order(LOW, HIGH).tolist() == [2, 3, 1, 0]


@given(st.permutations(range(4)), st.integers(0, 1000))
def test_the_order_of_the_input_and_some_centimetres_make_no_difference(
    order: list[int], seed: int
) -> None:
    moved = np.random.default_rng(seed).uniform(-0.05, 0.05, LOW.shape)
    found = reading_order((LOW + moved)[order], (HIGH + moved)[order])
    assert [order[index] for index in found] == [2, 3, 1, 0]


def test_boxes_that_no_strip_divides_are_sorted_by_their_centres() -> None:
    low, high = np.array([(0, 5), (1, 0)], float), np.array([(10, 15), (11, 10)], float)
    assert reading_order(low, high).tolist() == [1, 0]
    assert reading_order(low[:0], high[:0]).tolist() == []


@pytest.mark.parametrize("turn_deg", [-40, -3, 0, 25, 44])
def test_the_plane_of_counting_turns_with_the_cemetery(turn_deg: float) -> None:
    east = affinity.rotate(shapely.box(10, 0, 11, 2), turn_deg, origin=(0, 0))
    west = affinity.rotate(shapely.box(-11, 0, -10, 2), turn_deg, origin=(0, 0))
    frames = measure_frames(np.array([east, west]), 1.0)
    across, down = (counting_plane(frames, "north-west")(frames.centres)).T
    assert across == pytest.approx([10.5, -10.5], abs=1e-6)
    assert down == pytest.approx([0, 0], abs=1e-6)
    assert counting_plane(frames, "south-east")(frames.centres)[0, 0] == pytest.approx(-10.5)
