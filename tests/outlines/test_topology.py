"""No grave lies on another's ground, and no sliver is left between graves."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from grave_cli.outlines import topology
from grave_cli.outlines.polygons import to_crs
from grave_cli.outlines.topology import close_gaps, lay_as_coverage, resolve_overlaps

NO_POLYGONS = np.array([], dtype=object)


def array(*geometries: object) -> np.ndarray:
    return np.array(geometries, dtype=object)


def assert_disjoint(polygons: np.ndarray) -> None:
    assert shapely.is_valid(polygons).all()
    assert set(shapely.get_type_id(polygons)) <= {shapely.GeometryType.POLYGON}
    whole = shapely.union_all(polygons).area
    assert shapely.area(polygons).sum() == pytest.approx(whole, abs=1e-3)


def test_graves_that_overlap_by_a_tenth_meet_in_the_middle() -> None:
    pair = array(shapely.box(0, 0, 10, 20), shapely.box(9, 0, 19, 20))
    solved = resolve_overlaps(pair, np.array([0.5, 0.9]))
    expected = array(shapely.box(0, 0, 9.5, 20), shapely.box(9.5, 0, 19, 20))
    assert shapely.equals_exact(solved, expected, 1e-6, normalize=True).all()


@settings(deadline=None, max_examples=40)
@given(angle=st.floats(0, 180), confident=st.booleans())
def test_a_narrow_overlap_is_halved_whoever_is_more_confident(
    angle: float, confident: bool
) -> None:
    both = shapely.MultiPolygon([shapely.box(0, 0, 10, 20), shapely.box(9, 0, 19, 20)])
    pair = array(*affinity.rotate(both, angle).geoms)
    solved = resolve_overlaps(pair, np.array([0.6, 0.9 if confident else 0.3]))
    assert shapely.area(solved) == pytest.approx([190, 190], abs=1e-3)
    assert shapely.distance(*solved) < 1e-9
    assert_disjoint(solved)


def test_in_a_conflict_the_more_confident_grave_keeps_the_ground() -> None:
    left, right = shapely.box(0, 0, 6, 4), shapely.box(4, 0, 10, 4)
    for confidence, areas in [((0.9, 0.5), [24, 16]), ((0.5, 0.9), [16, 24])]:
        solved = resolve_overlaps(array(left, right), np.array(confidence))
        assert shapely.area(solved).tolist() == areas
        assert_disjoint(solved)


def test_of_equals_the_earlier_wins_and_a_covered_one_is_left_empty() -> None:
    box = shapely.box(0, 0, 4, 4)
    solved = resolve_overlaps(array(box, box), np.array([0.5, 0.5]))
    assert shapely.area(solved).tolist() == [16, 0]


def test_a_grave_cut_in_two_keeps_its_larger_part() -> None:
    bar, path = shapely.box(0, 0, 10, 2), shapely.box(3, -1, 5.5, 3)
    solved = resolve_overlaps(array(bar, path), np.array([0.1, 0.9]))
    assert solved[0].bounds == (5.5, 0, 10, 2)


def test_graves_that_only_touch_are_left_as_they_are() -> None:
    pair = array(shapely.box(0, 0, 4, 4), shapely.box(4, 0, 8, 4))
    assert resolve_overlaps(pair, np.array([0.1, 0.9])).tolist() == pair.tolist()
    assert len(resolve_overlaps(NO_POLYGONS, np.array([]))) == 0


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 12))
def test_any_pile_of_graves_is_resolved(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 10, (count, 2))
    sides = random.uniform(0.5, 5, (count, 2))
    boxes = shapely.box(*corners.T, *(corners + sides).T)
    turned = [
        affinity.rotate(box, angle)
        for box, angle in zip(boxes, random.uniform(0, 90, count), strict=True)
    ]
    solved = resolve_overlaps(array(*turned), random.integers(0, 4, count) / 4)
    assert_disjoint(solved[~shapely.is_empty(solved)])
    assert (shapely.area(solved) <= shapely.area(boxes) + 1e-9).all()


def test_a_narrow_gap_beside_a_grave_that_may_grow_is_closed() -> None:
    fixed = shapely.box(0, 0, 20, 40)
    wavy = shapely.Polygon([(20.4, 0), (40, 0), (40, 40), (20.6, 40), (20.2, 20)])
    closed = close_gaps(array(fixed, wavy), np.array([1]), 0.8)
    assert closed[0] == fixed
    assert shapely.intersection(*closed).length > 38
    assert_disjoint(closed)


def test_a_wide_gap_stays() -> None:
    pair = array(shapely.box(0, 0, 20, 40), shapely.box(21, 0, 40, 40))
    assert shapely.equals(close_gaps(pair, np.array([1]), 0.8), pair).all()


def test_without_a_width_or_a_grave_that_may_grow_nothing_changes() -> None:
    pair = array(shapely.box(0, 0, 20, 40), shapely.box(20.1, 0, 40, 40))
    assert close_gaps(pair, np.array([1]), 0.0).tolist() == pair.tolist()
    assert close_gaps(pair, np.array([], np.intp), 0.8).tolist() == pair.tolist()


def test_rings_that_geos_leaves_crossing_are_mended() -> None:
    # GEOS 3.14 closes the gap of this pair with a ring that crosses itself.
    spiked = [
        (700.50871, 432.381941),
        (678.0785710574002, 438.4982701714941),
        (678.0778920918573, 438.59934473426057),
        (677.0053389268303, 448.4947868049564),
        (677.0053389268303, 448.4947868049565),
        (678.082818, 438.553898),
        (693.004773, 438.156507),
    ]
    narrow = [(699.579956, 463.880844), (694.438958, 437.884227), (694.358101, 438.066156)]
    pair = array(shapely.Polygon(spiked), shapely.Polygon(narrow))
    closed = close_gaps(pair, np.arange(2), 1.0)
    assert_disjoint(closed)
    assert (shapely.area(closed) >= shapely.area(pair) - 1e-9).all()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_growing_takes_no_ground_from_anybody(seed: int) -> None:
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 10, (10, 2))
    boxes = shapely.box(*corners.T, *(corners + random.uniform(0.5, 4, (10, 2))).T)
    apart = resolve_overlaps(boxes, random.random(10))
    apart = apart[~shapely.is_empty(apart)]
    grown = close_gaps(apart, np.arange(len(apart)), 0.5)
    assert_disjoint(grown)
    assert (shapely.area(grown) >= shapely.area(apart) - 1e-9).all()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_a_coverage_stays_valid_and_disjoint_far_from_the_origin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = [
        affinity.rotate(shapely.box(x, y, x + w, y + h), angle)
        for x, y, w, h, angle in zip(
            *rng.uniform(0, 60, (2, 30)),
            *rng.uniform(3, 20, (2, 30)),
            rng.uniform(0, 90, 30),
            strict=True,
        )
    ]
    polygons, confidence = np.array(boxes, dtype=object), rng.random(30)
    laid = lay_as_coverage(resolve_overlaps(polygons, confidence), confidence)
    placed = to_crs(laid, Affine(0.04, 0, 447234.123, 0, -0.04, 5412345.77))
    assert shapely.is_valid(placed).all()
    first, second = shapely.STRtree(placed).query(placed, "intersects")
    pairs = first < second
    common = shapely.intersection(placed[first[pairs]], placed[second[pairs]])
    assert shapely.area(common).max(initial=0) == 0


def test_a_coverage_is_where_the_polygons_were() -> None:
    pair = np.array([shapely.box(0, 0, 10, 10), shapely.box(10, 2, 20, 8)], dtype=object)
    laid = lay_as_coverage(pair, np.array([0.5, 0.9]))
    assert shapely.area(laid) == pytest.approx([100, 60])
    shared = {(10.0, 2.0), (10.0, 8.0)}  # the corners of the one are points of the other
    assert shared <= {tuple(point) for point in shapely.get_coordinates(laid[0])}


def test_groups_and_threads_change_no_coverage(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    corners = rng.uniform(0, 300, (2, 60))
    boxes = [
        affinity.rotate(shapely.box(x, y, x + 20, y + 9), angle)
        for x, y, angle in zip(*corners, rng.uniform(0, 90, 60), strict=True)
    ]
    confidence = rng.random(60)
    polygons = resolve_overlaps(array(*boxes), confidence)
    polygons[:2] = shapely.Polygon()  # graves that lost their ground
    together = lay_as_coverage(polygons, confidence)
    assert (shapely.area(together[2:]) > 0).sum() > 40
    monkeypatch.setattr(topology, "_GROUP", 1)
    with ThreadPoolExecutor(3) as pool:
        apart = lay_as_coverage(polygons, confidence, pool.map)
    assert shapely.equals_identical(shapely.normalize(apart), shapely.normalize(together)).all()
    assert len(lay_as_coverage(NO_POLYGONS, np.zeros(0))) == 0
