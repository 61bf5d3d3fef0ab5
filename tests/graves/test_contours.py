"""Raw outlines lie between pixels' centres, share their lines and are as large as their graves."""

import numpy as np
import pytest
import shapely
from grave_rows import GSD_M, blurred, row_of_graves
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.special import ndtr, ndtri

from grave_cli.graves.contours import trace_instances

angles = st.floats(0, 180)
seeds = st.integers(0, 2**32 - 1)
MIN_AREA_PX = 40  # 0.1 m2


def hard(labels: np.ndarray) -> np.ndarray:
    return (labels > 0).astype(np.float32)


def random_labels(seed: int) -> np.ndarray:
    """Strew rectangles, ellipses or cells over each other, or label noise; each in one piece."""
    random = np.random.default_rng(seed)
    size = int(random.integers(30, 90))
    rows, columns = np.mgrid[:size, :size]
    labels = np.zeros((size, size), np.int32)
    kind = seed % 4
    if kind == 0:
        noise = ndimage.gaussian_filter(random.normal(size=labels.shape), 3)
        labels = ndimage.label(noise > 0.3 * noise.std())[0].astype(np.int32)
    elif kind == 1:
        places = random.uniform(0, size, (8, 2))
        distance = np.hypot(rows[..., None] - places[:, 0], columns[..., None] - places[:, 1])
        labels = (distance.argmin(axis=-1) * (distance.min(axis=-1) < size / 3)).astype(np.int32)
    else:
        for label in range(1, 9):
            (row, column), (a, b) = random.uniform(0, size, 2), random.uniform(3, 15, 2)
            u, v = (rows - row) / a, (columns - column) / b
            labels[(np.maximum(abs(u), abs(v)) if kind == 2 else np.hypot(u, v)) < 1] = label
    # Twice: a label too small to stay can leave a hole in the one around it, as seed 1510 does.
    return in_one_piece(in_one_piece(labels))


def in_one_piece(labels: np.ndarray) -> np.ndarray:
    """Keep the largest part of each label, with its holes filled, if it is as large as a grave."""
    whole = np.zeros_like(labels)
    for label in range(1, labels.max() + 1):
        parts, _ = ndimage.label(labels == label)
        largest = parts == np.bincount(parts.ravel())[1:].argmax() + 1 if parts.any() else parts > 0
        filled = ndimage.binary_fill_holes(largest) & ((labels == 0) | largest)
        if filled.sum() >= MIN_AREA_PX:
            whole[filled & (whole == 0)] = label
    return whole


@settings(deadline=None, max_examples=150)
@example(seed=1510)
@given(seed=seeds)
def test_any_label_raster_becomes_polygons_of_its_areas_and_centroids(seed: int) -> None:
    labels = random_labels(seed)
    polygons, ids = trace_instances(labels, hard(labels), 0.5)
    assert ids.tolist() == np.unique(labels[labels > 0]).tolist()
    assert shapely.is_valid(polygons).all()
    assert (shapely.get_type_id(polygons) == shapely.GeometryType.POLYGON).all()
    if not len(ids):
        return
    areas = shapely.area(polygons)
    assert areas.sum() == pytest.approx(shapely.union_all(polygons).area, rel=1e-9)
    assert areas.sum() == pytest.approx((labels > 0).sum(), rel=0.02)
    found = shapely.get_coordinates(shapely.centroid(polygons))
    true = np.array(ndimage.center_of_mass(labels > 0, labels, ids))[:, ::-1] + 0.5
    assert np.hypot(*(found - true).T).max() * GSD_M < 0.02


@settings(deadline=None, max_examples=100)
@given(seed=seeds, colours=st.integers(1, 4), level=st.floats(0.2, 0.8))
def test_noise_becomes_valid_polygons_that_share_their_lines(
    seed: int, colours: int, level: float
) -> None:
    random = np.random.default_rng(seed)
    labels = random.integers(0, colours + 1, (12, 15)).astype(np.int32)
    probability = random.random(labels.shape, np.float32)  # says anything, even about background
    polygons, _ = trace_instances(labels, probability, level)
    assert shapely.is_valid(polygons).all()
    whole = shapely.union_all(polygons).area
    assert shapely.area(polygons).sum() == pytest.approx(whole, rel=1e-9)


@settings(deadline=None, max_examples=60)
@given(
    angle=st.floats(0, 360),
    offset=st.floats(0, 1),
    sigma=st.floats(0.5, 3),
    level=st.floats(0.3, 0.7),
)
def test_an_edge_is_found_between_pixels(
    angle: float, offset: float, sigma: float, level: float
) -> None:
    rows, columns = np.mgrid[:30, :30] + 0.5
    normal = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    distance = normal[0] * (columns - 15) + normal[1] * (rows - 15) - offset
    probability = ndtr(-distance / sigma).astype(np.float32)
    polygons, _ = trace_instances((probability >= level).astype(np.int32), probability, level)
    points = shapely.get_coordinates(polygons[0])
    points = points[((points > 3) & (points < 27)).all(axis=1)]
    assert len(points) > 20
    off = points @ normal - 15 * normal.sum() - offset
    assert abs(off + sigma * ndtri(level)).max() < 0.05


def test_a_line_crosses_where_the_logits_reach_the_level() -> None:
    probability = np.array([[0.9, 0.8, 0.3, 0.1]], np.float32).repeat(9, axis=0)
    polygons, _ = trace_instances((probability >= 0.5).astype(np.int32), probability, 0.5)
    # ln(0.8 / 0.2) = 1.386 and ln(0.3 / 0.7) = -0.847, from the centre 1.5 to the centre 2.5.
    assert polygons[0].bounds[2] == pytest.approx(1.5 + 1.386 / (1.386 + 0.847), abs=1e-3)


def test_three_labels_meet_in_the_corner_of_their_pixels() -> None:
    labels = np.array([[1, 1], [2, 0]], np.int32)
    polygons, ids = trace_instances(labels, hard(labels), 0.5)
    assert ids.tolist() == [1, 2]
    first, second = ({*map(tuple, shapely.get_coordinates(p).round(6))} for p in polygons)
    assert {(0.5, 1.0), (1.0, 1.0), (1.5, 1.0)} <= first  # left x, o, right x of the sketch
    assert {(0.5, 1.0), (1.0, 1.0), (1.0, 1.5)} <= second


@settings(deadline=None)
@given(edge=st.floats(10, 11))
def test_a_pixel_covered_in_part_moves_the_edge_by_that_part(edge: float) -> None:
    probability = np.clip(edge - np.arange(20), 0, 1)[None].repeat(9, axis=0).astype(np.float32)
    polygons, _ = trace_instances((probability >= 0.5).astype(np.int32), probability, 0.5)
    points = shapely.get_coordinates(polygons[0])
    inner = points[(points[:, 1] > 1) & (points[:, 1] < 8) & (points[:, 0] > 1)]
    assert inner[:, 0] == pytest.approx(edge, abs=0.06)


@settings(deadline=None, max_examples=30)
@given(angle=angles, sigma=st.floats(0.5, 1.2))
def test_a_blurred_grave_loses_little_but_its_corners(angle: float, sigma: float) -> None:
    truth, labels = row_of_graves(1, 2.0, 0.9, 0.0, angle)
    soft = blurred(hard(labels)[None], sigma)[0]
    polygons, _ = trace_instances((soft >= 0.5).astype(np.int32), soft, 0.5)
    assert shapely.area(polygons)[0] == pytest.approx(shapely.area(truth)[0], rel=0.04)
    assert shapely.hausdorff_distance(polygons[0].exterior, truth[0].exterior) < 2


@settings(deadline=None, max_examples=30)
@given(angle=angles)
def test_graves_that_touch_have_the_very_same_line_between_them(angle: float) -> None:
    _, labels = row_of_graves(4, 1.8, 0.8, 0.0, angle)
    polygons, _ = trace_instances(labels, blurred(hard(labels)[None])[0], 0.5)
    assert shapely.coverage_is_valid(polygons)
    lines = shapely.length(shapely.intersection(polygons[:-1], polygons[1:]))
    assert (lines * GSD_M > 1.5).all()


def test_a_line_between_graves_is_smoother_than_their_pixels() -> None:
    _, labels = row_of_graves(2, 2.0, 0.9, 0.0, 20)
    polygons, _ = trace_instances(labels, hard(labels), 0.5)
    smooth = shapely.intersection(polygons[0], polygons[1]).length
    assert smooth * GSD_M < 2.1  # 2.0 m; 2.5 m along the pixels' edges


def test_what_lies_within_a_grave_is_its_own_unless_it_is_another_grave() -> None:
    labels = np.zeros((40, 40), np.int32)
    labels[2:38, 2:38] = 1
    labels[5:10, 5:10] = 0
    labels[20:30, 20:30] = 2
    labels[24:26, 24:26] = 0
    polygons, ids = trace_instances(labels, hard(labels), 0.5)
    assert ids.tolist() == [1, 2]
    assert shapely.area(polygons) == pytest.approx([36 * 36 - 100, 100], abs=3)
    assert shapely.get_num_interior_rings(polygons).tolist() == [1, 0]


def test_a_grave_on_the_edge_of_the_array_ends_there() -> None:
    labels = np.ones((10, 20), np.int32)
    polygons, _ = trace_instances(labels, np.full((10, 20), 0.6, np.float32), 0.5)
    assert polygons[0].bounds == pytest.approx((0, 0, 20, 10))


def test_of_a_grave_in_several_pieces_the_largest_is_outlined() -> None:
    labels = np.zeros((40, 40), np.int32)
    labels[2:5, 2:5] = 3
    labels[10:30, 10:30] = 3
    polygons, ids = trace_instances(labels, hard(labels), 0.5)
    assert ids.tolist() == [3]
    assert polygons[0].bounds == pytest.approx((10, 10, 30, 30))


def test_nothing_has_no_outline() -> None:
    polygons, ids = trace_instances(np.zeros((5, 5), np.int32), np.zeros((5, 5), np.float32), 0.5)
    assert len(polygons) == len(ids) == 0
