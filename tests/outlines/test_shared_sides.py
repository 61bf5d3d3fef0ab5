"""Neighbours share their sides: no gap, no overlap, and no side moves far."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from grave_cli.outlines.rectangles import Rectangles
from grave_cli.outlines.shared_sides import share_sides

REACH = 0.8


def upright(*boxes: tuple[float, float, float, float], turn: float = 0.0) -> Rectangles:
    """Rectangles given by x and y from and to, in a frame turned by an angle."""
    low, high = np.array(boxes)[:, [0, 1]], np.array(boxes)[:, [2, 3]]
    return Rectangles(np.full(len(boxes), turn), low, high)


def gap(polygons: np.ndarray) -> float:
    return float(shapely.distance(polygons[0], polygons[1]))


@settings(deadline=None, max_examples=60)
@given(space=st.floats(-0.8, 0.79), turn=st.floats(-3, 3), shift=st.floats(-8, 8))
def test_two_beside_each_other_meet_in_the_middle(space: float, turn: float, shift: float) -> None:
    two = upright((0, 0, 18, 40), (18 + space, shift, 36, 40 + shift), turn=turn)
    drawn = share_sides(two, REACH)
    assert gap(drawn) < 1e-9
    assert shapely.area(shapely.intersection(*drawn)) < 1e-9
    assert shapely.area(drawn) == pytest.approx([(18 + space / 2) * 40, (18 - space / 2) * 40])


def assert_boxes(drawn: np.ndarray, *boxes: tuple[float, float, float, float]) -> None:
    """Check the outlines drawn against boxes given by x and y from and to."""
    expected = shapely.box(*np.array(boxes, dtype=float).T)
    assert shapely.equals_exact(drawn, expected, 1e-9, normalize=True).all()


def test_a_longer_side_moves_less_than_a_shorter_one() -> None:
    drawn = share_sides(upright((0, 0, 18, 40), (18.3, 0, 36, 20)), REACH)
    assert_boxes(drawn, (0, 0, 18.1, 40), (18.1, 0, 36, 20))


def test_a_gap_that_is_wide_enough_stays() -> None:
    boxes = (0, 0, 18, 40), (19, 0, 36, 40)
    assert_boxes(share_sides(upright(*boxes), REACH), *boxes)


def test_neighbours_that_lie_askew_share_a_line_in_between() -> None:
    lean = np.radians(1)
    two = Rectangles(
        np.array([0, lean]), np.array([(0, 0), (18.3, 0)]), np.array([(18, 40), (36, 40)])
    )
    drawn = share_sides(two, REACH)
    common = shapely.intersection(shapely.buffer(drawn[0], 1e-6), drawn[1])
    assert shapely.area(shapely.intersection(*drawn)) < 1e-9
    assert common.length / 2 > 38
    assert shapely.hausdorff_distance(drawn, two.polygons()).max() < REACH


def test_a_wide_grave_beside_two_small_ones_gets_one_line_with_both() -> None:
    three = upright((0, 0, 18, 40), (18.3, 0, 36, 19.8), (18.1, 20, 36, 40))
    drawn = share_sides(three, REACH)
    assert shapely.coverage_union_all(drawn).area == pytest.approx(shapely.area(drawn).sum())
    assert drawn[0].bounds[2] == pytest.approx(drawn[1].bounds[0])
    assert drawn[0].bounds[2] == pytest.approx(drawn[2].bounds[0])
    assert drawn[1].bounds[3] == pytest.approx(drawn[2].bounds[1])


def test_where_no_line_fits_a_whole_row_each_shares_with_the_one_it_faces_most() -> None:
    steps = [(0, 20 * k, 18, 20 * k + 20) for k in range(6)]
    facing = [(18.2 + 0.5 * k, 20 * k + 4, 40, 20 * k + 24) for k in range(6)]
    steps = [(0, low, 18 + 0.5 * k, high) for k, (_, low, _, high) in enumerate(steps)]
    drawn = share_sides(upright(*steps, *facing), REACH)
    joined = [gap(drawn[[k, k + 6]]) < 1e-9 for k in range(6)]
    assert all(joined)
    before = shapely.box(*np.array([*steps, *facing], dtype=float).T)
    assert shapely.hausdorff_distance(drawn, before).max() <= REACH + 1e-9


def test_graves_that_meet_at_a_corner_only_are_left_alone() -> None:
    boxes = (0, 0, 18, 40), (18.1, 40.1, 36, 80)
    assert_boxes(share_sides(upright(*boxes), REACH), *boxes)


def test_without_reach_nothing_moves() -> None:
    boxes = (0, 0, 18, 40), (18, 0, 36, 40), (50, 0, 60, 10)
    assert_boxes(share_sides(upright(*boxes), 0.0), *boxes)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_rows_with_noise_are_left_without_slivers(seed: int) -> None:
    random = np.random.default_rng(seed)
    noise = np.clip(random.normal(0, 0.15, (8, 2)), -REACH / 2, REACH / 2)  # gaps within reach
    boxes = [(18 * k + left, 0, 18 * k + 18 + right, 40) for k, (left, right) in enumerate(noise)]
    turn = random.uniform(0, 3)
    drawn = share_sides(upright(*boxes, turn=turn), REACH)
    assert shapely.is_valid(drawn).all()
    assert shapely.distance(drawn[:-1], drawn[1:]).max() < 1e-9
    assert shapely.area(drawn).sum() == pytest.approx(shapely.union_all(drawn).area)
    turned_back = [affinity.rotate(p, -turn, origin=(0, 0), use_radians=True) for p in drawn]
    assert all(p.bounds[3] == pytest.approx(40) for p in turned_back)


def test_a_narrow_grave_is_not_turned_inside_out() -> None:
    # Its left side moves to 19.8 or farther right, its right side to 20.25 or farther left.
    drawn = share_sides(upright((0, 0, 20, 40), (19.6, 0, 20, 40), (20.5, 0, 40, 40)), REACH)
    assert shapely.area(drawn) == pytest.approx([801, 16, 799], abs=15)
    askew = Rectangles(
        np.array([0, 0.05, 0]),
        np.array([(0.0, 0.0), (19.6, 0.0), (20.5, 0.0)]),
        np.array([(20.0, 40.0), (20.0, 40.0), (40.0, 40.0)]),
    )
    assert shapely.is_valid(share_sides(askew, REACH)).all()
