"""Outlines are clean: valid, as large as the grave, and none on another's ground."""

import numpy as np
import pytest
import shapely
from affine import Affine
from grave_rows import GSD_M, row_of_graves
from hypothesis import given, settings
from hypothesis import strategies as st

from grave_cli.graves.outlines import (
    Outlines,
    draw_outlines,
    fit_rectangles,
    iou,
    largest_parts,
    resolve_overlaps,
    to_crs,
)
from grave_cli.settings.sections import OutlineSettings

angles = st.floats(0, 180)
NO_POLYGONS = np.array([], dtype=object)


def array(*geometries: object) -> np.ndarray:
    return np.array(geometries, dtype=object)


def draw(labels: np.ndarray, seed: int = 0) -> Outlines:
    confidence = np.random.default_rng(seed).random(labels.max())
    return draw_outlines(labels, confidence, GSD_M, OutlineSettings())


def assert_disjoint(polygons: np.ndarray) -> None:
    assert shapely.is_valid(polygons).all()
    assert set(shapely.get_type_id(polygons)) <= {shapely.GeometryType.POLYGON}
    whole = shapely.union_all(polygons).area
    assert shapely.area(polygons).sum() == pytest.approx(whole, rel=1e-9)


@settings(deadline=None, max_examples=40)
@given(
    angle=angles,
    length=st.floats(1.0, 2.4),
    width=st.floats(0.5, 1.4),
    gap=st.sampled_from([0.0, 0.03, 0.08, 0.4]),
    seed=st.integers(0, 99),
)
def test_outlines_are_valid_and_disjoint_at_any_angle(
    angle: float, length: float, width: float, gap: float, seed: int
) -> None:
    _, labels = row_of_graves(5, length, width, gap, angle)
    outlines = draw(labels, seed)
    assert outlines.labels.tolist() == [1, 2, 3, 4, 5]
    assert_disjoint(outlines.regular)
    assert_disjoint(outlines.raw)


@settings(deadline=None, max_examples=40)
@given(angle=angles, length=st.floats(0.9, 2.4), width=st.floats(0.6, 1.4))
def test_a_rectangle_keeps_the_graves_area_and_place(
    angle: float, length: float, width: float
) -> None:
    truth, labels = row_of_graves(1, length, width, 0.0, angle)
    outlines = draw(labels)
    assert outlines.is_rectangle.all()
    assert shapely.get_num_coordinates(outlines.regular).tolist() == [5]
    assert shapely.area(outlines.regular) == pytest.approx((labels > 0).sum(), rel=0.02)
    assert iou(outlines.regular, truth)[0] > 0.9


def test_raw_outlines_follow_the_pixels() -> None:
    _, labels = row_of_graves(4, 1.8, 0.8, 0.03, 25.0)
    assert shapely.area(draw(labels).raw).tolist() == np.bincount(labels.ravel())[1:].tolist()


def test_what_is_no_rectangle_keeps_its_shape() -> None:
    labels = np.zeros((60, 60), np.int32)
    labels[10:50, 10:20] = 1
    labels[40:50, 10:50] = 1
    outlines = draw(labels)
    assert not outlines.is_rectangle.any()
    assert iou(outlines.regular, outlines.raw)[0] > 0.95


def test_a_grave_in_several_pieces_is_its_largest_one() -> None:
    labels = np.zeros((40, 40), np.int32)
    labels[2:5, 2:5] = 1
    labels[10:30, 10:30] = 1
    assert draw(labels).regular[0].bounds == pytest.approx((10, 10, 30, 30))


def test_labels_need_not_be_without_gaps() -> None:
    labels = np.zeros((40, 40), np.int32)
    labels[5:15, 5:15], labels[20:30, 20:30] = 2, 5
    outlines = draw(labels)
    assert outlines.labels.tolist() == [2, 5]
    assert outlines.regular[1].centroid.coords[0] == pytest.approx((25, 25))


def test_no_graves_have_no_outlines() -> None:
    outlines = draw_outlines(np.zeros((9, 9), np.int32), np.array([]), GSD_M, OutlineSettings())
    for part in (outlines.raw, outlines.regular, outlines.is_rectangle, outlines.labels):
        assert len(part) == 0
    assert len(resolve_overlaps(NO_POLYGONS, np.array([]))) == 0
    assert len(to_crs(NO_POLYGONS, Affine.identity())) == 0


def test_the_more_confident_grave_keeps_the_shared_ground() -> None:
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
    bar, path = shapely.box(0, 0, 10, 2), shapely.box(3, -5, 4, 5)
    solved = resolve_overlaps(array(bar, path), np.array([0.1, 0.9]))
    assert solved[0].bounds == (4, 0, 10, 2)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 12),
)
def test_overlaps_are_resolved_whatever_lies_on_what(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 10, (count, 2))
    sides = random.uniform(0.5, 5, (count, 2))
    boxes = shapely.box(*corners.T, *(corners + sides).T)
    confidence = random.integers(0, 4, count) / 4
    solved = resolve_overlaps(boxes, confidence)
    assert_disjoint(solved[~shapely.is_empty(solved)])
    assert (shapely.area(solved) <= shapely.area(boxes) + 1e-9).all()
    strongest = int(np.argmax(confidence))
    assert shapely.area(solved)[strongest] == pytest.approx(shapely.area(boxes)[strongest])


def test_the_largest_polygon_of_a_collection_is_kept() -> None:
    small, large = shapely.box(0, 0, 1, 1), shapely.box(5, 5, 9, 9)
    collection = shapely.GeometryCollection(
        [shapely.Point(0, 0), small, shapely.MultiPolygon([large, shapely.box(2, 2, 3, 3)])]
    )
    kept = largest_parts(array(collection, shapely.LineString([(0, 0), (1, 1)]), small))
    assert kept[0].equals(large)
    assert kept[1].is_empty
    assert kept[2].equals(small)


@settings(deadline=None, max_examples=40)
@given(angle=angles)
def test_the_rectangle_of_a_rectangle_is_itself(angle: float) -> None:
    polygon = shapely.affinity.rotate(shapely.box(0, 0, 10, 20), angle)
    assert iou(array(polygon), fit_rectangles(array(polygon)))[0] > 0.999


def test_twins_that_differ_by_rounding_overlap_wholly() -> None:
    turned = shapely.affinity.rotate(shapely.box(0, 0, 10, 20), 0.04)
    twin = shapely.transform(turned, lambda points: points * (1 + 1e-15))
    random = np.random.default_rng(0).uniform(0, 180, 2000)
    graves = array(*(shapely.affinity.rotate(shapely.box(0, 0, 10, 20), angle) for angle in random))
    assert iou(array(turned), array(twin))[0] == pytest.approx(1)
    assert iou(graves, fit_rectangles(graves)).min() == pytest.approx(1)


def test_overlap_of_known_boxes() -> None:
    first = shapely.box(0, 0, 2, 2)
    others = [first, shapely.box(1, 0, 3, 2), shapely.box(2, 0, 4, 2)]
    assert iou(array(first, first, first), array(*others)) == pytest.approx([1, 1 / 3, 0])


def test_pixels_become_map_coordinates_as_the_grid_says() -> None:
    transform = Affine(0.5, 0, 1000, 0, -0.5, 2000)
    moved = to_crs(array(shapely.box(2, 4, 6, 10)), transform)
    assert moved[0].bounds == (1001, 1995, 1003, 1998)


def test_a_hole_in_an_instance_is_filled() -> None:
    labels = np.zeros((40, 40), np.int32)
    labels[5:35, 10:25] = 1
    labels[15:20, 15:20] = 0
    outlines = draw_outlines(labels, np.array([0.9]), 0.05, OutlineSettings())
    assert shapely.area(outlines.regular[0]) == pytest.approx(30 * 15, rel=0.02)
