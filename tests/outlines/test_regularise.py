"""Rows of graves come out as rows of rectangles that share their sides."""

import numpy as np
import pytest
import shapely
from grave_rows import GSD_M, corner_errors, noisy, row_of_graves, softened
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from scipy import ndimage
from shapely import affinity

from grave_cli.graves.contours import trace_instances
from grave_cli.graves.instances import decode
from grave_cli.graves.targets import BODY, encode
from grave_cli.outlines.polygons import Outlines, iou
from grave_cli.outlines.regularise import regularise
from grave_cli.settings.mapping import DecodingSettings, OutlineSettings

angles = st.floats(0, 180)


def draw(labels: np.ndarray, seed: int = 0) -> Outlines:
    """Draw instances that were seen sharply."""
    raw, _ = trace_instances(labels, (labels > 0).astype(np.float32), 0.5)
    confidence = np.random.default_rng(seed).random(len(raw))
    return regularise(raw, confidence, GSD_M, OutlineSettings())


def draw_soft(truth: np.ndarray, labels: np.ndarray, seed: int) -> Outlines:
    """Draw graves from blurred and noisy probabilities, like those of a network."""
    body = softened(truth, sigma_px=1.0, noise=0.5, seed=seed)
    channels = encode(labels, GSD_M, 0.10, 0.20).astype(np.float32)
    channels[BODY] = body[: labels.shape[0], : labels.shape[1]]
    for channel in (1, 2):
        channels[channel] = noisy(ndimage.gaussian_filter(channels[channel], 0.8), 0.5, seed)
    decoded = decode(channels, GSD_M, DecodingSettings())
    raw, _ = trace_instances(decoded, channels[BODY], DecodingSettings().body_threshold)
    return regularise(raw, np.ones(len(raw)), GSD_M, OutlineSettings())


def assert_disjoint(polygons: np.ndarray) -> None:
    assert shapely.is_valid(polygons).all()
    assert set(shapely.get_type_id(polygons)) <= {shapely.GeometryType.POLYGON}
    whole = shapely.union_all(polygons).area
    assert shapely.area(polygons).sum() == pytest.approx(whole, abs=1e-3)


def neighbours_apart(polygons: np.ndarray) -> np.ndarray:
    """Measure the space between each grave of a row and the next, in metres."""
    centres = shapely.get_coordinates(shapely.centroid(polygons))
    along = np.ptp(centres, axis=0).argmax()
    ordered = polygons[np.argsort(centres[:, along])]
    return shapely.distance(ordered[:-1], ordered[1:]) * GSD_M


@pytest.mark.parametrize("gap_m", [0.0, 0.03, 0.08])
@settings(deadline=None, max_examples=12)
@given(angle=angles, seed=st.integers(0, 99))
def test_rows_of_eight_come_back_as_eight_rectangles(gap_m: float, angle: float, seed: int) -> None:
    truth, labels = row_of_graves(8, 2.0, 0.9, gap_m, angle)
    outlines = draw_soft(truth, labels, seed)
    assert len(outlines.regular) == 8
    assert_disjoint(outlines.regular)
    assert (outlines.shape == "rectangle").mean() > 0.8
    apart = neighbours_apart(outlines.regular)
    assert ((apart < 1e-6) | (apart > 0.04)).all()  # shared, or no sliver
    if gap_m < 0.04:
        assert (apart < 1e-6).all()
    pairs = shapely.STRtree(outlines.regular).nearest(shapely.centroid(truth))
    errors = [corner_errors(t, outlines.regular[k]) for t, k in zip(truth, pairs, strict=True)]
    assert np.sqrt(np.mean(np.square(errors))) * GSD_M < 0.06


@settings(deadline=None, max_examples=15)
@given(angle=angles, seed=st.integers(0, 99))
def test_double_graves_stay_one(angle: float, seed: int) -> None:
    truth, labels = row_of_graves(3, 2.4, 2.2, 0.0, angle)
    assert len(draw_soft(truth, labels, seed).regular) == 3


@settings(deadline=None, max_examples=40)
@given(
    angle=angles,
    length=st.floats(1.0, 2.4),
    width=st.floats(0.5, 1.4),
    gap=st.sampled_from([0.0, 0.03, 0.08, 0.4]),
    seed=st.integers(0, 99),
)
def test_graves_of_a_row_keep_their_areas_and_places(
    angle: float, length: float, width: float, gap: float, seed: int
) -> None:
    truth, labels = row_of_graves(5, length, width, gap, angle)
    outlines = draw(labels, seed)
    assert outlines.index.tolist() == [0, 1, 2, 3, 4]
    assert_disjoint(outlines.regular)
    gaps = 0.06 * (0 < gap < 0.1)  # the part of them that is closed
    assert shapely.area(outlines.regular).sum() == pytest.approx(
        (labels > 0).sum(), rel=0.02 + gaps / width
    )
    assert iou(outlines.regular, truth).min() > 0.85


@settings(deadline=None, max_examples=40)
@given(angle=angles, length=st.floats(0.9, 2.4), width=st.floats(0.6, 1.4))
def test_a_lonely_grave_keeps_its_area_and_its_centroid(
    angle: float, length: float, width: float
) -> None:
    _, labels = row_of_graves(1, length, width, 0.0, angle)
    outlines = draw(labels)
    assert outlines.shape.tolist() == ["rectangle"]
    assert shapely.get_num_coordinates(outlines.regular).tolist() == [5]
    assert shapely.area(outlines.regular) == pytest.approx((labels > 0).sum(), rel=0.02)
    row, column = ndimage.center_of_mass(labels > 0)
    place = shapely.Point(column + 0.5, row + 0.5)
    assert outlines.regular[0].centroid.distance(place) * GSD_M < 0.02


def test_an_l_is_drawn_at_right_angles() -> None:
    labels = np.zeros((60, 60), np.int32)
    labels[10:50, 10:20] = 1
    labels[40:50, 10:50] = 1
    outlines = draw(labels)
    assert outlines.shape.tolist() == ["orthogonal"]
    assert shapely.get_num_coordinates(outlines.regular).tolist() == [7]
    assert iou(outlines.regular, outlines.raw)[0] > 0.95
    assert outlines.fit[0] < 0.85


def test_a_grave_without_right_angles_keeps_its_shape() -> None:
    rows, columns = np.mgrid[:80, :80]
    labels = ((columns < rows) & (columns > 5) & (rows < 75)).astype(np.int32)
    outlines = draw(labels)
    assert outlines.shape.tolist() == ["outline"]
    assert iou(outlines.regular, outlines.raw)[0] > 0.95
    assert shapely.area(outlines.regular)[0] == pytest.approx(labels.sum(), rel=0.02)


def test_no_graves_have_no_outlines() -> None:
    outlines = draw(np.zeros((9, 9), np.int32))
    for part in (outlines.raw, outlines.regular, outlines.shape, outlines.fit, outlines.index):
        assert len(part) == 0


def test_a_grave_within_another_is_lost_and_the_index_says_which() -> None:
    raw = np.array([shapely.box(0, 0, 20, 40), shapely.box(2, 2, 18, 38)], dtype=object)
    outlines = regularise(raw, np.array([0.4, 0.9]), GSD_M, OutlineSettings())
    assert 1 in outlines.index
    assert_disjoint(outlines.regular)


def test_graves_far_from_the_origin_and_in_another_crs_do_not_overlap() -> None:
    truth, _ = row_of_graves(8, 2.0, 0.9, 0.02, 33)
    there = np.array([affinity.translate(grave, 90_000, 70_000) for grave in truth], dtype=object)
    regular = regularise(there, np.ones(8), GSD_M, OutlineSettings()).regular
    on_map = shapely.transform(regular, lambda xy: xy * (0.05, -0.05) + (500_000, 5_300_000))
    to_degrees = Transformer.from_crs("EPSG:25832", "EPSG:4326", always_xy=True).transform
    degrees = shapely.transform(on_map, to_degrees, interleaved=False)
    rounded = shapely.transform(on_map, lambda xy: np.round(xy, 3))
    rounding = 2.0 * 1e-3  # along a side of 2 m
    for polygons, unit_m, most_m2 in (
        (on_map, 1, 1e-6),
        (degrees, 1e5, 1e-6),
        (rounded, 1, rounding),
    ):
        first, second = shapely.STRtree(polygons).query(polygons, predicate="dwithin", distance=0)
        pairs = first < second
        common = shapely.intersection(polygons[first[pairs]], polygons[second[pairs]])
        assert shapely.area(common).max(initial=0) * unit_m**2 < most_m2
