"""Geometry shared by several rooms: IoU, largest parts, pixels to map coordinates."""

import numpy as np
import pytest
import shapely
from affine import Affine

from grave_cli.outlines.polygons import Outlines, iou, largest_parts, to_crs


def array(*geometries: object) -> np.ndarray:
    return np.array(geometries, dtype=object)


def test_the_largest_polygon_of_a_collection_is_kept() -> None:
    small, large = shapely.box(0, 0, 1, 1), shapely.box(5, 5, 9, 9)
    collection = shapely.GeometryCollection(
        [shapely.Point(0, 0), small, shapely.MultiPolygon([large, shapely.box(2, 2, 3, 3)])]
    )
    kept = largest_parts(array(collection, shapely.LineString([(0, 0), (1, 1)]), small))
    assert kept[0].equals(large)
    assert kept[1].is_empty
    assert kept[2].equals(small)


def test_overlap_of_known_boxes() -> None:
    first = shapely.box(0, 0, 2, 2)
    others = [first, shapely.box(1, 0, 3, 2), shapely.box(2, 0, 4, 2)]
    assert iou(array(first, first, first), array(*others)) == pytest.approx([1, 1 / 3, 0])


def test_pixels_become_map_coordinates_as_the_grid_says() -> None:
    transform = Affine(0.5, 0, 1000, 0, -0.5, 2000)
    moved = to_crs(array(shapely.box(2, 4, 6, 10)), transform)
    assert moved[0].bounds == (1001, 1995, 1003, 1998)


def test_twins_that_differ_by_rounding_overlap_wholly() -> None:
    turned = shapely.affinity.rotate(shapely.box(0, 0, 10, 20), 0.04)
    twin = shapely.transform(turned, lambda points: points * (1 + 1e-15))
    assert iou(array(turned), array(twin))[0] == pytest.approx(1)


def test_no_polygons_have_no_place_on_the_map() -> None:
    assert len(to_crs(array(), Affine.identity())) == 0


def test_some_outlines_are_taken_in_the_order_wanted() -> None:
    boxes = shapely.box([0, 1, 2], 0, [1, 2, 3], 1)
    outlines = Outlines(boxes, boxes, np.array(["a", "b", "c"]), np.arange(3.0), np.arange(3))
    taken = outlines.take(np.array([2, 0]))
    assert taken.index.tolist() == [2, 0]
    assert taken.shape.tolist() == ["c", "a"]
    assert taken.regular[0] == taken.raw[0] == boxes[2]
