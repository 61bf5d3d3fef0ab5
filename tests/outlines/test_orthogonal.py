"""Graves built at right angles are drawn at right angles."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from grave_cli.outlines.orthogonal import square_up
from grave_cli.outlines.polygons import iou

L_SHAPE = shapely.Polygon([(0, 0), (40, 0), (40, 15), (18, 15), (18, 40), (0, 40)])


def array(*geometries: object) -> np.ndarray:
    return np.array(geometries, dtype=object)


@settings(deadline=None, max_examples=50)
@given(angle=st.floats(-3, 3), seed=st.integers(0, 99))
def test_a_wobbly_l_becomes_one_of_six_corners(angle: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    corners = shapely.get_coordinates(shapely.segmentize(L_SHAPE, 1.0))[:-1]
    wobbly = shapely.Polygon(corners + random.normal(0, 0.15, corners.shape))
    turned = affinity.rotate(wobbly, angle, use_radians=True)
    squared = square_up(array(turned), np.array([angle]), 1.2)
    assert shapely.get_num_coordinates(squared).tolist() == [7]
    assert iou(squared, array(turned))[0] > 0.94
    sides = np.diff(shapely.get_coordinates(squared), axis=0)
    off = np.degrees(np.arctan2(sides[:, 1], sides[:, 0]) - angle) % 90
    assert np.minimum(off, 90 - off).max() < 1e-6


def test_notches_shorter_than_twice_the_tolerance_go() -> None:
    notched = shapely.box(0, 0, 40, 20).difference(shapely.box(15, 18.6, 25, 20))
    squared = square_up(array(notched), np.array([0.0]), 1.2)
    assert shapely.get_num_coordinates(squared).tolist() == [5]
    assert squared[0].area == pytest.approx(notched.area, rel=0.02)


def test_a_step_shorter_than_twice_the_tolerance_goes_to_the_mean_of_its_levels() -> None:
    # The example of `square_up`; a step of 2.1 is longer than 2 * 1 and stays.
    small, large = (
        shapely.Polygon([(0, 0), (20, 0), (20, level), (15, level), (15, 10), (0, 10)])
        for level in (8.4, 7.9)
    )
    squared = square_up(array(small, large), np.zeros(2), 1.0)
    assert squared[0].equals_exact(shapely.box(0, 0, 20, 9.6), 1e-9, normalize=True)
    assert squared[1].equals_exact(large, 1e-9, normalize=True)


def test_a_sliver_has_no_form_at_right_angles() -> None:
    sliver = shapely.Polygon([(0, 0), (50, 0.1), (100, 0)])
    assert shapely.is_empty(square_up(array(sliver), np.array([0.0]), 1.2)).all()


def test_nothing_stays_nothing() -> None:
    assert len(square_up(array(), np.array([]), 1.0)) == 0
