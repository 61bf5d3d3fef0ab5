"""Rectangles lie along the sides of outlines, however rounded, noisy or bumpy they are."""

import numpy as np
import pytest
import shapely
from grave_rows import corner_errors, row_of_graves, softened
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from grave_cli.graves.contours import trace_instances
from grave_cli.outlines.polygons import iou
from grave_cli.outlines.rectangles import Rectangles, fit_rectangles, rectangle_iou, resample

angles = st.floats(0, 180)


def array(*geometries: object) -> np.ndarray:
    return np.array(geometries, dtype=object)


@settings(deadline=None, max_examples=60)
@given(angle=angles, length=st.floats(8, 80), width=st.floats(8, 80))
def test_the_rectangle_of_a_rectangle_is_itself(angle: float, length: float, width: float) -> None:
    polygon = affinity.rotate(shapely.box(1000, 500, 1000 + width, 500 + length), angle)
    fitted = fit_rectangles(array(polygon)).polygons()
    assert iou(array(polygon), fitted)[0] > 0.99
    assert corner_errors(polygon, fitted[0]).max() < 0.2


def test_a_rectangle_at_ten_degrees_has_that_direction() -> None:
    turned = [affinity.rotate(shapely.box(0, 0, *size), 10) for size in ((20, 40), (50, 12))]
    assert np.degrees(fit_rectangles(array(*turned)).angle) == pytest.approx(10, abs=1e-3)


def test_a_dent_that_is_bridged_adds_no_more_than_one_and_a_half_percent() -> None:
    dented = shapely.box(0, 0, 40, 44).difference(shapely.box(12, 0, 22, 16))  # 1760 - 160 px²
    fitted = fit_rectangles(array(dented)).polygons()[0]
    assert fitted.area == pytest.approx(1624)
    assert fitted.centroid.distance(dented.centroid) == pytest.approx(0.3)


@settings(deadline=None, max_examples=25)
@given(angle=angles, seed=st.integers(0, 99))
def test_corners_are_found_within_centimetres_on_noisy_probabilities(
    angle: float, seed: int
) -> None:
    truth, _ = row_of_graves(1, 2.0, 0.9, 0.0, angle)
    soft = softened(truth, sigma_px=1.2, noise=0.5, seed=seed)
    polygons, _ = trace_instances((soft >= 0.5).astype(np.int32), soft, 0.5)
    fitted = fit_rectangles(polygons)
    assert np.sqrt((corner_errors(truth[0], fitted.polygons()[0]) ** 2).mean()) < 1.2  # 6 cm
    areas = shapely.area(fitted.polygons()) / shapely.area(polygons)
    assert 0.985 < areas[0] < 1.016


def test_a_bump_on_one_side_hardly_turns_the_rectangle() -> None:
    grave = shapely.box(0, 0, 18, 40)
    bumpy = grave.union(shapely.Point(18, 33).buffer(4))
    turned = shapely.minimum_rotated_rectangle(bumpy)
    fitted = fit_rectangles(array(bumpy)).polygons()[0]
    assert corner_errors(grave, fitted).max() < 1
    assert corner_errors(grave, turned).max() > 2


@settings(deadline=None, max_examples=20)
@given(angle=angles, turn=st.floats(-10, 10))
def test_a_direction_that_is_given_is_kept(angle: float, turn: float) -> None:
    polygon = affinity.rotate(shapely.box(0, 0, 20, 40), angle)
    fitted = fit_rectangles(array(polygon), np.array([np.radians(angle + turn)]))
    assert fitted.angle[0] == np.radians(angle + turn)
    assert fitted.polygons()[0].centroid.distance(polygon.centroid) < 0.5
    assert fitted.polygons()[0].area == pytest.approx(polygon.area, rel=0.016)


def test_many_are_fitted_as_each_alone() -> None:
    some = [affinity.rotate(shapely.box(0, 0, 9 + k, 20), 17 * k) for k in range(5)]
    together = fit_rectangles(array(*some)).polygons()
    for one, polygon in zip(together, some, strict=True):
        assert one.equals_exact(fit_rectangles(array(polygon)).polygons()[0], 1e-9)


def test_points_lie_at_equal_distances_along_each_ring() -> None:
    points = resample(array(shapely.box(0, 0, 4, 4), shapely.box(10, 0, 18, 8)), 8)
    assert points.shape == (2, 8, 2)
    around = np.hypot(*(np.roll(points, -1, axis=1) - points).transpose(2, 0, 1))
    assert around.max(axis=1) == pytest.approx([2, 4])
    assert (
        shapely.distance(shapely.points(points[1]), shapely.box(10, 0, 18, 8).exterior).max() < 1e-9
    )


def test_the_overlap_with_a_rectangle_is_that_of_an_overlay() -> None:
    """Of stars, with and without holes, whichever way their rings run, near and far."""
    rng = np.random.default_rng(0)
    outlines, shapes = [], []
    for size in rng.integers(3, 60, 400):
        angle = np.sort(rng.uniform(0, 2 * np.pi, size))
        radius = rng.uniform(5, 20, size)
        centre = rng.uniform(-1000, 1000, 2)
        spokes = np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None]
        star = shapely.Polygon(spokes + centre)
        if not star.is_valid:
            continue
        if rng.random() < 0.4:
            star = star.difference(shapely.Point(centre).buffer(2))
        if rng.random() < 0.5:
            star = shapely.reverse(star)
        if star.geom_type == "Polygon":
            outlines.append(star)
            shapes.append([*centre, rng.uniform(0, np.pi), *rng.uniform(-8, 8, 2)])
    x, y, turn, *shift = np.array(shapes).T
    axes = Rectangles(turn, np.zeros((len(turn), 2)), np.zeros((len(turn), 2))).axes
    middle = (axes @ np.column_stack([x, y])[..., None])[..., 0] + np.column_stack(shift)
    half = rng.uniform(2, 25, middle.shape)
    rectangles = Rectangles(turn, middle - half, middle + half)
    expected = iou(array(*outlines), rectangles.polygons())
    assert rectangle_iou(array(*outlines), rectangles) == pytest.approx(expected, abs=1e-6)
    assert expected.min() < 0.1 < 0.5 < expected.max()


def test_axis_parallel_sides_are_no_special_case() -> None:
    outline = shapely.box(0, 0, 10, 20)
    rectangle = Rectangles(np.zeros(1), np.array([[5.0, -5.0]]), np.array([[15.0, 10.0]]))
    assert rectangle_iou(array(outline), rectangle) == pytest.approx([50 / (200 + 150 - 50)])
    same = Rectangles(np.zeros(1), np.array([[0.0, 0.0]]), np.array([[10.0, 20.0]]))
    assert rectangle_iou(array(outline), same) == pytest.approx([1])


def test_many_outlines_are_fitted_like_one() -> None:
    many = array(*(affinity.rotate(shapely.box(0, 0, 20, 40), k) for k in range(600)))
    alone = fit_rectangles(many[555:556])
    together = fit_rectangles(many)
    assert together.low[555] == pytest.approx(alone.low[0], abs=1e-9)
    assert rectangle_iou(many, together) == pytest.approx(iou(many, together.polygons()), abs=1e-6)
