"""Geometry shared by several rooms: IoU, largest parts, pixels to map coordinates."""

import numpy as np
import pytest
import shapely
from affine import Affine
from spiked import SPIKED, UTM

from grave_cli.outlines.polygons import Outlines, iou, largest_parts, mended, to_crs
from grave_cli.rasters.metric_frame import frame_around


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


def test_outlines_that_another_crs_leaves_crossing_are_mended() -> None:
    assert SPIKED.is_valid
    placed = frame_around(array(SPIKED), UTM).bring(array(SPIKED), UTM)
    assert not placed[0].is_valid
    valid, pair = shapely.box(0, 0, 1, 1), shapely.MultiPoint([(0, 0), (1, 1)]).buffer(0.2)
    far = shapely.Polygon([(0, 0), (np.inf, 1), (1, 1)])
    outlines = np.array([*placed, valid, None, pair, far], dtype=object)
    sound = mended(outlines)
    assert (sound[0].geom_type, sound[0].is_valid) == ("Polygon", True)
    assert sound[0].area == pytest.approx(placed[0].area, rel=1e-6)
    assert [one is other for one, other in zip(sound, outlines, strict=True)][1:] == [True] * 4


def test_a_broken_outline_of_two_halves_keeps_both() -> None:
    halves = shapely.MultiPolygon([shapely.box(0, 0, 2, 2), shapely.box(1, 0, 3, 2)])
    bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    assert shapely.area(mended(array(halves, bow_tie))) == pytest.approx([6, 2])
