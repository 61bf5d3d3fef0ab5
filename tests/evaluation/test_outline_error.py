"""Centimetres between outlines whose distance can be worked out on paper."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from grave_cli.evaluation.outline_error import (
    Distances,
    boundary_distances,
    corner_distances,
    rectangle_corners,
)

GRAVE = shapely.box(0, 0, 1, 2)


def array(*polygons: shapely.Polygon) -> np.ndarray:
    return np.array(polygons, dtype=object)


def test_the_same_outline_is_nowhere_apart() -> None:
    distances = boundary_distances(array(GRAVE), array(GRAVE))
    assert distances.weights.sum() == pytest.approx(2 * 6)  # both outlines, 6 m each
    assert distances.mean() == pytest.approx(0, abs=1e-12)
    assert distances.quantile(0.95) == pytest.approx(0, abs=1e-12)


def test_sides_are_cut_into_equal_pieces_of_at_most_five_centimetres() -> None:
    # Sides of 12 cm have three pieces of 4 cm each, sides of 3 cm one.
    small = shapely.box(0, 0, 0.12, 0.03)
    shifted = affinity.translate(small, 0, 0.01)
    distances = boundary_distances(array(small), array(shifted))
    assert sorted(distances.weights) == pytest.approx([0.03] * 4 + [0.04] * 12)
    # The long sides are 1 cm apart, the middles of the short ones lie on the other outline.
    assert sorted(distances.metres) == pytest.approx([0.0] * 4 + [0.01] * 12, abs=1e-12)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_distances_are_those_of_densely_strewn_points(seed: int) -> None:
    random = np.random.default_rng(seed)
    first, second = (shapely.MultiPoint(random.normal(0, 1, (9, 2))).convex_hull for _ in range(2))
    distances = boundary_distances(array(first), array(second))
    strewn = []
    for one, other in ((first.exterior, second.exterior), (second.exterior, first.exterior)):
        points = one.interpolate(np.arange(0.001, one.length, 0.002))
        strewn.append(shapely.distance(points, other))
    everything = np.concatenate(strewn)
    assert distances.mean() == pytest.approx(everything.mean(), abs=0.003)
    assert distances.quantile(0.95) == pytest.approx(np.quantile(everything, 0.95), abs=0.03)
    assert distances.metres.max() <= shapely.hausdorff_distance(first, second, 0.01) + 0.03


def test_a_quantile_weighs_distances_by_their_length_of_outline() -> None:
    distances = Distances(np.array([0.09, 0.02, 0.02]), np.array([0.2, 0.5, 0.3]))
    assert [distances.quantile(share) for share in (0.5, 0.79, 0.95)] == [0.02, 0.02, 0.09]
    assert distances.mean() == pytest.approx(0.8 * 0.02 + 0.2 * 0.09)


def test_an_outline_drawn_wider_all_around_is_apart_by_that_much() -> None:
    wider = shapely.box(-0.1, -0.1, 1.1, 2.1)
    distances = boundary_distances(array(GRAVE), array(wider))
    # From the grave 0.1 m everywhere; from the wider one as much, but for its corners.
    assert distances.mean() == pytest.approx(0.1, abs=0.002)
    assert distances.quantile(0.9) == pytest.approx(0.1, abs=1e-9)
    assert 0.12 < distances.metres.max() < 0.1 * np.sqrt(2)


def test_a_shift_moves_two_of_four_sides() -> None:
    shifted = affinity.translate(GRAVE, 0.06, 0)
    distances = boundary_distances(array(GRAVE), array(shifted))
    # Sides of 2 m are 6 cm apart; those of 1 m lie on each other but for their last 6 cm.
    assert distances.mean() == pytest.approx((2 * 2 * 0.06 + 2 * 0.06 * 0.03) / 6, abs=1e-3)
    assert distances.quantile(0.95) == pytest.approx(0.06)


def test_an_edge_that_is_missing_counts_from_either_side() -> None:
    half = shapely.box(0, 0, 1, 1)
    one, other = (boundary_distances(array(a), array(b)) for a, b in ((GRAVE, half), (half, GRAVE)))
    assert one.mean() == pytest.approx(other.mean())
    assert one.mean() > 0.2


def test_holes_are_outlines_too() -> None:
    ring = GRAVE.difference(shapely.box(0.4, 0.9, 0.6, 1.1))
    distances = boundary_distances(array(GRAVE), array(ring))
    assert distances.weights.sum() == pytest.approx(6 + 6 + 0.8)
    assert 0.4 < distances.metres.max() < 0.5


def test_a_long_side_weighs_more_than_a_short_one() -> None:
    grave = shapely.box(0, 0, 0.01, 10)
    moved = shapely.box(0, 0, 0.01, 10.2)
    distances = boundary_distances(array(grave), array(moved))
    # Two pieces of 0.2 m and an end of 1 cm, of outlines of 20 m each.
    assert distances.mean() < 0.002


def test_many_pairs_are_pooled() -> None:
    count = 2500  # more than are measured at once
    left = np.arange(count) * 3.0
    truth = shapely.box(left, 0, left + 1, 2)
    distances = boundary_distances(truth, shapely.box(left, 0.02, left + 1, 2.02))
    assert distances.weights.sum() == pytest.approx(count * 12)
    assert distances.metres.max() == pytest.approx(0.02)


def test_nothing_has_no_distance() -> None:
    distances = boundary_distances(array(), array())
    assert np.isnan(distances.mean())
    assert np.isnan(distances.quantile(0.95))
    assert corner_distances(array(), array()).shape == (0, 4)


@given(st.floats(0, 360), st.integers(0, 3), st.booleans())
@settings(deadline=None, max_examples=40)
def test_corners_find_each_other_however_the_outline_starts_and_turns(
    angle: float, start: int, reverse: bool
) -> None:
    turned = affinity.rotate(GRAVE, angle, origin=(0, 0))
    points = list(turned.exterior.coords)[:-1]
    points = points[start:] + points[:start]
    moved = shapely.Polygon(
        [(x + 0.03, y + 0.04) for x, y in (points[::-1] if reverse else points)]
    )
    assert corner_distances(array(turned), array(moved)) == pytest.approx(np.full((1, 4), 0.05))


def test_only_pairs_of_rectangles_have_corners() -> None:
    bent = shapely.Polygon([(0, 0), (1, 0), (1, 1), (1.3, 2), (0, 2)])
    distances = corner_distances(array(GRAVE, bent, GRAVE), array(bent, GRAVE, GRAVE))
    assert distances.tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("shape", "is_rectangle"),
    [
        (GRAVE, True),
        (shapely.segmentize(GRAVE, 0.3), True),  # vertices on the sides
        (shapely.Polygon([(0.5, 0), (1, 0), (1, 2), (0, 2), (0, 0)]), True),  # starts on a side
        (affinity.skew(GRAVE, 4), True),
        (affinity.skew(GRAVE, 15), False),
        (GRAVE.difference(shapely.box(0.4, 0.9, 0.6, 1.1)), False),
        (shapely.Point(0, 0).buffer(1), False),
        (shapely.Polygon([(0, 0), (1, 0), (0, 2)]), False),
    ],
)
def test_what_is_a_rectangle(shape: shapely.Polygon, is_rectangle: bool) -> None:
    assert np.isfinite(rectangle_corners(array(shape))).all() == is_rectangle


def test_a_corner_drawn_twice_makes_no_rectangle() -> None:
    triangle = shapely.Polygon([(0.9, 0), (1, 0.9), (1.8, 1.7), (1.8, 1.7)])
    assert np.isnan(rectangle_corners(np.array([triangle], dtype=object))).all()
